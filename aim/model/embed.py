# ruff: noqa: F722
"""From numbers to tokens: one linear map a stream, a learned place for each token, Fourier features of the flow time.

Rotary positions tell how tokens lie relative to each other; the learned place, one vector for each token of a kind of
segment, tells which view and which spot a token is, and so what an attended token says about *where*.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aim.config import ModelConfig
from aim.model import rope
from aim.model.batch import Context
from aim.model.intent import STREAM

FREQUENCIES = 32


def widths(config: ModelConfig) -> dict[str, int]:
    """Return the width of each stream."""
    return {"rgb": config.width, "map": config.width, "action": config.action_width}


def fourier(s: Float[Tensor, " b"]) -> Float[Tensor, "b w"]:
    """Return cosines and sines of the flow time, from half a turn to 500 turns over [0, 1]."""
    speed = torch.logspace(0, 3, FREQUENCIES, device=s.device) * math.pi
    angle = s.float()[:, None] * speed
    return torch.cat([angle.cos(), angle.sin()], 1)


class Embed(nn.Module):
    """Token embeddings. Proprioception is one token of `o` and uses the rgb stream, as the rest of `o` does."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the maps for the shapes of `config`."""
        super().__init__()
        wide, acts = config.width, config.action_patch * config.action_dim
        self.patch = config.action_patch
        self.rgb = nn.Linear(config.token_channels, wide)
        self.map = nn.Linear(config.token_channels, wide)
        self.action = nn.Linear(acts, config.action_width)
        self.state = nn.Linear(config.state_dim, wide)
        self.text = nn.Sequential(nn.LayerNorm(config.text_width), nn.Linear(config.text_width, wide))
        self.value_noise = nn.Parameter(torch.randn(wide) * 0.02)  # joins every noisy map token
        self.no_text = nn.Parameter(torch.randn(wide) * 0.02)  # always there, so that no row is without text
        sizes = widths(config)
        self.no_past = nn.ParameterDict({k: nn.Parameter(torch.zeros(sizes[k])) for k in ("rgb", "action")})
        # m and c share places: a map is a map, noisy or not
        self.place = nn.ParameterDict(
            {
                kind: nn.Parameter(torch.randn(len(where), sizes[STREAM[kind]]) * 0.02)
                for kind, where in rope.positions(config).items()
                if kind != "c"
            }
        )

    def context(self, context: Context) -> dict[str, Float[Tensor, "b _ _"]]:
        """Return the tokens of `past_obs`, `past_act` and `o`; an invalid past is replaced by a learned token."""
        known = context.past_valid[:, None, None]
        past = torch.where(known, self.rgb(context.past_rgb.flatten(1, 2)), self.no_past["rgb"])
        acts = torch.where(known, self.actions(context.past_action), self.no_past["action"])
        now = torch.cat([self.rgb(context.rgb), self.state(context.state)[:, None]], 1)
        return {
            "past_obs": past + self.place["past_obs"],
            "past_act": acts + self.place["past_act"],
            "o": now + self.place["o"],
        }

    def frames(self, rgb: Float[Tensor, "b f n c"]) -> Float[Tensor, "b _ _"]:
        """Return the tokens of `x`."""
        return self.rgb(rgb.flatten(1, 2)) + self.place["x"]

    def maps(self, maps: Float[Tensor, "b f n c"], noisy: bool) -> Float[Tensor, "b _ _"]:
        """Return the tokens of `m` (noisy, the value-noise token joined) or of `c`."""
        tokens = self.map(maps.flatten(1, 2)) + self.place["m"]
        return tokens + self.value_noise if noisy else tokens

    def chunk(self, action: Float[Tensor, "b k d"]) -> Float[Tensor, "b _ _"]:
        """Return the tokens of `a`."""
        return self.actions(action) + self.place["a"]

    def actions(self, action: Float[Tensor, "b k d"]) -> Float[Tensor, "b _ _"]:
        """Return one token for each `action_patch` control steps, without its place."""
        rows, steps, channels = action.shape
        return self.action(action.reshape(rows, steps // self.patch, self.patch * channels))

    def words(self, context: Context) -> tuple[Tensor, Tensor]:
        """Return text tokens (b l+1 w), the first always there, and which of them count (b 1 1 l+1)."""
        tokens = self.text(context.text)
        first = self.no_text.to(tokens.dtype).expand(len(tokens), 1, -1)
        seen = torch.cat([torch.ones_like(context.past_valid)[:, None], context.text_valid], 1)
        return torch.cat([first, tokens], 1), seen[:, None, None]
