"""What every robot does: it moves as its file says, stands free at home, and plays its roles with the expert."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim import robots, tasks
from sim.embodiment.model import Embodiment
from sim.embodiment.reach import check_reach, compute_reach
from sim.embodiment.validate import validate_robot
from sim.envs.env import Env
from sim.expert.policy import ExpertPolicy
from sim.scene.sample import sample_scene
from sim.task.spec import ObjectSpec, SpecError, Task
from sim.types import CONTROL_HZ


def make_toy_robot() -> Embodiment:
    """Two arms called a and b, whose grippers open 50 mm; a works on the right, b on the left."""
    aloha = robots.load_robot("aloha")
    arms = []
    for arm, name in zip(aloha.arms, ("b", "a"), strict=True):
        arms.append(replace(arm, name=name, gripper=replace(arm.gripper, stroke=0.025)))
    head = aloha.cameras[0]
    return replace(aloha, name="toy", arms=(arms[1], arms[0]), cameras=(head, replace(aloha.cameras[1], arm="b")))


ROBOTS = {**{name: robots.load_robot(name) for name in robots.list_robots()}, "toy": make_toy_robot()}


def change_size(task: Task, name: str, side_m: float) -> Task:
    """Return the task with one object as a cube."""
    block = ObjectSpec("block", {"size": (side_m, side_m, side_m)}, "cube", nouns=("block",))
    objects = tuple(
        replace(task_object, variants=(block,), colours=()) if task_object.name == name else task_object
        for task_object in task.objects
    )
    return replace(task, objects=objects)


def play(task: Task, robot: Embodiment, seeds: range) -> tuple[Env, ExpertPolicy]:
    """Return environment and expert after the expert's attempts."""
    env = Env(task, robot, len(seeds), cameras=())
    env.reset(seeds)
    expert = ExpertPolicy(env)
    while not (env.done | expert.finished).all():
        env.step(expert.act().actions)
    return env, expert


@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_is_sound(name: str) -> None:
    validate_robot(ROBOTS[name])


@pytest.mark.parametrize("name", ROBOTS)
def test_names_limits_and_home_are_in_the_actions_order(name: str) -> None:
    robot = ROBOTS[name]
    low, high = (np.array(side) for side in zip(*robot.action_limits, strict=True))
    home, gripper = np.array(robot.home_action), np.array(robot.is_gripper)
    assert len(robot.action_names) == len(low) == len(home) == len(gripper) == len(set(robot.action_names))
    assert (low <= home).all() and (home <= high).all()
    assert gripper.sum() == len(robot.arms) and (low[gripper] == 0).all() and (high[gripper] == 1).all()
    assert [entry.rpartition("/")[2] == "gripper" for entry in robot.action_names] == gripper.tolist()


@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_holds_its_home_and_reaches_what_it_is_told(name: str) -> None:
    robot = ROBOTS[name]
    env = Env(tasks.load_task("click_bell"), robot, cameras=())
    env.reset([0])
    home = np.array(robot.home_action)
    for _ in range(CONTROL_HZ // 2):
        env.step(home[None, None])
    np.testing.assert_allclose(env.world.state().proprio[0], home, atol=0.01)
    middle = np.array([0.5 * (low + high) for low, high in robot.action_limits])
    goal = np.where(robot.is_gripper, 0.0, home + 0.15 * np.sign(middle - home))
    for k in range(2 * CONTROL_HZ):
        env.step((home + min(1.0, k / CONTROL_HZ) * (goal - home))[None, None])
    error = np.abs(env.world.state().proprio[0] - goal)
    assert (error < np.where(robot.is_gripper, 0.1, 0.02)).all()  # soft pads close into each other a little
    env.close()


@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_reaches_the_middle_of_the_table(name: str) -> None:
    reach = compute_reach(ROBOTS[name])
    assert check_reach(reach).passed
    middle = (np.abs(reach.points[:, 0]) < 0.31) & (np.abs(reach.points[:, 1] + 0.1) < 0.13)
    assert reach.reachable[middle].all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name"),
    [
        (task, name)
        for task in ("click_bell", "place_empty_cup", "stack_blocks_two", "handover_mic")
        for name in ROBOTS
        if tasks.load_task(task).arms_needed <= len(ROBOTS[name].arms)
    ],
)
def test_the_expert_plays_a_robot(name: str, task: str) -> None:
    robot, played = ROBOTS[name], tasks.load_task(task)
    if name == "toy" and task == "stack_blocks_two":
        played = change_size(change_size(played, "red", 0.04), "green", 0.04)
    env, expert = play(played, robot, range(3))
    assert env.success.all(), [expert.find_failure(i) for i in range(3)]
    env.close()


def test_an_arm_is_told_by_its_side_whatever_its_name() -> None:
    toy, bell = make_toy_robot(), tasks.load_task("click_bell")
    told = {instruction for instruction in bell.instructions if "{a}" in instruction}
    assert told
    for seed in range(12):
        scene = sample_scene(replace(bell, instructions=tuple(told)), toy, seed)
        side = scene.role_sides["a"]
        assert scene.role_arms["a"] == {"left": "b", "right": "a"}[side]
        assert f"the {side} arm" in scene.instruction
        arm = toy.arms[[arm.name for arm in toy.arms].index(scene.role_arms["a"])]
        assert (arm.base_pos[0] < 0) == (side == "left")


def test_what_is_wider_than_the_gripper_is_refused_by_name() -> None:
    """The blocks of this task are 50 mm wide, as far as the toy's fingers open."""
    env, expert = play(tasks.load_task("stack_blocks_two"), make_toy_robot(), range(1))
    assert not env.success.any()
    assert "fits the gripper of robot 'toy': 50 mm wide, it opens 50 mm" in str(expert.find_failure(0))
    env.close()


def test_another_control_rate_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        validate_robot(replace(make_toy_robot(), control_hz=20.0))
    assert str(caught.value) == (
        "robot 'toy': control_hz is 20; valid: 50, the one rate that engines command joints at"
    )


def test_a_robot_file_is_validated_when_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "plugin" / "robots"
    folder.mkdir(parents=True)
    (folder / "slow.py").write_text(
        "from dataclasses import replace\n\nfrom sim.robots.panda import ROBOT as PANDA\n\n"
        'ROBOT = replace(PANDA, name="slow", control_hz=20.0)\n'
    )
    (folder / "alias.py").write_text("from sim.robots.panda import ROBOT as ROBOT\n")
    monkeypatch.setenv("AIM_PLUGINS", str(tmp_path / "plugin"))
    with pytest.raises(SpecError, match="robot 'slow': control_hz is 20; valid: 50"):
        robots.load_robot("slow")
    with pytest.raises(SpecError, match=r"the robot of the file alias\.py calls itself 'panda'; valid: 'alias'"):
        robots.load_robot("alias")
