"""Robots that are refused, each with one line that says why; shapes are measured as MuJoCo measures them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import cos, pi, sin

import mujoco
import numpy as np
import pytest

from sim import robots
from sim.embodiment.checks import (
    check_finger_pads,
    check_robot,
    check_tool_axis,
    compute_camera_pose,
    compute_tool_pose,
)
from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.model import ArmModel, Embodiment, Geom, Link
from sim.embodiment.reach import check_reach, compute_reach
from sim.embodiment.shapes import compute_signed_distance, list_bounding_spheres, sample_points
from sim.embodiment.validate import validate_robot
from sim.geometry import multiply, quat_from_axis_angle
from sim.scene.compile import compile_robot
from sim.task.spec import SpecError

PANDA, ALOHA = robots.load_robot("panda"), robots.load_robot("aloha")
AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}


def change_arm(robot: Embodiment, **fields: object) -> Embodiment:
    """Return the robot with fields of its first arm changed."""
    return replace(robot, arms=(replace(robot.arms[0], **fields), *robot.arms[1:]))  # pyright: ignore[reportArgumentType]


def change_link(robot: Embodiment, index: int, **fields: object) -> Embodiment:
    """Return the robot with fields of one link of its first arm changed."""
    links = list(robot.arms[0].links)
    links[index] = replace(links[index], **fields)  # pyright: ignore[reportArgumentType]
    return change_arm(robot, links=tuple(links))


def change_gripper(robot: Embodiment, **fields: object) -> Embodiment:
    """Return the robot with fields of its first gripper changed."""
    return change_arm(robot, gripper=replace(robot.arms[0].gripper, **fields))  # pyright: ignore[reportArgumentType]


def change_camera(robot: Embodiment, **fields: object) -> Embodiment:
    """Return the robot with fields of its first camera changed."""
    camera = replace(robot.cameras[0], **fields)  # pyright: ignore[reportArgumentType]
    return replace(robot, cameras=(camera, *robot.cameras[1:]))


def turn_tool(arm: ArmModel, axis: str, degrees: float) -> ArmModel:
    """Return the arm with its tool frame turned about one of the tool's axes."""
    turn = quat_from_axis_angle(AXES[axis], np.array(np.radians(degrees)))
    return replace(arm, tool_quat=tuple(multiply(arm.tool_quat, turn).tolist()))


def swap_sides(robot: Embodiment) -> Embodiment:
    return replace(robot, arms=(replace(robot.arms[0], side="right"), robot.arms[1]))


def lower_home(robot: Embodiment) -> Embodiment:
    return change_arm(robot, home=(0.0, 1.7, 0.0, -1.2, 0.0, 1.9, 0.0))


def bring_arms_together(robot: Embodiment) -> Embodiment:
    left, right = robot.arms
    return replace(robot, arms=(left, replace(right, base_pos=(-0.25, *right.base_pos[1:]))))


