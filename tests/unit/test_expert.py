"""The expert in closed loop, and scenes that must stand still before anyone acts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scenes import SceneUnderTest

from sim import robots, tasks
from sim.envs.env import Env
from sim.expert.arm import ArmController, LookaheadCost
from sim.expert.motion import PoseOffset
from sim.expert.policy import ExpertPolicy
from sim.geometry import rotate
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

CUBE = ObjectSpec("block", {"size": (0.05, 0.05, 0.05)}, "cube")


def crowd(gap: float) -> Task:
    """Return a task with two cubes that may be drawn into each other."""
    spawn = Spawn((0.1, 0.2), (-0.1, 0.0))
    return Task(
        name="crowd", instructions=("lift {a}",), horizon=200,
        objects=(
            TaskObject("a", (CUBE,), spawn),
            TaskObject("b", (CUBE,), dataclasses.replace(spawn, apart=(("a", gap),))),
        ),
        arms=(ArmRole("l", "side:a"),),
        success=(Predicate("raised", {"obj": "a", "low": 0.05}),),
        plan=(Skill("pick", {"arm": "l", "obj": "a", "grasp": "top"}),),
    )  # fmt: skip


def test_like_scenes_are_grasped_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the many ways to pinch a rim the hand takes one that changes little where the cup stands little apart."""
    grasps: list[np.ndarray] = []
    choose = ArmController.choose_candidate

    def listen(
        hand: ArmController,
        tool_poses: np.ndarray,
        *offsets: PoseOffset,
        penalty: np.ndarray | float = 0.0,
        lookahead_cost: LookaheadCost | None = None,
    ) -> tuple[int, list[np.ndarray]]:
        best, ends = choose(hand, tool_poses, *offsets, penalty=penalty, lookahead_cost=lookahead_cost)
        grasps.append(tool_poses[best])
        return best, ends

    monkeypatch.setattr(ArmController, "choose_candidate", listen)
    env = Env(tasks.load_task("place_empty_cup"), robots.load_robot("panda"), 60, cameras=())
    env.reset(range(60))
    for motion in ExpertPolicy(env)._motions:
        before = len(grasps)
        while len(grasps) == before:
            next(motion)
    cups = env.view.position("cup")[:, :2]
    across = rotate(np.stack(grasps)[:, 3:], (0.0, 1.0, 0.0))[:, :2]  # the fingers close along it, either way round
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    apart = np.linalg.norm(cups[:, None] - cups[None], axis=-1)
    turned = np.degrees(np.arccos(np.clip(np.abs(across @ across.T), 0.0, 1.0)))
    close = (apart < 0.03) & ~np.eye(60, dtype=bool)
    assert close.sum() > 40 and turned[close].max() < 45
    env.close()


def test_a_grasp_leaves_room_for_what_follows() -> None:
    """The microphone tilts a little between the fingers; the way on must still be within reach of the wrist."""
    env = Env(tasks.load_task("handover_mic"), robots.load_robot("aloha"), 3, cameras=(), variation="random")
    env.reset([3, 8, 18])
    expert = ExpertPolicy(env)
    while not (env.done | expert.finished).all():
        env.step(expert.act().actions)
    assert env.success.all()
    env.close()


@pytest.mark.parametrize("robot", robots.list_robots())
def test_what_is_struck_from_the_hand_is_picked_again(robot: str) -> None:
    scene = SceneUnderTest(tasks.load_task("stack_blocks_two"), robots.load_robot(robot), 1)
    env, data = scene.env, scene.data
    expert = ExpertPolicy(env)
    start, joint = scene.body_pose("green"), scene.model.joint("green.free")
    struck = False
    while not (env.done | expert.finished).all():
        env.step(expert.act().actions)
        if not struck and scene.body_pose("green")[2] > start[2] + 0.05:
            at = joint.qposadr[0]
            data.qpos[at : at + 7] = start
            data.qpos[at : at + 2] += (0.03, -0.02)
            data.qvel[joint.dofadr[0] : joint.dofadr[0] + 6] = 0.0
            scene.refresh()
            struck = True
    assert struck and env.success.all()
    env.close()


def test_what_does_not_stand_still_is_drawn_again_alike_each_time() -> None:
    robot = robots.load_robot("aloha")
    scenes = [SceneUnderTest(crowd(0.0), robot, seed) for seed in range(8)]
    assert any(scene.redraws for scene in scenes)
    for seed, scene in enumerate(scenes):
        places = [scene.body_pose(name)[:2] for name in ("a", "b")]
        assert np.abs(np.subtract(*places)).max() > 0.035  # side by side
        again = SceneUnderTest(crowd(0.0), robot, seed)
        np.testing.assert_array_equal(scene.view.body_poses, again.view.body_poses)
    assert not any(SceneUnderTest(crowd(0.08), robot, seed).redraws for seed in range(8))


def test_what_can_never_stand_is_refused() -> None:
    task = crowd(0.08)
    leaning = dataclasses.replace(task.objects[0], spawn=dataclasses.replace(task.objects[0].spawn, tilt=(0.5, 0, 0)))
    scene = SceneUnderTest(dataclasses.replace(task, objects=(leaning, task.objects[1])), robots.load_robot("panda"), 0)
    assert scene.failure == "no stable scene in 20 draws; in the last a tips over"
    assert scene.env.done.all() and not scene.env.success.any()
    expert = ExpertPolicy(scene.env)
    assert expert.finished.all() and str(expert.find_failure(0)) == scene.failure


def test_what_is_solved_at_once_is_drawn_again() -> None:
    near = (Predicate("apart", {"a": "a", "b": "b", "low": 0.1, "high": 9.0}),)
    scenes = [
        SceneUnderTest(dataclasses.replace(crowd(0.08), success=near), robots.load_robot("panda"), seed)
        for seed in range(8)
    ]
    assert any(scene.redraws for scene in scenes)
    gaps = [np.linalg.norm(np.subtract(*(scene.body_pose(name)[:2] for name in ("a", "b")))) for scene in scenes]
    assert max(gaps) <= 0.1
