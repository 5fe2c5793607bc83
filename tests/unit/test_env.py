"""What an environment counts and remembers, world by world: steps, latches, success, snapshots, failures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scenes import CLOSED, GRIP, OPENED, SceneUnderTest, gripper_actions, make_grip_task

from sim import robots, tasks
from sim.envs.env import Env
from sim.expert.policy import ExpertPolicy
from sim.objects.bounds import compute_bounding_box
from sim.task.rewards import RewardSet, RewardTerm
from sim.task.spec import Predicate
from sim.types import UserError
from sim.world.mujoco import MujocoWorld
from sim.world.protocol import WORLD_CONTACT, Mask
from sim.world.state import StateView

ONCE_CLOSED = Predicate("gripper_closed", {"arm": GRIP}, latch=True)
CLOSE_THEN_OPEN = (ONCE_CLOSED, OPENED)


def make_env(*success: Predicate, n: int = 2, stop_at_success: bool = False, reward: str | RewardSet = "sparse") -> Env:
    """Return worlds of panda that have been reset, in which opening and closing the gripper decides."""
    env = Env(
        make_grip_task(*success), robots.load_robot("panda"), n, (), stop_at_success=stop_at_success, reward=reward
    )
    env.reset(range(n))
    assert not any(env.failure)
    return env


def test_a_reset_forgets_the_latches_of_its_worlds_alone() -> None:
    env = make_env(*CLOSE_THEN_OPEN)
    env.step(gripper_actions(env, 0.0, 0.0))
    assert env.predicates.tolist() == [[True, False], [True, False]]
    env.reset((0, 1), np.array([True, False]))
    assert env.predicates.tolist() == [[False, True], [True, False]]
    assert env.step(gripper_actions(env, 1.0, 1.0)).success.tolist() == [False, True]
    env.close()


def test_a_snapshot_holds_the_latches_of_its_worlds() -> None:
    env = make_env(*CLOSE_THEN_OPEN)
    fresh = env.snapshot()
    env.step(gripper_actions(env, 0.0, 0.0))
    closed = env.snapshot([1])
    env.restore(fresh)
    assert env.steps.tolist() == [0, 0]
    assert env.step(gripper_actions(env, 1.0, 1.0)).success.tolist() == [False, False]
    env.restore(closed)
    assert env.steps.tolist() == [1, 1]
    assert env.step(gripper_actions(env, 1.0, 1.0)).success.tolist() == [False, True]
    env.close()


def test_success_that_is_not_latched_can_be_lost_and_comes_again() -> None:
    env = make_env(CLOSED)
    result = env.step(np.concatenate([gripper_actions(env, opening, 1.0) for opening in (0.0, 1.0, 0.0)], axis=1))
    assert result.reward.tolist() == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    assert result.success.tolist() == [True, False] and not result.done.any()
    assert env.step(gripper_actions(env, 1.0, 1.0)).success.tolist() == [False, False]
    env.close()


@pytest.mark.parametrize("others", [(), (RewardTerm("stage", 0.0),)], ids=["alone", "beside another"])
def test_a_success_is_worth_its_weight(others: RewardSet) -> None:
    env = make_env(CLOSED, reward=(RewardTerm("success", 5.0), *others))
    assert env.step(gripper_actions(env, 0.0, 1.0)).reward[:, 0].tolist() == [5.0, 0.0]
    env.close()


@pytest.mark.parametrize("how", ["ended", "held"])
def test_the_clock_of_a_world_that_stands_still_stands_too(how: str) -> None:
    env, hold = make_env(CLOSED), np.array([True, False])
    if how == "ended":
        env.end(hold)
    result = env.step(gripper_actions(env, 1.0, 1.0).repeat(3, axis=1), hold if how == "held" else None)
    assert env.steps.tolist() == [0, 3]
    np.testing.assert_allclose(result.time, [0.0, 0.06])
    env.close()


def test_a_world_whose_physics_diverged_neither_succeeds_nor_earns() -> None:
    env = make_env(CLOSED, stop_at_success=True)
    assert isinstance(env.world, MujocoWorld)
    env.world.mujoco_pair(0)[1].qvel[:] = 1e14
    result = env.step(gripper_actions(env, 0.0, 0.0))
    assert result.reward[:, 0].tolist() == [0.0, 1.0]
    assert result.success.tolist() == result.terminated.tolist() == [False, True]
    assert result.truncated.tolist() == [True, False] and "physics diverged" in env.failure[0]
    env.close()


def test_a_scene_whose_physics_diverges_as_it_settles_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    settle = MujocoWorld.settle

    def diverge(world: MujocoWorld, active: Mask) -> None:
        world.mujoco_pair(0)[1].qvel[:] = 1e14
        settle(world, active)

    monkeypatch.setattr(MujocoWorld, "settle", diverge)
    env = Env(make_grip_task(CLOSED), robots.load_robot("panda"), 2, ())
    env.reset((0, 1))
    assert env.truncated.tolist() == [True, False] and "physics diverged" in env.failure[0]
    assert env.failure[1] == ""
    env.close()


def test_what_a_thing_is_compared_with_is_where_it_came_to_rest() -> None:
    env = Env(make_grip_task(CLOSED, drop=0.005), robots.load_robot("panda"), 1, ())
    env.reset([0])
    drawn = env.world_view(0).scene.poses["block"]
    np.testing.assert_array_equal(env.view.initial_pose("block"), env.view.pose("block"))
    assert drawn[2] - env.view.initial_pose("block")[0, 2] > 0.004
    env.close()


LEFT_RIGHT = (0, 2)  # seeds whose block, and so whose arm, is on the left and on the right


def make_two_armed_env() -> Env:
    """Return two worlds of aloha in which the side of the block says which arm plays the role."""
    env = Env(make_grip_task(CLOSED, sides=True), robots.load_robot("aloha"), 2, ())
    env.reset(LEFT_RIGHT)
    return env


def test_a_view_follows_the_scene_that_a_world_holds() -> None:
    """What is known of a scene's names is of the scene that is there now, not of the one before."""
    env = make_two_armed_env()
    for seeds, signs, arms in ((LEFT_RIGHT, [-1, 1], [0, 1]), (LEFT_RIGHT[::-1], [1, -1], [1, 0])):
        env.reset(seeds)
        assert env.view.side_sign(GRIP).tolist() == signs and env.view.arm_of_role(GRIP).tolist() == arms
        openings = np.array([[1.0, 0.0], [1.0, 0.0]])  # of the left and the right gripper
        actions = gripper_actions(env, 1.0, 1.0)
        actions[:, 0, list(env.robot.is_gripper)] = openings
        env.step(actions)
        assert env.predicates[:, 0].tolist() == [arm == 1 for arm in arms]
    env.close()


