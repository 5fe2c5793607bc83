# ruff: noqa: F722
"""Sampling of action chunks by flow matching: the deterministic ODE, or an SDE of the same marginals with a likelihood.

One step goes from level s to s' = s - d (`aim.model.flow` states the convention of time). With the velocity v at z,
the predicted data x_0 = z - s v and the predicted noise x_1 = z + (1 - s) v, the Euler-Maruyama step of the SDE is

    z' = (1 - s') x_0 + (s' - sigma^2 d / (2 s)) x_1 + sigma sqrt(d) e,    e ~ N(0, I),    sigma = a sqrt(s / (1 - s))

where a is the noise scale of the step; at s = 1 the next level stands in the denominator of sigma (Flow-GRPO, arXiv
2505.05470). With a = 0 it is the Euler step z' = z - d v of the ODE. The likelihood of a chain of such steps is a
product of Gaussians; deterministic steps contribute nothing.

b rows, of one chunk or of several (b r), k control steps, d action channels, t sampling steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, pi, sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aim.model.flow import RowNoise

Actions = Float[Tensor, "*b k d"]
Velocity = Callable[[Actions, float], Actions]  # at noisy actions and their level


@dataclass(frozen=True)
class ActionChain:
    """Sampled actions and how they came about: all that their likelihood under another velocity needs."""

    chain: Float[Tensor, "t1 *b k d"]  # noisy actions at each of the t + 1 levels
    levels: tuple[float, ...]  # t + 1, from 1 to 0
    noise_scale: tuple[float, ...]  # of each of the t steps; 0 is deterministic
    counted: Bool[Tensor, "#k d"]  # executed control steps and valid channels, which the likelihood is of
    log_prob: Float[Tensor, "*b t"]  # of each step; 0 where it is deterministic

    @property
    def actions(self) -> Actions:
        """The sampled actions, at the last level."""
        return self.chain[-1]


def sample(
    velocity: Velocity, noise: Actions, schedule: Sequence[float], noise_scale: float | Sequence[float] = 0.0,
    draws: RowNoise | None = None, counted: Bool[Tensor, "#k d"] | None = None,
) -> ActionChain:  # fmt: skip
    """Sample actions from `noise` along the levels of `schedule` (t + 1), which fall from 1 to 0.

    `noise_scale` is one number, or one for each step (as when a single random step explores). Stochastic steps take
    their noise from `draws`. Only what is `counted` gets noise and enters the likelihood, the rest takes the ODE;
    all is counted if left out.
    """
    scales = _expand_scale(noise_scale, len(schedule) - 1)
    if counted is None:
        counted = torch.ones(noise.shape[-2:], dtype=torch.bool, device=noise.device)
    z, chain, log_probs = noise, [noise], []
    for (level, following), scale in zip(pairwise(schedule), scales, strict=True):
        mean, std = _step(velocity(z, level), z, level, following, scale, counted)
        z = mean
        if scale:
            assert draws is not None, "stochastic steps need draws"
            z = mean + std * draws.gaussian(noise) * counted
        chain.append(z)
        log_probs.append(_gaussian_log_prob(z, mean, std, counted) if scale else noise.new_zeros(noise.shape[:-2]))
    return ActionChain(torch.stack(chain), tuple(schedule), scales, counted, torch.stack(log_probs, -1))


def log_prob(velocity: Velocity, chain: ActionChain) -> Float[Tensor, "*b t"]:
    """Log-probability of each step of a chain under another velocity, differentiable in what that depends on.

    The velocity is asked at stochastic steps only; deterministic ones are 0.
    """
    found = []
    steps = zip(pairwise(chain.chain), pairwise(chain.levels), chain.noise_scale, strict=True)
    for (z, next_z), (level, following), scale in steps:
        if scale:
            mean, std = _step(velocity(z, level), z, level, following, scale, chain.counted)
            found.append(_gaussian_log_prob(next_z, mean, std, chain.counted))
        else:
            found.append(z.new_zeros(z.shape[:-2]))
    return torch.stack(found, -1)


def _step(
    v: Actions, z: Actions, level: float, following: float, scale: float, counted: Bool[Tensor, "#k d"]
) -> tuple[Actions, float]:
    """Mean of the actions at the following level, and standard deviation of what is counted; the rest takes the ODE."""
    euler = z + (following - level) * v
    if scale == 0.0:
        return euler, 0.0
    length = level - following
    variance = scale**2 * level / (1.0 - (level if level < 1.0 else following))
    data, noise = z - level * v, z + (1.0 - level) * v
    mean = (1.0 - following) * data + (following - variance * length / (2.0 * level)) * noise
    return torch.where(counted, mean, euler), sqrt(variance * length)


def _gaussian_log_prob(z: Actions, mean: Actions, std: float, counted: Bool[Tensor, "#k d"]) -> Float[Tensor, "*b"]:
    each = -0.5 * ((z - mean) / std).square() - log(std) - 0.5 * log(2.0 * pi)
    return (each * counted).sum((-2, -1))


def _expand_scale(noise_scale: float | Sequence[float], steps: int) -> tuple[float, ...]:
    scales = (noise_scale,) * steps if isinstance(noise_scale, (int, float)) else tuple(noise_scale)
    assert len(scales) == steps, f"{len(scales)} noise scales for {steps} steps"
    assert all(scale >= 0.0 for scale in scales), "noise scales are 0 or above"
    return scales
