# ruff: noqa: F722
"""Smooth noise in joint targets: bumps over the control steps of a chunk, in units of the normalised actions.

n worlds or b rows, k control steps of a chunk, d action channels, j joint channels, m bumps.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from aim.data.transforms import Transform
from aim.model.flow import RowNoise

BUMP_SPACING = 4  # control steps between the centres of bumps, and from a centre to where its bump ends


def build_bumps(chunk: int, execution_horizon: int) -> Float[Tensor, "k m"]:
    """Raised-cosine bumps over the control steps of a chunk.

    Action i of a chunk is the target at time t = i + 1, in control steps from the observation. The bump with centre c
    is 1/2 (1 + cos(pi (t - c) / 4)) within 4 steps of c and 0 elsewhere; centres are 4, 8, ... up to the execution
    horizon E. So the noise is 0 at t = 0; from E on the value at E is held.
    """
    time = torch.arange(1, chunk + 1).clamp(max=execution_horizon)[:, None].float()
    centres = torch.arange(BUMP_SPACING, max(execution_horizon, BUMP_SPACING) + 1, BUMP_SPACING).float()
    distance = (time - centres).abs().clamp(max=BUMP_SPACING)
    return 0.5 * (1.0 + torch.cos(torch.pi * distance / BUMP_SPACING))


def find_joints(transform: Transform, device: torch.device) -> Int[Tensor, " j"]:
    """Return the indices of the channels that are relative joint positions and move."""
    explored = np.asarray(transform.joints) & np.asarray(transform.action.moves)
    return torch.from_numpy(np.flatnonzero(explored)).to(device)


def read_half_ranges(transform: Transform, device: torch.device) -> Float[Tensor, " j"]:
    """Return the radians of one normalised unit, by joint channel."""
    half = torch.tensor(transform.action.half, dtype=torch.float32, device=device)
    return half[find_joints(transform, device)]


def add_smooth_noise(
    chunks: Float[Tensor, "n k d"], draws: RowNoise, std_rad: float, execution_horizon: int, transform: Transform
) -> tuple[Float[Tensor, "n k d"], Float[Tensor, "n m j"]]:
    """Return chunks with bumps of `std_rad` times normal coefficients added to the joint targets, and those."""
    joints, half_ranges = (find(transform, chunks.device) for find in (find_joints, read_half_ranges))
    bumps = build_bumps(chunks.shape[1], execution_horizon).to(chunks.device)
    coefficients = draws.gaussian(chunks.new_empty(len(chunks), bumps.shape[1], len(joints)))
    noisy = chunks.clone()
    noisy[..., joints] += bumps @ coefficients * (std_rad / half_ranges)
    return noisy, coefficients
