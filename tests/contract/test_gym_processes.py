"""Environments are pickled, run in other processes, and have their scenes prepared there."""

from __future__ import annotations

import dataclasses
import json
import pickle

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AsyncVectorEnv
from vectors import FAST, HOME, equal_trees, vector

import sim
from sim.envs.gym import TaskEnv
from sim.envs.scene_queue import SceneQueue
from sim.envs.settle import SceneFailure, SettledScene, settle_scenes


def test_spaces_specs_and_environments_are_pickled() -> None:
    options = {**FAST, "control": "ee_delta", "normalized": True, "max_episode_steps": 5}
    env = TaskEnv("click_bell", **options, privileged=True, depth=True)
    for space in (env.observation_space, env.action_space):
        assert pickle.loads(pickle.dumps(space)) == space
    again = pickle.loads(pickle.dumps(env))
    equal_trees(again.reset(seed=3)[0], env.reset(seed=3)[0])
    assert again.max_episode_steps == 5 and again.env.controller.mode == "ee_delta"
    env.close()
    again.close()
    made = gymnasium.make("aim/ClickBell-v0", **options)
    for spec in (pickle.loads(pickle.dumps(made.spec)), EnvSpec.from_json(made.spec.to_json())):
        assert spec.kwargs["control"] == "ee_delta" and gymnasium.make(spec).spec.max_episode_steps == 5
    many = gymnasium.make_vec("aim/ClickBell-v0", 3, **options)
    assert json.loads(many.spec.to_json())["kwargs"]["num_envs"] == 3
    assert gymnasium.make_vec(many.spec).num_envs == 3
    made.close()
    many.close()


@pytest.mark.slow
def test_worlds_in_spawned_processes_are_the_same_worlds() -> None:
    make = cloudpickle.loads(cloudpickle.dumps(lambda: TaskEnv("click_bell", **FAST, max_episode_steps=3)))
    worlds = AsyncVectorEnv([make] * 2, context="spawn")
    with vector(max_episode_steps=3) as envs:
        equal_trees(worlds.reset(seed=3), envs.reset(seed=3))
        for _ in range(5):
            for one, other in zip(worlds.step(np.tile(HOME, (2, 1))), envs.step(np.tile(HOME, (2, 1))), strict=True):
                equal_trees(one, other)
    worlds.close()


@pytest.mark.parametrize("variation", ["clean", "random"])
@pytest.mark.parametrize("task", ["click_bell", "open_laptop"])
def test_scenes_of_workers_are_scenes_of_this_process_to_the_bit(task: str, variation: str) -> None:
    env = sim.make(task, robot="panda", n=2, cameras=(), variation=variation)
    queue = SceneQueue(env, 1)
    queue.prefetch([5, 6])
    settled = settle_scenes(env.world, {0: 5, 1: 6}, variation)
    prepared = queue.take({0: 5, 1: 6, 2: 7})
    queue.close()
    assert prepared.keys() == settled.keys()
    for i, scene in settled.items():
        equal_trees(dataclasses.asdict(without_model(prepared[i])), dataclasses.asdict(without_model(scene)))
    runs = []
    for scenes in (None, prepared):
        env.reset([5, 6], scenes=scenes)
        env.step(np.tile(np.array(env.robot.home_action) + 0.1, (2, 25, 1)))
        runs.append([(snapshot.physics, snapshot.contacts) for snapshot in env.world.save().values()])
    for (physics, contacts), (other_physics, other_contacts) in zip(*runs, strict=True):
        np.testing.assert_array_equal(physics, other_physics)
        np.testing.assert_array_equal(contacts, other_contacts)
    env.close()


def without_model(scene: SettledScene | SceneFailure) -> SettledScene:
    """Return a settled scene without what the engine made of it."""
    assert isinstance(scene, SettledScene)
    return dataclasses.replace(scene, compiled=None)


def test_what_is_asked_for_by_several_worlds_is_prepared_once() -> None:
    env = sim.make("click_bell", robot="panda", n=2, cameras=())
    queue = SceneQueue(env, 1)
    queue.prefetch([5])
    queue.prefetch([5])
    ready = queue.take({0: 5, 1: 5})
    assert ready[0] is ready[1] and queue.take({0: 5}) == {}
    queue.close()
    env.close()
