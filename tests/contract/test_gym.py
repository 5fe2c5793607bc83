"""The Gymnasium face keeps Gymnasium's own contract."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import sim.envs.gym
from sim import robots, tasks
from sim.types import UserError

SOME = ("click_bell", "stack_blocks_two", "handover_block")
EVERY = [pytest.param(name, marks=() if name in SOME else pytest.mark.slow) for name in tasks.list_tasks()]


def robot_for(task: str) -> str:
    """Return the robot with as many arms as the task needs."""
    return "panda" if tasks.load_task(task).arms_needed == 1 else "aloha"


@pytest.mark.filterwarnings("ignore:.*symmetric and normalized space.*")  # radians are what a robot understands
@pytest.mark.filterwarnings("ignore:.*Box observation space (minimum|maximum) value is -?inf.*")
@pytest.mark.parametrize("task", EVERY)
def test_single_passes_the_checker(task: str) -> None:
    env = gymnasium.make(sim.envs.gym.env_id(task), robot=robot_for(task), size=(16, 16))
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("task", EVERY)
def test_two_random_scenes_step_together(task: str) -> None:
    many = gymnasium.make_vec(
        sim.envs.gym.env_id(task),
        num_envs=2,
        vectorization_mode="vector_entry_point",
        robot=robot_for(task),
        size=(16, 16),
        variation="random",
    )
    seen, info = many.reset(seed=3)
    assert seen in many.observation_space and len(info["instruction"]) == 2
    many.action_space.seed(0)
    for _ in range(3):
        after, reward, ended, cut, _ = many.step(many.action_space.sample())
        assert after in many.observation_space
        assert reward.shape == ended.shape == cut.shape == (2,)
    assert any((after[key] != seen[key]).any() for key in seen)
    many.close()


def test_the_variation_is_that_of_the_scene() -> None:
    said = {}
    for variation in ("clean", "random", "random-eval"):
        env = gymnasium.make("aim/ClickBell-v0", robot="panda", size=(16, 16), variation=variation)
        said[variation], _ = env.reset(seed=4)
        env.close()
    pictures = [seen["head"].tobytes() for seen in said.values()]
    assert len(set(pictures)) == 3
    with pytest.raises(UserError, match="unknown variation 'wild'; valid: clean, random, random-eval"):
        gymnasium.make("aim/ClickBell-v0", variation="wild")


def test_every_task_has_an_id() -> None:
    assert {sim.envs.gym.env_id(name) for name in tasks.list_tasks()} <= set(gymnasium.registry)


def test_a_seed_is_a_scene_single_and_vector() -> None:
    single = gymnasium.make("aim/PlaceEmptyCup-v0", robot="panda", size=(32, 32))
    many = gymnasium.make_vec(
        "aim/PlaceEmptyCup-v0", num_envs=2, vectorization_mode="vector_entry_point", robot="panda", size=(32, 32)
    )
    seen, _ = many.reset(seed=5)
    for i in range(2):
        alone, _ = single.reset(seed=5 + i)
        assert all(np.array_equal(seen[key][i], alone[key]) for key in alone)
    action = np.array(robots.load_robot("panda").home_action, np.float32)
    after, *_ = many.step(np.stack([action, action]))
    single.reset(seed=6)
    alone, *_ = single.step(action)
    assert all(np.array_equal(after[key][1], alone[key]) for key in alone)
    single.close()
    many.close()


def test_a_copy_that_ended_starts_anew_while_others_go_on() -> None:
    many = gymnasium.make_vec(
        "aim/ClickBell-v0", num_envs=2, vectorization_mode="vector_entry_point", robot="panda", size=(32, 32)
    )
    _, info = many.reset(seed=0)
    first = info["scene"].copy()
    home = np.tile(np.array(robots.load_robot("panda").home_action, np.float32), (2, 1))
    horizon = tasks.load_task("click_bell").horizon
    for _ in range(horizon):
        _, _, ended, cut, info = many.step(home)
    assert cut.all() and not ended.any() and np.array_equal(info["scene"], first)
    _, reward, ended, cut, info = many.step(home)
    assert not (cut.any() or ended.any() or reward.any()) and (info["scene"] != first).all()
    many.close()
