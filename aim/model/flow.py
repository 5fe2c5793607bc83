"""Flow matching. The time convention of the whole project is stated here, once.

`s` runs from 1 (noise) to 0 (data): `z_s = (1 - s) z_0 + s noise`, and the network predicts the velocity
`noise - z_0`, so that walking from s to s' adds `(s' - s) velocity`. It is the convention of Wan and of diffusers'
`FlowMatchEulerDiscreteScheduler`. b = batch; tensors of levels are (b,), data (b, ...).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

Levels = Float[Tensor, " b"]
Data = Float[Tensor, "b ..."]


def shifted(u: Tensor, shift: float) -> Tensor:
    """Return the level of uniform time u in [0, 1]: `shift u / (1 + (shift - 1) u)`, more time spent in noise."""
    return shift * u / (1 + (shift - 1) * u)


def schedule(steps: int, shift: float) -> list[float]:
    """Return the steps + 1 levels of an Euler walk from 1 to 0, evenly spaced before the shift."""
    assert steps > 0
    return shifted(torch.linspace(1, 0, steps + 1, dtype=torch.float64), shift).tolist()


def interpolate(data: Data, noise: Data, s: Levels) -> Data:
    """Return z_s, the data on its way to noise, in the data's shape."""
    s = s.to(data.dtype).view(-1, *[1] * (data.ndim - 1))
    return torch.lerp(data, noise, s)


def target(data: Data, noise: Data) -> Data:
    """Return the velocity that the network is to predict at every level."""
    return noise - data


def weight(s: Levels) -> Levels:
    """Return the bell-shaped weight of a level, `exp(-2 ((t - 500) / 1000)^2)` with t = 1000 s (LingBot-VA)."""
    return torch.exp(-2 * (s - 0.5) ** 2)


def loss(velocity: Data, data: Data, noise: Data, s: Levels) -> Data:
    """Return the weighted squared error of a predicted velocity, number by number."""
    bell = weight(s).view(-1, *[1] * (data.ndim - 1))
    return bell * (velocity - target(data, noise)).square()


def gaussian(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return standard normal noise of `like`'s shape, drawn on the generator's device: a CPU seed suits any device."""
    return torch.randn(like.shape, generator=generator, device=generator.device).to(like.device)


def uniform(rows: int, like: Tensor, generator: torch.Generator) -> Levels:
    """Return `rows` uniform numbers in [0, 1) on `like`'s device."""
    return torch.rand(rows, generator=generator, device=generator.device).to(like.device)


def walk(noise: Data, levels: list[float], velocity: Callable[[Data, float], Data]) -> Data:
    """Return the data at the last level: Euler steps along `velocity(z, s)` from `noise` at the first."""
    z = noise
    for s, after in pairwise(levels):
        z = z + (after - s) * velocity(z, s)
    return z
