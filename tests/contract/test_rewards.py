"""Doing nothing or going in circles earns nothing; that rewards climb along the solution is in `test_tasks.py`."""

from __future__ import annotations

import numpy as np
import pytest

import sim
from sim import tasks
from sim.envs.env import Env
from sim.expert.policy import ExpertPolicy
from sim.task.progress import PlanProgress
from sim.task.rewards import REWARD_SETS, RewardTerm
from sim.types import UserError

SOME = ("click_bell", "open_laptop", "stack_blocks_two")
EVERY = [pytest.param(name, marks=() if name in SOME else pytest.mark.slow) for name in tasks.list_tasks()]
IDLE_STEPS = 25


def make_env(task: str, reward: str | tuple[RewardTerm, ...], n: int = 1) -> Env:
    """Return worlds without pictures of a robot with two arms."""
    return sim.make(task, robot="aloha", n=n, cameras=(), reward=reward)


def home(env: Env, steps: int) -> np.ndarray:
    """Return actions (n k d) that hold the robot where it starts."""
    return np.tile(np.array(env.robot.home_action), (env.n, steps, 1))


@pytest.mark.parametrize("reward", REWARD_SETS)
@pytest.mark.parametrize("task", EVERY)
def test_every_reward_is_finite_and_idling_earns_nothing(task: str, reward: str) -> None:
    env = make_env(task, reward, n=2)
    env.reset([0, 1])
    result = env.step(home(env, IDLE_STEPS))
    assert np.isfinite(result.reward).all() and result.reward.shape == (2, IDLE_STEPS)
    assert np.abs(result.reward.sum(axis=1)).max() < 0.02
    assert (result.info["progress"] <= 0.5).all() if env.tracks_progress else np.isnan(result.info["progress"]).all()
    env.close()


@pytest.mark.parametrize("task", ["click_bell", "place_empty_cup"])
def test_a_loop_of_states_earns_nothing(task: str) -> None:
    env = make_env(task, "dense")
    env.reset([0])
    rng, start = np.random.default_rng(0), home(env, 1)
    away = start + rng.uniform(-0.4, 0.4, start.shape)
    out = np.linspace(start[:, 0], away[:, 0], 40, axis=1)
    there = env.step(np.concatenate([out, np.repeat(away, 20, axis=1)], axis=1)).reward
    back = env.step(np.concatenate([out[:, ::-1], np.repeat(start, 60, axis=1)], axis=1)).reward
    assert np.abs(there).max() > 1e-4, "the way there changes the potential"
    assert abs(there.sum() + back.sum()) < 2e-3
    env.close()


def test_staged_pays_for_each_stage_once() -> None:
    env = make_env("stack_blocks_two", "staged")
    env.reset([0])
    expert, rewards = ExpertPolicy(env), []
    while not (env.done | expert.finished).all():
        rewards.append(float(env.step(expert.act().actions).reward[0, 0]))
    stages = len(PlanProgress(env.task).stages)
    paid = [reward for reward in rewards if reward]  # the last of them is the success, perhaps with a stage
    assert all(reward == pytest.approx(1 / (stages + 1)) for reward in paid[:-1]) and len(paid) <= stages + 1
    assert rewards[-1] >= 1.0
    assert sum(rewards) == pytest.approx(1 + (len(paid) - (rewards[-1] == 1.0)) / (stages + 1))
    env.close()


def test_a_predicate_can_be_a_term_by_value_or_by_change() -> None:
    args = {"arm": "a", "point": "bell.top", "distance": 0.05}
    results = {}
    for mode in ("value", "change"):
        env = make_env("click_bell", (RewardTerm("tool_near", 2.0, args, mode),))
        env.reset([0])
        results[mode] = env.step(home(env, 5)).reward[0]
        env.close()
    assert (results["value"] > 0).all() and (results["value"] < 2).all()
    np.testing.assert_allclose(results["change"][1:], np.diff(results["value"]), atol=1e-12)


def test_unknown_rewards_and_terms_are_refused() -> None:
    with pytest.raises(UserError, match="unknown reward 'shaped'; did you mean 'staged'"):
        make_env("click_bell", "shaped")
    with pytest.raises(UserError, match="unknown reward term 'pressd'; did you mean 'pressed'"):
        make_env("click_bell", (RewardTerm("pressd"),))
