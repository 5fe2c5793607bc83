# ruff: noqa: F722
"""From numbers to tokens: one linear map a stream, a learned place for each token, waves of the flow time.

Rotary positions tell how tokens lie relative to each other; the learned place, one vector for each token of a kind of
segment, tells which view and which spot a token is, and so what an attended token says about *where*. A model with
`geometry` also tells the tokens of o where in the world the surface lies that their patch shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aim.config import ModelConfig
from aim.model import intent, rope
from aim.model.batch import Context, Fovea

TIMESTEP_FEATURES = 256  # numbers that a flow time becomes
MAX_PERIOD = 10_000.0  # as in Wan: the slowest wave turns so many times slower than the fastest
FOVEA_OCTAVES = 7  # of a place on the picture, -1 to 1: waves of four sides of it down to a sixteenth
SHIFT_OCTAVES = 4  # of a shift: waves of two sides of a token down to a quarter
POINT_OCTAVES = 7  # of a coordinate in metres: waves of 4 m down to 6 cm


def get_stream_widths(config: ModelConfig) -> dict[str, tuple[int, int]]:
    """Return the width of each stream's tokens, and of its feed-forward nets."""
    wide, narrow = (config.width, config.ffn_dim), (config.action_width, config.action_ffn_dim)
    return {"rgb": wide, "map": wide, "action": narrow}


def get_stream_width(kind: str, config: ModelConfig) -> int:
    """Return the width of the tokens of a kind of segment."""
    return get_stream_widths(config)[intent.stream_of_segment(kind, config)][0]


def sinusoidal_embedding(s: Float[Tensor, " b"]) -> Float[Tensor, "b w"]:
    """Return cosines, then sines, of 1000 s at geometrically falling speeds (Wan's embedding of time)."""
    half = TIMESTEP_FEATURES // 2
    speed = torch.exp(-math.log(MAX_PERIOD) * torch.arange(half, device=s.device) / half)
    angle = 1000.0 * s.float()[:, None] * speed
    return torch.cat([angle.cos(), angle.sin()], 1)


def embed_points(points: Float[Tensor, "b n 4"]) -> Float[Tensor, "b n g"]:
    """Return points (x, y, z in metres, 1 where known) with waves of each coordinate; zeros where not known."""
    where, known = points[..., :3], points[..., 3:]
    speed = 0.5 * math.pi * 2.0 ** torch.arange(POINT_OCTAVES, device=points.device)
    angle = (where[..., None] * speed).flatten(-2)
    return torch.cat([where, angle.cos(), angle.sin(), known], -1) * known


def embed_shift(shift: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n g"]:
    """Return waves of how far pictures were moved, in sides of a token: all zero where they were not."""
    angle = (shift[..., None] * math.pi * 2.0 ** torch.arange(SHIFT_OCTAVES, device=shift.device)).flatten(-2)
    return torch.cat([angle.sin(), angle.cos() - 1.0], -1)


class BiasEmbedding(nn.Module):
    """Embedding of vectors of no numbers (... 0), as of a robot that measures nothing: a bias (... width)."""

    def __init__(self, width: int) -> None:
        """Begin at 0."""
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "*b 0"]) -> Float[Tensor, "*b width"]:
        """Return the bias for every row."""
        return self.bias.expand(*x.shape[:-1], -1)


def make_state_map(state_dim: int, width: int) -> nn.Module:
    """Embedding of proprioception: linear, or a bias where nothing is measured."""
    return nn.Linear(state_dim, width) if state_dim else BiasEmbedding(width)


