"""Laws of flow matching: end points, the exact walk, and agreement with diffusers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st

from aim.model import flow


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_level_zero_is_the_data_and_level_one_the_noise() -> None:
    data, noise = torch.randn(2, 3, 5, generator=seeded()), torch.randn(2, 3, 5, generator=seeded(1))
    mixed = flow.interpolate(data, noise, torch.tensor([0.0, 1.0, 0.25])[:2])
    assert torch.equal(mixed[0], data[0])
    assert torch.equal(mixed[1], noise[1])
    half = flow.interpolate(data, noise, torch.tensor([0.25, 0.25]))
    torch.testing.assert_close(half, 0.75 * data + 0.25 * noise)


def test_the_target_is_the_derivative_of_the_path() -> None:
    data, noise = torch.randn(4, 6, generator=seeded()).double(), torch.randn(4, 6, generator=seeded(1)).double()
    s = torch.rand(4, generator=seeded(2)).double()
    slope = (flow.interpolate(data, noise, s + 1e-4) - flow.interpolate(data, noise, s - 1e-4)) / 2e-4
    torch.testing.assert_close(slope, flow.velocity_target(data, noise), atol=1e-8, rtol=0)


@given(steps=st.integers(1, 30), shift=st.floats(0.5, 12.0))
def test_the_true_velocity_leads_from_noise_to_data(steps: int, shift: float) -> None:
    data, noise = torch.randn(2, 7, generator=seeded()).double(), torch.randn(2, 7, generator=seeded(1)).double()
    found = flow.integrate_euler(
        noise, flow.build_schedule(steps, shift), lambda z, s: flow.velocity_target(data, noise)
    )
    torch.testing.assert_close(found, data)


@given(steps=st.integers(1, 50), shift=st.floats(0.5, 12.0))
def test_a_schedule_falls_from_one_to_zero(steps: int, shift: float) -> None:
    levels = flow.build_schedule(steps, shift)
    assert len(levels) == steps + 1
    assert (levels[0], levels[-1]) == (1.0, 0.0)
    assert all(after < before for before, after in pairwise(levels))


@pytest.mark.parametrize("shift", [1.0, 5.0])
@pytest.mark.parametrize("steps", [1, 4, 20])
def test_schedule_and_steps_are_those_of_diffusers(steps: int, shift: float) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / steps, steps).tolist())
    levels = flow.build_schedule(steps, shift)
    torch.testing.assert_close(torch.tensor(levels), scheduler.sigmas, atol=1e-6, rtol=0)

    def velocity(z: torch.Tensor, s: float) -> torch.Tensor:
        return torch.sin(3 * z) + s

    theirs = noise = torch.randn(2, 9, generator=seeded())
    for moment, s in zip(scheduler.timesteps, levels[:-1], strict=True):
        theirs = scheduler.step(velocity(theirs, s), moment, theirs, return_dict=False)[0]
    torch.testing.assert_close(flow.integrate_euler(noise, levels, velocity), theirs, atol=1e-5, rtol=1e-5)


def test_the_training_path_is_that_of_diffusers() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
    data, noise = torch.randn(3, 8, generator=seeded()), torch.randn(3, 8, generator=seeded(1))
    moments = scheduler.timesteps[[10, 400, 900]]
    theirs = scheduler.scale_noise(data, moments, noise)
    torch.testing.assert_close(flow.interpolate(data, noise, moments / 1000), theirs, atol=1e-6, rtol=1e-5)


def test_the_weight_is_the_bell_over_a_thousand_steps() -> None:
    t = torch.tensor([0.0, 250.0, 500.0, 1000.0])
    torch.testing.assert_close(flow.timestep_weight(t / 1000), torch.exp(-2 * ((t - 500) / 1000) ** 2))


def test_the_loss_is_zero_at_the_target_and_weighted_elsewhere() -> None:
    data, noise, s = torch.ones(2, 3), torch.zeros(2, 3), torch.tensor([0.5, 1.0])
    assert flow.flow_matching_loss(flow.velocity_target(data, noise), data, noise, s).eq(0).all()
    torch.testing.assert_close(
        flow.flow_matching_loss(torch.zeros(2, 3), data, noise, s)[:, 0], flow.timestep_weight(s)
    )


def test_a_way_to_data_is_the_velocity_that_was_to_be_predicted() -> None:
    data, noise = torch.randn(2, 3, generator=seeded()), torch.randn(2, 3, generator=seeded(1))
    s = torch.tensor([0.2, 1.0])
    z = flow.interpolate(data, noise, s)
    torch.testing.assert_close(
        flow.velocity_from_data(data, z, s), flow.velocity_target(data, noise), atol=1e-5, rtol=1e-5
    )
    assert flow.velocity_from_data(data, data, torch.zeros(2)).isfinite().all()


def test_levels_may_stand_for_more_than_rows() -> None:
    data, noise = torch.randn(2, 3, 5, generator=seeded()), torch.randn(2, 3, 5, generator=seeded(1))
    s = torch.rand(2, 3, generator=seeded(2))
    mixed = flow.interpolate(data, noise, s)
    for row in range(2):
        torch.testing.assert_close(mixed[row], flow.interpolate(data[row], noise[row], s[row]))


def test_a_row_draws_the_same_whatever_stands_beside_it() -> None:
    torch.manual_seed(1)
    five = flow.seed_rows(7, 5)
    first = five.gaussian(torch.empty(5, 3)), five.uniform(torch.empty(5), 2)
    torch.manual_seed(2)
    two = flow.RowNoise(flow.seed_rows(7, 5).generators[3:])
    again = two.gaussian(torch.empty(2, 3)), two.uniform(torch.empty(2), 2)
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one[3:], other)
        assert len({tuple(row.tolist()) for row in one}) == 5


def test_no_two_rows_of_any_seeds_draw_the_same() -> None:
    drawn = [row for seed in range(5) for row in flow.seed_rows(seed, 6).gaussian(torch.empty(6, 3)).tolist()]
    assert len({tuple(row) for row in drawn}) == 5 * 6