def test_a_touch_counts_for_the_arm_that_plays_the_role_in_that_world() -> None:
    env = make_two_armed_env()
    bodies = env.scenes.names.bodies
    fingers = [bodies.index(f"{arm}/finger0") for arm in env.scenes.names.arms]
    contacts = np.zeros(4, WORLD_CONTACT)  # in each world of either arm
    contacts["world"], contacts["a"], contacts["b"] = [0, 0, 1, 1], [*fingers, *fingers], bodies.index("block")
    contacts["pos"][:, 0] = [0.1, 0.2, 0.3, 0.4]
    view = StateView(env.scenes, env.world.state(), lambda worlds: contacts)
    for arm, worlds, places, positions in (
        (GRIP, [0, 1], [0, 0], [0.1, 0.4]),
        ("any", [0, 0, 1, 1], [0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4]),
    ):
        found = view.gripper_contacts(arm, "block")
        assert found[0].tolist() == worlds and found[1].tolist() == places
        np.testing.assert_allclose(found[2][:, 0], positions)
    env.close()


def test_a_snapshot_of_another_scene_is_refused() -> None:
    env = make_env(CLOSED)
    snapshot = env.snapshot()
    env.reset((5, 1))
    with pytest.raises(UserError, match="world 0 holds another scene than the snapshot's, of seed 0"):
        env.restore(snapshot)
    env.restore(dataclasses.replace(snapshot, **{
        field.name: {1: getattr(snapshot, field.name)[1]} for field in dataclasses.fields(snapshot)
    }))  # fmt: skip
    env.close()