class Embeddings(nn.Module):
    """Token embeddings. Proprioception is one token of `o` and uses the rgb stream, as the rest of `o` does.

    It is also added to every noisy action token: actions are relative to it, and half a degree matters.

    Maps have a linear map of their own also where they share the weights of rgb: its bias is what tells the streams
    apart.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Make the maps for the shapes of `config`."""
        super().__init__()
        wide, acts = config.width, config.action_patch * config.action_dim
        who = intent.build_table(config)
        self.patch, self.config = config.action_patch, config
        self.rgb = nn.Linear(config.token_channels, wide)
        self.action = nn.Linear(acts, config.action_width)
        self.past_action = nn.Linear(acts, wide)
        self.state = make_state_map(config.state_dim, wide)
        self.stance = make_state_map(config.state_dim, config.action_width)
        self.text = nn.Sequential(nn.Linear(config.text_width, wide), nn.GELU("tanh"), nn.Linear(wide, wide))
        self.no_text = nn.Parameter(torch.randn(wide) * 0.02)  # read by rows that have no text
        self.no_past = nn.ParameterDict(
            {kind: nn.Parameter(torch.zeros(get_stream_width(kind, config))) for kind in ("past_obs", "past_act")}
        )
        if "m" in who:
            self.map = nn.Linear(config.token_channels, wide)
            self.value_noise = nn.Parameter(torch.randn(wide) * 0.02)  # joins every noisy map token
        if config.fovea:
            self.fovea = nn.Linear(3 * config.fovea_patch**2, wide)
            self.fovea_center = nn.Linear(4 * FOVEA_OCTAVES, wide)
        if config.geometry:
            self.surface = nn.Linear(3 + 6 * POINT_OCTAVES + 1, wide)
            nn.init.zeros_(self.surface.weight)
            nn.init.zeros_(self.surface.bias)
        if config.shift_conditioning:
            self.displaced = nn.Linear(4 * SHIFT_OCTAVES, wide, bias=False)  # nothing where nothing was moved
            nn.init.zeros_(self.displaced.weight)
        # a copy has the place of what it is a copy of: a map is a map, noisy or not
        self.place = nn.ParameterDict(
            {
                kind: nn.Parameter(torch.randn(len(where), get_stream_width(kind, config)) * 0.02)
                for kind, where in rope.compute_positions(config).items()
                if kind not in intent.COPY_OF
            }
        )

    def embed_context(self, context: Context) -> dict[str, Float[Tensor, "b _ _"]]:
        """Return the tokens of `past_obs`, `past_act` and `o`; an invalid past is replaced by a learned token."""
        known, before = context.past_valid[:, None, None], context.past_rgb.shape[1]
        past = torch.where(
            known,
            self.rgb(context.past_rgb.flatten(1, 2)) + self._embed_shift(context, before),
            self.no_past["past_obs"],
        )
        acts = torch.where(known, self.past_action(self._group_steps(context.past_action)), self.no_past["past_act"])
        seen = self.rgb(context.rgb) + self._embed_shift(context, 1)
        if self.config.geometry:
            assert context.points is not None, "a model with geometry needs the points of the current observation"
            seen = seen + self.surface(embed_points(context.points))
        now = torch.cat([seen, self.state(context.state)[:, None]], 1)
        return {
            "past_obs": past + self.place["past_obs"],
            "past_act": acts + self.place["past_act"],
            "o": now + self.place["o"],
        }

    def _embed_shift(self, context: Context | None, frames: int) -> Tensor | float:
        """Return what tells the tokens of so many frames (b frames*n w) by how much they were moved, if they were."""
        if context is None or context.shift is None:
            return 0.0
        return self.displaced(embed_shift(context.shift)).repeat(1, frames, 1)

    def embed_future(
        self, frames: Mapping[str, Float[Tensor, "b f n c"]], context: Context | None = None
    ) -> dict[str, Float[Tensor, "b _ _"]]:
        """Return the tokens of `x`, `m` (the value-noise token joined), `c` and `y`: those that are given."""
        found = {}
        for kind, z in frames.items():
            where = self.place[intent.COPY_OF.get(kind, kind)]
            told = self._embed_shift(context, z.shape[1])
            found[kind] = (
                (self.map if intent.STREAM_OF_SEGMENT[kind] == "map" else self.rgb)(z.flatten(1, 2)) + where + told
            )
            if kind == "m":
                found[kind] = found[kind] + self.value_noise
        return found

    def embed_fovea(self, fovea: Fovea) -> Float[Tensor, "b n w"]:
        """Return the tokens of a crop: its patches, and where on the whole picture its centre lies."""
        side = self.config.fovea_patch
        pixels = fovea.picture.movedim(-1, 1).float() / 127.5 - 1.0
        patches = F.unfold(pixels, side, stride=side).transpose(1, 2)
        angle = fovea.center[..., None] * 0.5 * math.pi * 2.0 ** torch.arange(FOVEA_OCTAVES, device=pixels.device)
        waves = torch.cat([angle.sin(), angle.cos()], -1).flatten(1)
        return self.fovea(patches) + self.fovea_center(waves)[:, None] + self.place["f"]

    def embed_actions(self, action: Float[Tensor, "b r k d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b r _ _"]:
        """Return the tokens of r chunks `a` of each row, given the normalised state that they start from."""
        return self.action(self._group_steps(action)) + self.place["a"] + self.stance(state)[:, None, None]

    def _group_steps(self, action: Float[Tensor, "*b k d"]) -> Float[Tensor, "*b _ _"]:
        """Return the numbers of each `action_patch` control steps side by side."""
        return action.unflatten(-2, (-1, self.patch)).flatten(-2)

    def embed_text(self, context: Context) -> tuple[Float[Tensor, "b l w"], Bool[Tensor, "b 1 1 l"]]:
        """Return text tokens and which of them count; the first one counts only where no word does."""
        tokens = self.text(context.text)
        first = self.no_text.to(tokens.dtype).expand(len(tokens), 1, -1)
        seen = torch.cat([~context.text_valid.any(1, keepdim=True), context.text_valid], 1)
        return torch.cat([first, tokens], 1), seen[:, None, None]
