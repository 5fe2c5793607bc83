# ruff: noqa: F722
"""Flow matching. The time convention of the whole project is stated here, once.

`s` runs from 1 (noise) to 0 (data): `z_s = (1 - s) z_0 + s noise`, and the network predicts the velocity
`noise - z_0`, so that walking from s to s' adds `(s' - s) velocity`. It is the convention of Wan and of diffusers'
`FlowMatchEulerDiscreteScheduler`. b = batch; tensors of levels are (b,) or (b, k), data (b, ...).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

MIN_SIGMA = 1e-3  # the smallest level that is divided by

Levels = Float[Tensor, "#b ..."]  # one a row, or one for each of the first few dimensions of the data
Data = Float[Tensor, "b ..."]


def shift_timestep(u: Tensor, shift: float) -> Tensor:
    """Return the level of uniform time u in [0, 1]: `shift u / (1 + (shift - 1) u)`, more time spent in noise."""
    return shift * u / (1 + (shift - 1) * u)


def build_schedule(steps: int, shift: float) -> list[float]:
    """Return the steps + 1 levels of an Euler walk from 1 to 0, evenly spaced before the shift."""
    assert steps > 0
    return shift_timestep(torch.linspace(1, 0, steps + 1, dtype=torch.float64), shift).tolist()


def interpolate(data: Data, noise: Data, s: Levels) -> Data:
    """Return z_s, the data on its way to noise, in the data's shape."""
    return torch.lerp(data, noise, _expand_like(s, data).to(data.dtype))


def velocity_target(data: Data, noise: Data) -> Data:
    """Return the velocity that the network is to predict at every level."""
    return noise - data


def velocity_from_data(data: Data, z: Data, s: Levels) -> Data:
    """Return the velocity at z, level s, of a straight way to `data`: what a network that predicts data stands for."""
    return (z - data) / _expand_like(s.clamp(min=MIN_SIGMA), z)


def timestep_weight(s: Levels) -> Levels:
    """Return the bell-shaped weight of a level, `exp(-2 ((t - 500) / 1000)^2)` with t = 1000 s (LingBot-VA)."""
    return torch.exp(-2 * (s - 0.5) ** 2)


def flow_matching_loss(velocity: Data, data: Data, noise: Data, s: Levels) -> Data:
    """Return the weighted squared error of a predicted velocity, number by number."""
    return _expand_like(timestep_weight(s), data) * (velocity - velocity_target(data, noise)).square()


@runtime_checkable
class Noise(Protocol):
    """What draws the random numbers of a batch."""

    def gaussian(self, like: Data) -> Data:
        """Return standard normal noise of the shape of `like` (b, ...), on its device."""
        ...

    def uniform(self, like: Tensor, count: int = 1) -> Float[Tensor, "b c"]:
        """Return `count` uniform numbers in [0, 1) a row, on the device of `like` (b, ...)."""
        ...


class DeviceNoise:
    """Random numbers of a whole batch from the generator of its device: what a CUDA graph can draw.

    A row then draws what its place in the batch decides; `RowNoise` is for batches that are split or put together.
    """

    def gaussian(self, like: Data) -> Data:
        """Return standard normal noise of the shape of `like` (b, ...), on its device."""
        return torch.randn(like.shape, device=like.device)

    def uniform(self, like: Tensor, count: int = 1) -> Float[Tensor, "b c"]:
        """Return `count` uniform numbers in [0, 1) a row, on the device of `like` (b, ...)."""
        return torch.rand(len(like), count, device=like.device)


@dataclass(frozen=True)
class RowNoise:
    """Random numbers row by row, each row from a CPU generator of its own.

    So what a row draws does not depend on the rows beside it: not on how a batch is split over processes, not on how
    many copies of a scene are run together, and not on the device.
    """

    generators: tuple[torch.Generator, ...]

    def gaussian(self, like: Data) -> Data:
        """Return standard normal noise of the shape of `like` (b, ...), on its device."""
        self._check_rows(like)
        return _stack_rows([torch.randn(like.shape[1:], generator=g) for g in self.generators], like.device)

    def uniform(self, like: Tensor, count: int = 1) -> Float[Tensor, "b c"]:
        """Return `count` uniform numbers in [0, 1) a row, on the device of `like` (b, ...)."""
        self._check_rows(like)
        return _stack_rows([torch.rand(count, generator=g) for g in self.generators], like.device)

    def _check_rows(self, like: Tensor) -> None:
        assert len(like) == len(self.generators), f"{len(like)} rows, {len(self.generators)} generators"


def _stack_rows(parts: list[Tensor], device: torch.device) -> Tensor:
    """Return the rows on a device; a GPU fetches them while the processor goes on, from memory that cannot move."""
    rows = torch.stack(parts)
    return rows.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else rows.to(device)


def seed_rows(seed: int, rows: int) -> RowNoise:
    """Return generators for `rows` rows: row r of seed s draws the same whatever the number of rows."""
    return RowNoise(tuple(torch.Generator().manual_seed(seed * 1_000_003 + row) for row in range(rows)))


def integrate_euler(noise: Data, levels: list[float], velocity: Callable[[Data, float], Data]) -> Data:
    """Return the data at the last level: Euler steps along `velocity(z, s)` from `noise` at the first."""
    z = noise
    for s, after in pairwise(levels):
        z = z + (after - s) * velocity(z, s)
    return z


def _expand_like(s: Levels, data: Data) -> Tensor:
    """Return levels with dimensions of size one added until they stand beside the data."""
    return s.reshape(*s.shape, *[1] * (data.ndim - s.ndim))
