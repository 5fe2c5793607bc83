# ruff: noqa: F722
"""Rotary positions over (time, y, x): the score of two tokens depends on where they lie relative to each other.

Time counts latent frames from the current one (actions at fractions), y and x count tokens on the canvas: the first
view, and below it the others side by side. What a token is absolutely is learned apart (`aim.model.embed`).
n = tokens, d = head width.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from aim.config import ModelConfig
from aim.model import intent

FOVEA_ROW = 64.0  # of the canvas, where the tokens of a fovea begin

Positions = Float[Tensor, "n 3"]
RopeTable = Float[Tensor, "2 n 1 d"]


def build_rope_table(positions: Positions, head_dim: int, base: float) -> RopeTable:
    """Return cosine and signed sine for `apply_rope`; y and x take 2 (d // 6) channels each, time the rest (as in Wan).

    Along each axis the slowest pair turns nearly `base` times slower than the fastest.
    """
    side = head_dim // 6
    angles = []
    for axis, pairs in enumerate((head_dim // 2 - 2 * side, side, side)):
        speed = base ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
        angles.append(positions[:, axis, None].double() * speed)
    angle = torch.cat(angles, -1)[:, None]
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)]).float()


def apply_rope(z: Float[Tensor, "b n h d"], turned: RopeTable) -> Float[Tensor, "b n h d"]:
    """Return z with channel i and i + d/2 turned as a pair by the angles of its token's position."""
    cos, sin = turned.to(z.dtype)
    return torch.addcmul(z * cos, z.roll(z.shape[-1] // 2, -1), sin)


def compute_canvas_positions(config: ModelConfig) -> Float[Tensor, "n 2"]:
    """Return (y, x) of each token of a frame on the canvas."""
    size: dict[int, tuple[int, int]] = {}
    for view, y, x in config.token_grid:
        down, across = size.get(view, (0, 0))
        size[view] = (max(down, y + 1), max(across, x + 1))
    left = {view: sum(size[other][1] for other in size if 0 < other < view) for view in size}
    return torch.tensor([(y + (size[0][0] if view else 0), x + left[view]) for view, y, x in config.token_grid]).float()


def compute_fovea_positions(config: ModelConfig) -> Positions:
    """Return the positions of the tokens of a crop: in the present, on a canvas of its own below all views."""
    side = config.fovea // config.fovea_patch
    y, x = torch.meshgrid(torch.arange(side) + FOVEA_ROW, torch.arange(side) + 0.0, indexing="ij")
    return torch.stack([torch.zeros(side * side), y.flatten(), x.flatten()], 1)


def compute_positions(config: ModelConfig) -> dict[str, Positions]:
    """Return (time, y, x) of the tokens of each kind of segment of the variant, past ones in order of time."""
    place = compute_canvas_positions(config)

    def frames(times: range) -> Positions:
        blocks = [torch.cat([torch.full((len(place), 1), float(time)), place], 1) for time in times]
        return torch.cat(blocks) if blocks else torch.zeros(0, 3)

    def actions(first: int, steps: int) -> Positions:
        starts = torch.arange(first, first + steps, config.action_patch)
        times = (starts + config.action_patch / 2) / config.actions_per_frame
        return torch.stack([times, torch.zeros_like(times), torch.zeros_like(times)], 1)

    future = frames(range(1, config.num_future_frames + 1))
    found = {
        "past_obs": frames(range(-config.past_frames, 0)),
        "past_act": actions(-config.past_actions, config.past_actions),
        "o": torch.cat([frames(range(1)), torch.zeros(1, 3)]),  # the last one is the proprioception
        "x": future,
        "m": future,
        "c": future,
        "y": future,
        "a": actions(0, config.chunk),
        "f": compute_fovea_positions(config),
    }
    return {kind: found[kind] for kind in intent.build_table(config)}
