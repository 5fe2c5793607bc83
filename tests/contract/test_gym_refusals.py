"""What the Gymnasium faces refuse, and seeds that have no scene."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import OrderEnforcing
from vectors import FAST, HOME, equal_trees, vector

from sim import tasks
from sim.envs.control import CONTROL_MODES
from sim.envs.gym import TaskEnv, TaskVectorEnv
from sim.task.spec import Predicate, Task
from sim.types import ResetNeeded, UserError


@pytest.mark.parametrize("make", [TaskEnv, partial(TaskVectorEnv, 2)])
def test_unknown_reset_options_are_refused(make: Callable[..., gymnasium.Env]) -> None:
    env = make(task="click_bell", **FAST)
    with pytest.raises(UserError, match=r"^unknown reset option 'variation'; valid: (none|reset_mask)$"):
        env.reset(options={"variation": "random"})
    env.reset(seed=0, options={})
    env.close()


@pytest.mark.parametrize("mask", [[True], np.array([1, 0]), np.array([False, False]), "x"], ids=repr)
def test_a_reset_mask_must_fit(mask: Any) -> None:  # noqa: ANN401
    with vector() as envs:
        envs.reset(seed=0)
        with pytest.raises(UserError, match="reset_mask must hold 2 truth values, at least one of them true"):
            envs.reset(options={"reset_mask": mask})


def test_the_first_reset_must_start_all_worlds() -> None:
    with vector() as envs, pytest.raises(ResetNeeded, match="the first reset must start all worlds"):
        envs.reset(seed=0, options={"reset_mask": np.array([True, False])})


@pytest.mark.parametrize(("options", "message"), [
    ({"render_mode": "human"}, "unknown render mode 'human'; valid: rgb_array"),
    ({"control": "torque"}, "unknown control mode 'torque'; valid: joint_position, joint_delta, ee_delta"),
    ({"reward": "shaped"}, "unknown reward 'shaped'; did you mean 'staged'? valid: sparse, staged, dense"),
    ({"max_episode_steps": 0}, "max_episode_steps is 0; valid: 1 and more"),
    ({"action_repeat": 0}, "action_repeat is 0; valid: 1 and more"),
    ({"robot": "pandas"}, "unknown robot 'pandas'; did you mean 'panda'"),
])  # fmt: skip
def test_options_that_are_not_valid_are_refused(options: dict[str, Any], message: str) -> None:
    for make in (lambda **o: TaskEnv("click_bell", **o), lambda **o: TaskVectorEnv(2, "click_bell", **o)):
        with pytest.raises(UserError) as caught:
            make(**{**FAST, **options})
        assert message in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_autoreset_mode_is_refused() -> None:
    with pytest.raises(UserError, match="unknown autoreset mode 'Never'; valid: NextStep, SameStep, Disabled"):
        TaskVectorEnv(2, "click_bell", **FAST, autoreset_mode="Never")


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mode", CONTROL_MODES)
def test_a_number_that_is_none_is_refused_by_the_name_of_its_joint(mode: str, number: float) -> None:
    env = TaskEnv("click_bell", **FAST, control=mode)
    env.reset(seed=0)
    before = env.env.world.state().proprio.copy()
    for entry, name in enumerate(env.env.controller.names):
        action = env.action_space.low.copy()
        action[entry] = number
        with pytest.raises(UserError, match=f"action of {name} is {number}.*must be finite"):
            env.step(action)
    np.testing.assert_array_equal(env.env.world.state().proprio, before)
    assert env.env.steps.tolist() == [0]
    env.close()


@pytest.mark.parametrize("action", [0.1, [0.1], HOME[None], np.r_[HOME, 0.0]], ids=lambda a: str(np.shape(a)))
def test_an_action_of_another_shape_is_refused(action: Any) -> None:  # noqa: ANN401
    env = TaskEnv("click_bell", **FAST)
    env.reset(seed=0)
    with pytest.raises(UserError, match=r"^the action has shape \(.*\); valid: \(8,\)$"):
        env.step(action)
    env.close()
    with vector() as envs:
        envs.reset(seed=0)
        with pytest.raises(UserError, match=r"^the action has shape \(.*\); valid: \(2, 8\)$"):
            envs.step(np.asarray(action)[None])


def test_steps_and_pictures_before_the_first_reset_are_refused() -> None:
    env = TaskEnv("click_bell", **FAST, render_mode="rgb_array")
    with vector(render_mode="rgb_array") as envs:
        for call in (lambda: env.step(HOME), env.render, lambda: envs.step(np.tile(HOME, (2, 1))), envs.render):
            for kind in (ResetNeeded, gymnasium.error.ResetNeeded):
                with pytest.raises(kind, match="reset the environment before"):
                    call()
        for call in (env.env.observe, env.env.snapshot, lambda: env.env.render_camera("head", (8, 8))):
            with pytest.raises(ResetNeeded, match="reset the environment before"):
                call()
    with pytest.raises(gymnasium.error.ResetNeeded):
        OrderEnforcing(env).step(HOME)
    env.close()


def respawned(task: str, **rules: Any) -> Task:  # noqa: ANN401
    """Return a task whose first object has other spawn rules."""
    sound = tasks.load_task(task)
    first, *others = sound.objects
    other = dataclasses.replace(first, spawn=dataclasses.replace(first.spawn, **rules))
    return dataclasses.replace(sound, objects=(other, *others))


NO_ROOM = respawned("click_bell", clear=((0.0, 0.0, 9.0),))
SOLVED = dataclasses.replace(tasks.load_task("click_bell"), success=(Predicate("gripper_open", {"arm": "a"}),))
TILTED = respawned("move_pillbottle_pad", tilt=(0.4, 0.0, 0.0), z=0.05)


@pytest.mark.parametrize(("task", "reason"), [
    (NO_ROOM, "its spawn regions leave no room"), (SOLVED, "it is solved before anyone acts"), (TILTED, "tips over"),
])  # fmt: skip
def test_a_seed_without_a_scene_is_an_episode_that_failed(task: Task, reason: str) -> None:
    env = TaskEnv(task, robot="panda", cameras=("head",), size=(16, 16), privileged=True)
    observation, info = env.reset(seed=0)
    assert observation in env.observation_space and not any(values.any() for values in observation.values())
    assert reason in info["failure"] and info["instruction"] == ""
    observation, reward, terminated, truncated, info = env.step(HOME)
    assert observation in env.observation_space and reason in info["failure"]
    assert (reward, terminated, truncated, info["is_success"]) == (0.0, False, True, False)
    env.close()


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=str)
def test_a_vector_goes_on_past_seeds_without_a_scene(mode: AutoresetMode, workers: int) -> None:
    worlds = SyncVectorEnv([lambda: TaskEnv(SOLVED, **FAST)] * 2, autoreset_mode=mode)
    with vector(task=SOLVED, autoreset_mode=mode, scene_workers=workers) as envs:
        for one, other in zip(envs.reset(seed=3), worlds.reset(seed=3), strict=True):
            equal_trees(one, other)
        for _ in range(4):
            action = np.tile(HOME, (2, 1))
            for one, other in zip(envs.step(action), worlds.step(action), strict=True):
                equal_trees(one, other)
    worlds.close()