def test_who_has_succeeded_does_not_run_out_of_time() -> None:
    env = make_env(CLOSED, stop_at_success=True)
    env.step(gripper_actions(env, 0.0, 1.0))
    env.end(np.ones(2, bool))
    assert (env.terminated.tolist(), env.truncated.tolist()) == ([True, False], [False, True])
    env.close()


@pytest.mark.parametrize("how", ["reset", "restored"])
def test_a_world_whose_physics_diverged_is_sound_again_when_it_is(how: str) -> None:
    env = make_env(CLOSED)
    assert isinstance(env.world, MujocoWorld)
    snapshot = env.snapshot()
    env.world.mujoco_pair(0)[1].qvel[:] = 1e14
    assert env.step(gripper_actions(env, 1.0, 1.0)).truncated.tolist() == [True, False]
    if how == "reset":
        env.reset((0, 1), np.array([True, False]))
    else:
        env.restore(snapshot)
    assert not env.step(gripper_actions(env, 1.0, 1.0)).done.any() and env.failure == ["", ""]
    env.close()


def test_what_is_absent_is_zero_in_the_privileged_state() -> None:
    task = make_grip_task(CLOSED)
    block = task.objects[0]
    spawn = dataclasses.replace(block.spawn, optional=True, apart=(("block", 9.0),))
    task = dataclasses.replace(task, objects=(block, dataclasses.replace(block, name="absent", spawn=spawn)))
    env = Env(task, robots.load_robot("panda"), 1, (), privileged=True)
    env.reset([0])
    assert np.isnan(env.view.pose("absent")).all()
    found = env.observe().privileged
    assert found is not None and found.shape == (1, env.privileged_size) and np.isfinite(found).all()
    env.close()


def test_parts_belong_to_their_object_and_have_bounds_of_their_own() -> None:
    env = Env(tasks.load_task("open_laptop"), robots.load_robot("aloha"), 1, ())
    env.reset([0])
    built, bodies = env.world_view(0).scene.models["laptop"], np.array(env.scenes.names.bodies)
    assert bodies[env.scenes.object_bodies("laptop")].tolist() == ["laptop", "laptop.lid"]
    for name, geoms in (("laptop", built.geoms), ("laptop.lid", built.parts[0].geoms)):
        np.testing.assert_array_equal(np.concatenate(env.view.bounds(name)), compute_bounding_box(geoms))
    env.close()


def test_a_change_is_counted_from_the_reset_and_a_start_stays_where_it_was() -> None:
    env = make_env(CLOSED, reward=(RewardTerm("gripper_closed", 1.0, {"arm": GRIP}),))
    assert env.step(gripper_actions(env, 1.0, 1.0)).reward.tolist() == [[0.0], [0.0]]
    assert (env.step(gripper_actions(env, 0.0, 1.0)).reward > 0.9).tolist() == [[True], [False]]
    env.close()
    scene = SceneUnderTest(tasks.load_task("open_laptop"), robots.load_robot("aloha"))
    start = scene.env.view.joint_fraction("laptop.hinge")
    scene.data.joint("laptop.hinge").qpos[0] += 0.5
    scene.refresh()
    assert scene.env.view.joint_fraction("laptop.hinge")[0] > start[0] + 0.1
    np.testing.assert_array_equal(scene.env.view.initial_joint_fraction("laptop.hinge"), start)


def test_a_reset_leaves_the_stage_of_other_worlds() -> None:
    """Progress along the plan is each world's own."""
    env = Env(tasks.load_task("place_empty_cup"), robots.load_robot("panda"), 2, (), track_progress=True)
    env.reset(range(2))
    expert = ExpertPolicy(env)
    while env.progress.min() == 0.0:
        assert not (env.done | expert.finished).any()
        env.step(expert.act().actions)
    before = env.progress
    env.reset((5, 1), np.array([True, False]))
    assert env.progress.tolist() == [0.0, before[1]]
    env.close()


def test_touching_knows_no_order() -> None:
    env = Env(tasks.load_task("place_empty_cup"), robots.load_robot("panda"), 3, ())
    env.reset(range(3))
    env.step(np.tile(np.array(env.robot.home_action), (3, 4, 1)))
    assert env.view.touching("cup", "table").all() and env.view.touching("table", "cup").all()
    assert not env.view.touching("cup", "coaster").any() and not env.view.touching("coaster", "cup").any()
    env.close()
