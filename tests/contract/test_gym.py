"""The Gymnasium faces keep Gymnasium's own contract, and a vector is its worlds."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from vectors import FAST, HOME, equal_trees, robot_for, vector

import sim
from sim import robots, tasks
from sim.envs.control import CONTROL_MODES
from sim.envs.gym import SeedStream, TaskEnv, env_id
from sim.expert.policy import ExpertPolicy
from sim.types import UserError

SOME = ("click_bell", "stack_blocks_two", "handover_block")
EVERY = [pytest.param(name, marks=() if name in SOME else pytest.mark.slow) for name in tasks.list_tasks()]


@pytest.mark.filterwarnings("ignore:.*symmetric and normalized space.*")  # radians are what a robot understands
@pytest.mark.filterwarnings("ignore:.*Box observation space (minimum|maximum) value is -?inf.*")
@pytest.mark.parametrize("task", EVERY)
def test_single_passes_the_checker(task: str) -> None:
    env = gymnasium.make(env_id(task), robot=robot_for(task), size=(16, 16))
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


@pytest.mark.filterwarnings("ignore:.*symmetric and normalized space.*")
@pytest.mark.filterwarnings("ignore:.*Box observation space (minimum|maximum) value is -?inf.*")
@pytest.mark.parametrize("options", [
    *({"control": mode, "normalized": scaled} for mode in CONTROL_MODES for scaled in (False, True)),
    {"privileged": True, "reward": "dense"}, {"cameras": ("head",), "depth": True, "size": (16, 24)},
    {"action_repeat": 5},
], ids=str)  # fmt: skip
def test_single_passes_the_checker_with_options(options: dict[str, Any]) -> None:
    env = TaskEnv("click_bell", **{**FAST, **options})
    check_env(env, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("task", EVERY)
def test_two_random_scenes_step_together(task: str) -> None:
    with vector(task=task, robot=robot_for(task), cameras=None, size=(16, 16), variation="random") as envs:
        seen, info = envs.reset(seed=3)
        assert seen in envs.observation_space and len(info["instruction"]) == 2
        envs.action_space.seed(0)
        for _ in range(3):
            after, reward, terminated, truncated, _ = envs.step(envs.action_space.sample())
            assert after in envs.observation_space
            assert reward.shape == terminated.shape == truncated.shape == (2,)
        assert any((after[key] != seen[key]).any() for key in seen)


def test_no_cameras_are_none_and_all_is_the_default() -> None:
    with vector(cameras=()) as envs:
        assert set(envs.single_observation_space.spaces) == {"state"}
    env = TaskEnv("click_bell", "panda", (16, 16))
    assert set(env.observation_space.spaces) == {*robots.load_robot("panda").camera_names, "state"}
    with pytest.raises(UserError, match="unknown camera 'tail'; valid: head"):
        TaskEnv("click_bell", "panda", cameras=("tail",))


def test_the_variation_is_that_of_the_scene() -> None:
    seen = {}
    for variation in ("clean", "random", "random-eval"):
        env = gymnasium.make("aim/ClickBell-v0", robot="panda", size=(16, 16), variation=variation)
        seen[variation], _ = env.reset(seed=4)
        env.close()
    assert len({observation["head"].tobytes() for observation in seen.values()}) == 3
    with pytest.raises(UserError, match="unknown variation 'wild'; valid: clean, random, random-eval"):
        gymnasium.make("aim/ClickBell-v0", variation="wild")


def test_every_task_has_an_id() -> None:
    assert {env_id(name) for name in tasks.list_tasks()} <= set(gymnasium.registry)


# a vector is its worlds


SYNC_SEEDS = [11, [3, None, 8]]


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP], ids=str)
def test_a_vector_equals_its_worlds_one_by_one(mode: AutoresetMode, workers: int) -> None:
    options = {"max_episode_steps": 4, "privileged": True, "reward": "dense", "control": "ee_delta", "normalized": True}
    worlds = SyncVectorEnv([lambda: TaskEnv("click_bell", **FAST, **options)] * 3, autoreset_mode=mode)
    with vector(3, **options, autoreset_mode=mode, scene_workers=workers) as envs:
        envs.action_space.seed(0)
        scenes: set[int] = set()
        # reset(None) must go on where the streams stand, which a vector with workers has looked ahead in
        for seed in (11, [3, None, 8], None):
            observation, infos = envs.reset(seed=seed)
            expected, expected_infos = worlds.reset(seed=seed)
            equal_trees(observation, expected)
            equal_trees(infos, expected_infos)
            for _ in range(11):
                action = envs.action_space.sample()
                results, expected_results = envs.step(action), worlds.step(action)
                for one, other in zip(results, expected_results, strict=True):
                    equal_trees(one, other)
                scenes |= set(results[4]["scene"].tolist())
        assert len(scenes) >= 3 * 3 * 2  # several automatic resets in each world
    worlds.close()


def test_a_partial_reset_equals_that_of_gymnasiums_vector() -> None:
    mode = AutoresetMode.DISABLED
    worlds = SyncVectorEnv([lambda: TaskEnv("click_bell", **FAST, max_episode_steps=6)] * 3, autoreset_mode=mode)
    mask = np.array([True, False, True])
    with vector(3, max_episode_steps=6, autoreset_mode=mode) as envs:
        equal_trees(envs.reset(seed=5), worlds.reset(seed=5))
        for seed in (None, [1, 2, 3]):
            for _ in range(2):
                equal_trees(envs.step(np.tile(HOME, (3, 1)))[0], worlds.step(np.tile(HOME, (3, 1)))[0])
            one = envs.reset(seed=seed, options={"reset_mask": mask})
            other = worlds.reset(seed=seed, options={"reset_mask": mask.copy()})
            equal_trees(one[0], other[0])
            equal_trees(one[1], other[1])
        assert envs.env.steps.tolist() == [0, 4, 0]
    worlds.close()


def test_without_automatic_resets_an_ended_world_stands_still() -> None:
    with vector(max_episode_steps=2, autoreset_mode="Disabled") as envs:
        envs.reset(seed=0)
        for _ in range(2):
            observation, _, _, truncated, infos = envs.step(np.tile(HOME, (2, 1)))
        assert truncated.all()
        again, reward, _, truncated, later = envs.step(np.tile(HOME * 0, (2, 1)))
        assert truncated.all() and not reward.any()
        equal_trees(again, observation)
        equal_trees(later, infos)
        envs.reset(options={"reset_mask": np.array([False, True])})
        _, _, _, truncated, _ = envs.step(np.tile(HOME, (2, 1)))
        assert truncated.tolist() == [True, False]


def test_a_world_that_ended_starts_anew_while_others_go_on() -> None:
    with vector(max_episode_steps=3) as envs:
        _, infos = envs.reset(seed=0)
        envs.step(np.tile(HOME, (2, 1)))
        envs.reset(options={"reset_mask": np.array([True, False])})
        for _ in range(2):
            _, _, _, truncated, infos = envs.step(np.tile(HOME, (2, 1)))
        scenes = infos["scene"]
        assert truncated.tolist() == [False, True]
        _, reward, _, truncated, infos = envs.step(np.tile(HOME, (2, 1)))
        assert truncated.tolist() == [True, False] and not reward.any()
        assert (infos["scene"] == scenes).tolist() == [True, False]


@pytest.mark.parametrize("mask", [None, np.array([True, False])], ids=["all", "some"])
def test_a_world_that_was_reset_by_hand_is_not_reset_again(mask: np.ndarray | None) -> None:
    with vector(max_episode_steps=2) as envs:
        envs.reset(seed=0)
        for _ in range(2):
            _, _, _, truncated, _ = envs.step(np.tile(HOME, (2, 1)))
        assert truncated.all()
        envs.reset(seed=[7, 8], options=None if mask is None else {"reset_mask": mask})
        *_, infos = envs.step(np.tile(HOME, (2, 1)))
        assert infos["scene"][0] == 7 and envs.env.steps.tolist() == [1, 1 if mask is None else 0]


# seeds


@pytest.mark.parametrize(("seed", "scenes"), [
    (7, [7, 8]), (np.int64(7), [7, 8]), (np.array(7), [7, 8]), ([7, 9], [7, 9]), ((7, 9), [7, 9]),
    (np.array([7, 9]), [7, 9]), ([np.int32(7), 9], [7, 9]),
], ids=repr)  # fmt: skip
def test_seeds_in_any_form_are_scenes(seed: Any, scenes: list[int]) -> None:  # noqa: ANN401
    with vector() as envs:
        _, infos = envs.reset(seed=seed)
        assert infos["scene"].tolist() == scenes


@pytest.mark.parametrize(("seed", "message"), [
    ([1], "1 seeds for 2 worlds; give one seed, or one a world"),
    ([1, 2, 3], "3 seeds for 2 worlds"),
    (-1, "seed -1 is not valid; valid: whole numbers from 0, or None"),
    ([1, 2.5], "seed 2.5 is not valid"), ("ab", "seed 'a' is not valid"), ([True, False], "seed True is not valid"),
], ids=repr)  # fmt: skip
def test_other_seeds_are_refused(seed: Any, message: str) -> None:  # noqa: ANN401
    with vector() as envs:
        envs.reset(seed=0)
        with pytest.raises(UserError) as caught:
            envs.reset(seed=seed)
        assert message in str(caught.value) and "\n" not in str(caught.value)
        assert envs.env.seeds == (0, 1)


@pytest.mark.parametrize("seed", [3, [3, 4], [None, 4]])
def test_seeds_decide_the_scenes_after_every_reset(seed: Any) -> None:  # noqa: ANN401
    runs = []
    for _ in range(2):
        with vector(max_episode_steps=1) as envs:
            envs.reset(seed=5)
            envs.reset(seed=seed)
            runs.append([envs.step(np.tile(HOME, (2, 1)))[4]["scene"].tolist() for _ in range(4)])
    assert runs[0] == runs[1] and len({row[1] for row in runs[0]}) == 3


def test_a_seed_stream_looks_ahead_without_moving() -> None:
    one, other = SeedStream(4), SeedStream(4)
    assert [one.take() for _ in range(3)] == [(other.peek(), other.take())[1] for _ in range(3)]
    assert SeedStream(4).peek() == 4 and SeedStream().peek() != SeedStream().peek()


def test_a_seed_of_a_world_that_goes_on_is_not_taken() -> None:
    some, other = ({"reset_mask": np.array(mask)} for mask in ([True, False], [False, True]))
    scenes = []
    for given in (None, [7, 8]):
        with vector() as envs:
            envs.reset(seed=5)
            envs.reset(seed=given, options=some)
            scenes.append(envs.reset(options=other)[1]["scene"].tolist()[1])
    assert scenes[0] == scenes[1]


# episodes


def test_an_episode_ends_after_its_steps_alike_in_every_wrapper() -> None:
    own = TaskEnv("click_bell", **FAST, max_episode_steps=3)
    wrapped = gymnasium.make("aim/ClickBell-v0", **FAST, max_episode_steps=3)
    assert isinstance(wrapped, TimeLimit) and own.max_episode_steps == 3
    assert TaskEnv("click_bell", **FAST).max_episode_steps == tasks.load_task("click_bell").horizon
    for env in (own, wrapped):
        env.reset(seed=0)
        assert [env.step(HOME)[3] for _ in range(3)] == [False, False, True]
    many = gymnasium.make_vec("aim/ClickBell-v0", 2, **FAST, max_episode_steps=3)
    many.reset(seed=0)
    assert [bool(many.step(np.tile(HOME, (2, 1)))[3].all()) for _ in range(3)] == [False, False, True]
    many.close()


def test_an_action_is_held_as_often_as_asked_for() -> None:
    once = TaskEnv("click_bell", **FAST, reward="dense")
    repeated = TaskEnv("click_bell", **FAST, reward="dense", action_repeat=4)
    for env in (once, repeated):
        env.reset(seed=0)
    action = HOME + np.array([0.2, 0.1, 0, 0, 0, 0, 0, -1], np.float32)
    singles = [once.step(action) for _ in range(4)]
    observation, reward, *_ = repeated.step(action)
    equal_trees(observation, singles[-1][0])
    assert reward == pytest.approx(sum(single[1] for single in singles)) and reward != 0
    assert repeated.max_episode_steps == once.max_episode_steps / 4
    assert repeated.metadata["render_fps"] == once.metadata["render_fps"] / 4


def test_success_ends_the_episode_and_is_told() -> None:
    env = TaskEnv("click_bell", **FAST)
    _, info = env.reset(seed=0)
    assert info["is_success"] is np.False_ or not info["is_success"]
    expert, terminated, total = ExpertPolicy(env.env), False, 0.0
    while not terminated:
        _, reward, terminated, truncated, info = env.step(expert.act().actions[0, 0])
        total += reward
        assert not truncated
    assert info["is_success"] and info["success"] and info["predicates"].all() and total == 1.0
    env.close()


def test_pictures_are_drawn_where_asked_for() -> None:
    env = TaskEnv("click_bell", **FAST, render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape == (240, 320, 3) and env.render().std() > 5
    env.close()
    with vector(render_mode="rgb_array") as envs:
        envs.reset(seed=0)
        frames = envs.render()
        assert len(frames) == 2 and not np.array_equal(*frames)
    plain = TaskEnv("click_bell", **FAST)
    plain.reset(seed=0)
    assert plain.render() is None
    plain.close()


# making environments


def test_make_takes_names_and_values_and_refuses_others() -> None:
    env = sim.make("click_bell", robot="panda", n=3, cameras=())
    env.reset([0, 1, 2])
    assert env.n == 3 and env.robot is robots.load_robot("panda")
    own = sim.make(tasks.load_task("click_bell"), robot=robots.load_robot("panda"), cameras=())
    assert own.task == env.task
    envs = sim.make_vec("click_bell", 2, robot="panda", cameras=())
    assert envs.reset(seed=0)[0]["state"].shape == (2, 8)
    for one in (env, own, envs):
        one.close()
    with pytest.raises(UserError, match="did you mean 'click_bell'"):
        sim.make("click_bel")


def test_importing_sim_loads_no_engine() -> None:
    check = "import sys, sim; assert not {'mujoco', 'gymnasium', 'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
