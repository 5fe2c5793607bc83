# ruff: noqa: F722
"""Rotary positions over (time, y, x): the score of two tokens depends on where they lie relative to each other.

Time counts latent frames from the current one (actions at fractions), y and x count tokens inside a view. Which view
a token belongs to, and where it stands absolutely, is learned apart (`aim.model.embed`). n = tokens, d = head width.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from aim.config import ModelConfig

# The longest distance is a few frames or tokens, so the slowest turn is 100 times slower than the fastest, not 10,000.
BASE = 100.0

Positions = Float[Tensor, "n 3"]
Turn = Float[Tensor, "2 n 1 d"]


def turn(positions: Positions, head_dim: int) -> Turn:
    """Return cosine and signed sine for `rotate`; y and x take 2 (d // 6) channels each, time the rest (as in Wan)."""
    side = head_dim // 6
    angles = []
    for axis, pairs in enumerate((head_dim // 2 - 2 * side, side, side)):
        speed = BASE ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
        angles.append(positions[:, axis, None].double() * speed)
    angle = torch.cat(angles, -1)[:, None]
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)]).float()


def rotate(z: Float[Tensor, "b n h d"], turned: Turn, gain: Float[Tensor, " d"]) -> Float[Tensor, "b n h d"]:
    """Return z times `gain`, with channel i and i + d/2 turned as a pair by the angles of its token's position."""
    half = z.shape[-1] // 2
    cos, sin = turned  # the gain goes into these small tables, not over the whole of z
    return torch.addcmul(z * (cos * gain).to(z.dtype), z.roll(half, -1), (sin * gain.roll(half)).to(z.dtype))


def positions(config: ModelConfig) -> dict[str, Positions]:
    """Return (time, y, x) of the tokens of each kind of segment, past ones in order of time."""
    place = torch.tensor([(y, x) for _, y, x in config.layout], dtype=torch.float32)

    def frames(times: range) -> Positions:
        blocks = [torch.cat([torch.full((len(place), 1), float(time)), place], 1) for time in times]
        return torch.cat(blocks) if blocks else torch.zeros(0, 3)

    def actions(first: int, steps: int) -> Positions:
        starts = torch.arange(first, first + steps, config.action_patch)
        times = (starts + config.action_patch / 2) / config.actions_per_frame
        return torch.stack([times, torch.zeros_like(times), torch.zeros_like(times)], 1)

    future = frames(range(1, config.futures + 1))
    return {
        "past_obs": frames(range(-config.past_frames, 0)),
        "past_act": actions(-config.past_actions, config.past_actions),
        "o": torch.cat([frames(range(1)), torch.zeros(1, 3)]),  # the last one is the proprioception
        "x": future,
        "m": future,
        "c": future,
        "a": actions(0, config.chunk),
    }
