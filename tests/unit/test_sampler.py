"""Laws of the action sampler: its ODE, its SDE's marginals, and its likelihood by hand and by autograd."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from aim.model import flow, sampler

SHAPE = (3, 8, 5)  # rows, control steps, channels


def make_noise(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_velocity(gain: Tensor | float = 0.7) -> sampler.Velocity:
    return lambda z, s: gain * torch.tanh(z) + s


@given(steps=st.integers(1, 12), shift=st.floats(0.5, 8.0))
def test_without_noise_it_is_the_euler_walk_to_the_bit(steps: int, shift: float) -> None:
    levels = flow.build_schedule(steps, shift)
    found = sampler.sample(make_velocity(), make_noise(), levels)
    assert torch.equal(found.actions, flow.integrate_euler(make_noise(), levels, make_velocity()))
    assert torch.equal(found.log_prob, torch.zeros(3, steps, dtype=torch.float64))


def test_a_tiny_noise_scale_approaches_the_euler_walk() -> None:
    levels = flow.build_schedule(4, 1.0)
    still = sampler.sample(make_velocity(), make_noise(), levels).actions
    moved = sampler.sample(make_velocity(), make_noise(), levels, 1e-4, flow.seed_rows(0, 3)).actions
    assert 0 < (still - moved).abs().max() < 1e-2


@pytest.mark.parametrize("scale", [0.3, [0.0, 0.5, 0.0, 0.0], [0.7, 0.0, 0.0, 0.2]])
def test_the_likelihood_is_that_of_the_gaussians_by_hand(scale: float | list[float]) -> None:
    levels, counted = flow.build_schedule(4, 2.0), torch.ones(8, 5, dtype=torch.bool)
    counted[5:], counted[:, 2] = False, False
    found = sampler.sample(make_velocity(), make_noise(), levels, scale, flow.seed_rows(0, 3), counted)
    scales = [scale] * 4 if isinstance(scale, float) else scale
    for i, a in enumerate(scales):
        s, after, z = levels[i], levels[i + 1], found.chain[i]
        v = make_velocity()(z, s)
        if a == 0:
            assert torch.equal(found.chain[i + 1], z + (after - s) * v)
            assert not found.log_prob[:, i].any()
            continue
        sigma = a * math.sqrt(s / (1 - (after if s == 1 else s)))
        score = -(z + (1 - s) * v) / s  # of the marginal at s: what the Langevin term follows
        mean = z + (s - after) * (-v + 0.5 * sigma**2 * score)
        each = Normal(mean, sigma * math.sqrt(s - after)).log_prob(found.chain[i + 1])
        torch.testing.assert_close(found.log_prob[:, i], each[:, counted].sum(1), atol=1e-5, rtol=1e-9)
        euler = z + (after - s) * v
        torch.testing.assert_close(found.chain[i + 1][:, ~counted], euler[:, ~counted])  # what is not counted
    torch.testing.assert_close(sampler.log_prob(make_velocity(), found), found.log_prob, atol=1e-5, rtol=0)


def test_the_gradient_of_the_likelihood_is_that_of_finite_differences() -> None:
    chain = sampler.sample(make_velocity(), make_noise(), flow.build_schedule(4, 1.0), 0.5, flow.seed_rows(0, 3))
    gain = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(sampler.log_prob(make_velocity(gain), chain).sum(), gain)
    up, down = (sampler.log_prob(make_velocity(0.7 + h), chain).sum() for h in (1e-5, -1e-5))
    assert slope.item() == pytest.approx(((up - down) / 2e-5).item(), rel=1e-6)


def test_the_expected_score_is_zero() -> None:
    """E[d log p / d theta] = 0 under the sampling distribution: chain, likelihood and noise fit each other."""
    gain = torch.full((4000, 1, 1), 0.7, dtype=torch.float64, requires_grad=True)
    chain = sampler.sample(
        make_velocity(), make_noise(1, (4000, 2, 2)), flow.build_schedule(4, 1.0), 0.5, flow.seed_rows(7, 4000)
    )
    (score,) = torch.autograd.grad(sampler.log_prob(make_velocity(gain), chain).sum(), gain)
    assert abs(score.mean()) < 4 * score.std() / math.sqrt(len(score))


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("scale", [0.0, 0.3, 0.7])
def test_the_sde_keeps_the_marginals_of_the_ode(scale: float, counted: bool) -> None:
    """Of Gaussian data N(1, 0.5^2) the velocity is known: any noise scale leads to the same distribution."""
    mean, std = 1.0, 0.5

    def velocity(z: Tensor, s: float) -> Tensor:
        variance = (1 - s) ** 2 * std**2 + s**2
        away = z - (1 - s) * mean
        return s / variance * away - (mean + (1 - s) * std**2 / variance * away)  # E[noise | z] - E[data | z]

    found = sampler.sample(
        velocity, make_noise(2, (4000, 1, 1)), flow.build_schedule(60, 1.0), scale, flow.seed_rows(3, 4000),
        torch.tensor([[counted]]),
    ).actions  # fmt: skip
    assert found.mean().item() == pytest.approx(mean, abs=0.04)
    assert found.std().item() == pytest.approx(std, abs=0.04)


def test_noise_scales_that_do_not_fit_the_steps_are_refused() -> None:
    with pytest.raises(AssertionError, match="2 noise scales for 4 steps"):
        sampler.sample(make_velocity(), make_noise(), flow.build_schedule(4, 1.0), [0.1, 0.2])