REFUSED: dict[str, tuple[Callable[[], Embodiment], str]] = {
    "rate": (lambda: replace(PANDA, control_hz=20.0),
             "robot 'panda': control_hz is 20; valid: 50, the one rate that engines command joints at"),
    "no arm": (lambda: replace(PANDA, arms=()), "there are 0 arms; valid: one or two"),
    "three arms": (lambda: replace(ALOHA, arms=(*ALOHA.arms, replace(ALOHA.arms[0], name="third"))),
                   "there are 3 arms; valid: one or two"),
    "two of a side": (lambda: swap_sides(ALOHA), "the sides of two arms are 'right' and 'right'; valid: 'left' and"),
    "side of one": (lambda: change_arm(PANDA, side="left"), "the side of the only arm is 'left'; valid: ''"),
    "a side unknown": (lambda: change_arm(PANDA, side="middle"), "side of armmodel arm is 'middle'; valid: 'left' or"),
    "arm twice": (lambda: replace(ALOHA, arms=(ALOHA.arms[0], replace(ALOHA.arms[1], name="left"))),
                  "arm 'left': the name is used twice"),
    "arm with a slash": (lambda: change_arm(PANDA, name="a/b"), "arm 'a/b': not a name; valid: letters, digits and _"),
    "no camera": (lambda: replace(PANDA, cameras=()), "there is no camera; valid: at least one"),
    "camera of nobody": (lambda: change_camera(PANDA, arm="left"), "arm of camera 'head' is 'left'; valid: '', 'arm'"),
    "camera twice": (lambda: change_camera(PANDA, name="wrist"), "camera 'wrist': the name is used twice"),
    "camera axes": (lambda: change_camera(PANDA, up=(0, -0.6, -0.8)), "forward and up of camera 'head' are parallel"),
    "field of view": (lambda: change_camera(PANDA, fovx=60.0), "fovx of camera head is 60.0; valid: a number above 0"),
    "home too short": (lambda: change_arm(PANDA, home=(0.0,)), "home of arm 'arm' has 1 values; valid: 7, one a link"),
    "IK start too short": (lambda: change_arm(PANDA, ik_starts=((0.0, 1.0),)),
                           "a posture of ik_starts of arm 'arm' has 2 values; valid: 7"),
    "no links": (lambda: change_arm(PANDA, links=(), home=()), "arm 'arm' has no links"),
    "axis": (lambda: change_link(PANDA, 2, axis=(0, 0, 2)), "axis of link 2 of arm 'arm' is (0, 0, 2), of length 2"),
    "no axis": (lambda: change_link(PANDA, 2, axis=(0, 0, 0)), "axis of link 2 is (0, 0, 0); valid: a tuple of 3"),
    "quaternion": (lambda: change_arm(PANDA, tool_quat=(1, 1, 0, 0)), "tool_quat of arm 'arm' is (1, 1, 0, 0)"),
    "range": (lambda: change_link(PANDA, 0, range=(1.0, -1.0)), "range of link 0 of arm 'arm' is (1.0, -1.0); valid:"),
    "degrees": (lambda: change_link(PANDA, 0, range=(-166.0, 166.0)), "range of link 0 is (-166.0, 166.0); valid:"),
    "mass": (lambda: change_link(PANDA, 3, mass=0.0), "mass of link 3 is 0.0; valid: a number at least 0.01"),
    "not a number": (lambda: change_link(PANDA, 3, mass=float("nan")), "mass of link 3 is nan; valid: a number"),
    "text": (lambda: change_gripper(PANDA, stroke="4cm"), "stroke of gripper 0 is '4cm'; valid: a number above 0"),
    "stroke": (lambda: change_gripper(PANDA, stroke=-0.04), "stroke of gripper 0 is -0.04; valid: a number above 0"),
    "size": (lambda: change_link(PANDA, 0, geoms=(Geom("box", (0.1, 0.1)),)), "size of a box of link 0 of arm 'arm'"),
    "ends": (lambda: change_link(PANDA, 0, geoms=(Geom("box", (0.1,), ends=((0, 0, 0), (0, 0, 1))),)),
             "a box of link 0 of arm 'arm' has ends; valid: of a capsule or a cylinder"),
    "no hand": (lambda: change_link(PANDA, 6, geoms=()), "the last link of arm 'arm' has no colliding geom"),
    "home out of range": (lambda: change_arm(PANDA, home=(0.0, -0.3, 0.0, -2.2, 0.0, 4.0, 0.0)),
                          "home of arm: joint5 at 4.000 rad, valid: -0.018 to 3.752"),
    "home in the table": (lambda: lower_home(PANDA), "inside the table"),
    "arms in each other": (lambda: bring_arms_together(ALOHA), " inside right/"),
    "a camera that looks away": (lambda: change_camera(PANDA, forward=(0, 0.6, 0.8), up=(0, -0.8, 0.6)),
                                 "view of head: sees 0% of the table in a square picture; valid: at least 50%"),
    "fingers beside the hand": (lambda: change_arm(PANDA, tool_pos=(0.12, 0, 0.2104)), "tool axis of arm: z points"),
    "fingers far before it": (lambda: change_arm(PANDA, tool_pos=(0, 0, 0.26)),
                              "finger pads of arm: 55 mm from the hand; valid: up to 15 mm"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_a_faulty_robot_is_refused_in_one_line(fault: str) -> None:
    make, says = REFUSED[fault]
    with pytest.raises(SpecError) as caught:
        validate_robot(make())
    text = str(caught.value)
    assert text.startswith("robot '") and says in text and "\n" not in text


@pytest.mark.parametrize("name", robots.list_robots())
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("degrees", [90.0, -90.0])
def test_a_tool_turned_by_90_degrees_is_refused(name: str, axis: str, degrees: float) -> None:
    """About the opening or across it z leaves the hand; about z the fingers open beside a hand that is narrow there."""
    robot = robots.load_robot(name)
    turned = turn_tool(robot.arms[0], axis, degrees)
    assert not (check_tool_axis(turned).passed and check_finger_pads(turned).passed)
    with pytest.raises(SpecError, match=r"(tool axis|finger pads) of "):
        validate_robot(replace(robot, arms=(turned, *robot.arms[1:])))


@pytest.mark.parametrize("name", robots.list_robots())
def test_a_tool_turned_by_180_degrees_is_the_same_gripper(name: str) -> None:
    robot = robots.load_robot(name)
    turned = turn_tool(robot.arms[0], "z", 180.0)
    assert check_tool_axis(turned).passed and check_finger_pads(turned).passed


def test_every_check_is_one_line_with_a_figure_or_a_word() -> None:
    for check in check_robot(ALOHA):
        assert check.passed and check.finding and "\n" not in check.finding


def test_reach_follows_the_base() -> None:
    reach = compute_reach(PANDA)
    assert check_reach(reach).passed
    nearest = np.abs(reach.points[:, :2] - (0.0, -0.1)).sum(axis=1).argmin()
    assert reach.reachable[nearest] and not reach.reachable[reach.points[:, 1] > 0.3].any()
    arm = PANDA.arms[0]
    away = change_arm(PANDA, base_pos=(0.0, -1.6, arm.base_pos[2]))
    check = check_reach(compute_reach(away))
    assert not check.passed and check.finding.startswith("0% of the table")


def test_reach_is_of_all_arms_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.embodiment.reach.REACH_SPACING_M", 0.2)
    together = compute_reach(ALOHA).reachable
    left, right = (compute_reach(replace(ALOHA, arms=(arm,))).reachable for arm in ALOHA.arms)
    assert (left & ~right).any() and (right & ~left).any()
    np.testing.assert_array_equal(together, left | right)


@pytest.mark.parametrize("name", robots.list_robots())
def test_tool_and_camera_poses_are_those_of_the_model(name: str) -> None:
    robot = robots.load_robot(name)
    model = compile_robot(robot)
    data = mujoco.MjData(model)
    for arm in robot.arms:
        for i, value in enumerate(arm.home):
            data.joint(f"{arm.name}/joint{i}").qpos = value
    mujoco.mj_forward(model, data)
    for arm in robot.arms:
        np.testing.assert_allclose(compute_tool_pose(arm)[:3], data.site(f"{arm.name}/tool").xpos, atol=1e-9)
    for camera in robot.cameras:
        pose = compute_camera_pose(robot, camera)
        axes = data.camera(camera.name).xmat.reshape(3, 3) * (1, -1, -1)  # right, down, forward
        np.testing.assert_allclose(pose[:3], data.camera(camera.name).xpos, atol=1e-9)
        w, x, y, z = pose[3:]
        np.testing.assert_allclose(
            axes[:, 2], (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)), atol=1e-9
        )


TURNED = (cos(0.4), sin(0.4), 0.0, 0.0)
SHAPES = [
    Geom("box", (0.03, 0.05, 0.02), (0.1, 0, 0.02), TURNED),
    Geom("sphere", (0.04,), (0.1, 0, 0)),
    Geom("capsule", (0.03, 0.06), (0, 0.1, 0), TURNED),
    Geom("capsule", (0.03,), ends=((0, 0, 0), (0.1, 0.1, -0.2))),
    Geom("cylinder", (0.05, 0.03), (0, 0.1, 0), TURNED),
    Geom("cylinder", (0.05,), ends=((0, 0, 0.1), (0.1, 0, 0.1))),
]


@pytest.mark.parametrize("geom", SHAPES, ids=lambda geom: f"{geom.type}{' by ends' if geom.ends else ''}")
def test_signed_distances_are_those_of_mujoco(geom: Geom) -> None:
    points = np.random.default_rng(0).uniform(-0.25, 0.25, (40, 3))
    robot = change_link(PANDA, 0, geoms=(geom,))
    model = compile_robot(replace(robot, arms=(replace(robot.arms[0], base_pos=(0, 0, 0), base_quat=(1, 0, 0, 0)),)))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    body = model.body("arm/link0")
    spec = mujoco.MjSpec()
    spec.worldbody.add_geom(
        type=model.geom_type[body.geomadr[0]], size=model.geom_size[body.geomadr[0]],
        pos=model.geom_pos[body.geomadr[0]], quat=model.geom_quat[body.geomadr[0]],
    )  # fmt: skip
    for point in points:
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(1e-6, 0, 0), pos=point)
    measured = spec.compile()
    where = mujoco.MjData(measured)
    mujoco.mj_forward(measured, where)
    expected = [mujoco.mj_geomDistance(measured, where, 0, i + 1, 10.0, None) for i in range(len(points))]
    outside = np.array(expected) > 1e-4
    assert outside.sum() > 10
    np.testing.assert_allclose(compute_signed_distance(geom, points)[outside], np.array(expected)[outside], atol=2e-4)
    filled = sample_points(geom)
    assert (compute_signed_distance(geom, filled) < 1e-6).all() and len(filled) > 20


def test_link_spheres_move_with_the_links() -> None:
    """A posture that drives the elbow through the table is known by the spheres of the upper arm and forearm."""
    chain = KinematicChain(PANDA.arms[0])
    low = np.array([[0.0, 1.7, 0.0, -1.2, 0.0, 1.9, 0.0]])
    home = chain.home_joints[None]
    heights = [(chain.compute_sphere_centres(q)[0, :, 2] - chain.sphere_radii).min() for q in (home, low)]
    assert heights[0] > 0.74 > heights[1]
    link = Link((0, 0, 0), (0, 0, 1), (-pi, pi), (Geom("capsule", (0.02,), ends=((0, 0, 0), (0, 0, 0.3))),))
    (first, radius), (second, _) = list_bounding_spheres(link.geoms)
    assert radius == 0.02 and {round(first[2], 6), round(second[2], 6)} == {0.0, 0.3}
