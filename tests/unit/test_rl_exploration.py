"""Exploration of Stage II: the noise is what was asked for, and its likelihood and gradient are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from served import make_simulated_policy
from torch import Tensor

from aim.model import flow
from aim.model.verifier import fork_action_expert
from aim.policy import LearnedPolicy
from aim.policy.foresight import Foresight
from aim.policy.smooth_noise import BUMP_SPACING, build_bumps
from aim.rl.exploration import FlowSde, SmoothNoise, StochasticPolicy, check_explorable
from sim.types import Observation, UserError

pytestmark = pytest.mark.usefixtures("one_thread")
EXPLORERS = [SmoothNoise(), FlowSde()]


@pytest.fixture(scope="module")
def policy() -> LearnedPolicy:
    made = make_simulated_policy("panda", video_steps=1, action_steps=4)
    made.model = fork_action_expert(made.model)
    return made


def foresee(policy: LearnedPolicy, rows: int, worlds: tuple[int, ...] = ()) -> Foresight:
    """Foresight of one observation in several worlds, which differ in their noise alone."""
    rng = np.random.default_rng(0)
    images = {name: rng.integers(0, 255, (1, 64, 64, 3), np.uint8).repeat(rows, 0) for name in policy.cameras}
    state = rng.normal(0.0, 0.1, (1, len(policy.state_space))).astype(np.float32).repeat(rows, 0)
    shown = Observation(images, state, ("press the bell",) * rows, np.zeros(rows))
    return policy.foresee(shown, policy.begin_history(rows), worlds)


def find_log_prob(
    policy: LearnedPolicy, explorer: StochasticPolicy, foresight: Foresight, record: dict[str, Tensor]
) -> Tensor:
    cache = foresight.future.cache.select_rows(torch.arange(len(foresight.noise)))
    return explorer.log_prob(policy, cache, record)


def explore(
    policy: LearnedPolicy, explorer: StochasticPolicy, rows: int
) -> tuple[Foresight, Tensor, dict[str, Tensor]]:
    foresight = foresee(policy, rows)
    chunks, record = explorer.explore(policy, foresight)
    return foresight, chunks, {name: torch.from_numpy(each) for name, each in record.items()}


@pytest.mark.parametrize("horizon", [2, 8, 14, 16])
def test_bumps_begin_at_nothing_sum_to_one_and_are_held(horizon: int) -> None:
    bumps = build_bumps(32, horizon)
    assert bumps.shape == (32, max(horizon // BUMP_SPACING, 1))
    assert bumps[0, 0] == pytest.approx(0.5 * (1 - np.cos(np.pi / 4))) and (bumps[0, 1:] == 0).all()  # 0 at t = 0
    assert bumps[:, 0].diff(prepend=torch.zeros(1)).abs().max() < 0.36, "no jump"
    if horizon >= 8:
        between = bumps[BUMP_SPACING - 1 : horizon // BUMP_SPACING * BUMP_SPACING]
        torch.testing.assert_close(between.sum(1), torch.ones(len(between)))
    assert (bumps[horizon - 1 :] == bumps[horizon - 1]).all()
    assert torch.linalg.matrix_rank(bumps[:horizon]) == bumps.shape[1]


@pytest.mark.parametrize("std", [0.03, 0.01])
def test_smooth_noise_is_as_large_as_asked_for_and_moves_joints_alone(policy: LearnedPolicy, std: float) -> None:
    explorer = SmoothNoise(std)
    foresight, chunks, record = explore(policy, explorer, 256)
    own = policy.sample_chunks(foresight)[:, 0]
    joints = np.asarray(policy.transform.joints)
    assert joints.sum() == 7 and torch.equal(chunks[..., ~joints], own[..., ~joints])
    planned, explored = (policy.transform.action_out(each.numpy(), foresight.state) for each in (own, chunks))
    noise = (explored - planned)[..., joints]
    at_centres = noise[:, BUMP_SPACING - 1 : policy.execution_horizon : BUMP_SPACING]
    np.testing.assert_allclose(at_centres.std((0, 1)), std, rtol=0.12)
    np.testing.assert_allclose(noise[:, 0].std(), std * 0.146, rtol=0.1)
    np.testing.assert_allclose(at_centres.mean((0, 1)), 0.0, atol=0.15 * std)
    measured = explorer.measure_noise(policy, {name: each.numpy() for name, each in record.items()})
    executed = noise[:, : policy.execution_horizon]
    assert measured == pytest.approx(np.sqrt(np.square(executed).mean()), rel=1e-3)


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_noise_follows_from_the_world_alone(policy: LearnedPolicy, explorer: StochasticPolicy) -> None:
    together, _ = explorer.explore(policy, foresee(policy, 3, (4, 5, 6)))
    alone, _ = explorer.explore(policy, foresee(policy, 1, (5,)))
    torch.testing.assert_close(together[1], alone[0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_the_likelihood_is_that_of_the_noise_and_changes_with_the_weights(
    policy: LearnedPolicy, explorer: StochasticPolicy
) -> None:
    foresight, _, record = explore(policy, explorer, 6)
    with torch.no_grad():
        before = find_log_prob(policy, explorer, foresight, record)
        again = find_log_prob(policy, explorer, foresight, record)
        torch.testing.assert_close((again - before).exp(), torch.ones(6), atol=1e-5, rtol=0)
        if isinstance(explorer, SmoothNoise):
            own = -0.5 * record["coefficients"].square().sum((1, 2))
            torch.testing.assert_close((before - own).exp(), torch.ones(6), atol=1e-3, rtol=0)
        other = policy.fork(0)
        other.model = fork_action_expert(policy.model)
        for value in other.model.list_action_expert_parameters().values():
            value.add_(0.01)
        assert not torch.allclose(find_log_prob(other, explorer, foresight, record), before, atol=1e-3)


def test_the_sde_step_varies_and_leaves_unexecuted_actions_to_the_ode(policy: LearnedPolicy) -> None:
    foresight, chunks, record = explore(policy, FlowSde(), 24)
    assert set(record["step"].tolist()) == {0, 1, 2}
    own = policy.sample_chunks(foresight)[:, 0]
    assert not torch.allclose(own, chunks, atol=0.01)
    first = torch.nonzero(record["step"] == 0)[:, 0]
    cache, noise, horizon = foresight.future.cache.select_rows(first), foresight.noise[first], policy.execution_horizon
    velocity = policy.model.predict_action_velocity(cache, noise, torch.ones(1)) * policy.valid
    schedule = flow.build_schedule(policy.action_steps, policy.run.model.action_shift)
    off = record["after"][first] - (noise + (schedule[1] - schedule[0]) * velocity)
    torch.testing.assert_close(off[:, horizon:], torch.zeros_like(off[:, horizon:]), atol=1e-4, rtol=0)
    assert off[:, :horizon].abs().mean() > 0.01


def move_weights(policy: LearnedPolicy, direction: list[Tensor], length: float) -> LearnedPolicy:
    """Policy whose action expert is moved along a direction in its weights."""
    moved = policy.fork(0)
    moved.model = fork_action_expert(policy.model)
    for value, way in zip(moved.model.list_action_expert_parameters().values(), direction, strict=True):
        value.add_(length * way)
    return moved


@pytest.mark.parametrize("explorer", EXPLORERS)
def test_the_gradient_is_that_of_finite_differences_and_the_mean_score_is_nothing(
    policy: LearnedPolicy, explorer: StochasticPolicy
) -> None:
    """With E[d log p / d w] = 0 under the policy itself, along the gradient of one row."""
    foresight, _, record = explore(policy, explorer, 192)
    learner = policy.fork(0)
    learner.model = fork_action_expert(policy.model)
    parameters = list(learner.model.list_action_expert_parameters().values())
    for value in parameters:
        value.requires_grad_(True)
    first = find_log_prob(learner, explorer, foresight, record)[0]
    gradient = torch.autograd.grad(first, parameters)
    norm = float(torch.stack([each.square().sum() for each in gradient]).sum().sqrt())
    direction, step = [each / norm for each in gradient], 1e-3
    with torch.no_grad():
        sides = [
            find_log_prob(move_weights(policy, direction, way), explorer, foresight, record) for way in (step, -step)
        ]
    score = (sides[0] - sides[1]) / (2 * step)
    assert float(score[0]) == pytest.approx(norm, rel=0.02) and norm > 0.1
    others = score[1:]
    assert float(others.std()) > 0.1
    assert abs(float(others.mean())) < 3.0 * float(others.std()) / len(others) ** 0.5


def test_a_policy_without_joints_is_not_explored(policy: LearnedPolicy) -> None:
    check_explorable(policy)
    still = policy.fork(0)
    still.transform = replace(policy.transform, action=replace(policy.transform.action, moves=(False,) * 8))
    with pytest.raises(UserError, match="smooth noise explores joint positions"):
        check_explorable(still)
