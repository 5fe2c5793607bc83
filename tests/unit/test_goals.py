"""Places as poses that would do, and what single motions of an arm take; worlds and arms made by hand."""

from __future__ import annotations

from math import pi
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from sim import robots
from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.model import Geom
from sim.expert.arm import ArmController, ExpertContext
from sim.expert.collision import (
    HELD_POINT_SPACING_M,
    build_finger_points,
    build_held_object_points,
    find_contained_objects,
)
from sim.expert.goals import MAX_PLACED_ERROR_M, Goal
from sim.geometry import compose, invert, make_pose, quat_from_axis_angle, quat_to_rotation_vector, transform_points
from sim.world.protocol import WORLD_CONTACT

PANDA = robots.load_robot("panda").arms[0]


def see_cup(position: NDArray, side: float = 1.0, symmetry: int = 1) -> ExpertContext:
    """Return a context in which a cup stands upright at a position, and a role acts on a side."""
    model = SimpleNamespace(frames={"bottom": ("", make_pose((0.0, 0.0, 0.0)))}, yaw_symmetry=symmetry)
    world = SimpleNamespace(
        side_sign=lambda role: side,
        table_origin=np.array((0.0, 0.0, 0.74)),
        frame_pose=lambda name: make_pose(position),
        scene=SimpleNamespace(models={"cup": model}),
    )
    return cast("ExpertContext", SimpleNamespace(world=world))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_goal_is_mirrored_with_its_yaw_and_its_offset(side: float) -> None:
    goal = Goal("cup", to=(0.2, 0.1, 0.0), yaw=(0.4,), offset=(0.05, 0.0, 0.01), mirror="a")
    (pose,) = goal.compute_object_poses(see_cup(np.zeros(3), side))
    np.testing.assert_allclose(pose[:3], (side * 0.25, 0.1, 0.75))
    assert quat_to_rotation_vector(pose[3:])[2] == pytest.approx(side * 0.4)


def test_a_thing_that_looks_alike_after_a_turn_may_be_turned_by_it() -> None:
    poses = Goal("cup", to=(0.2, 0.1, 0.0), yaw=(0.4,)).compute_object_poses(see_cup(np.zeros(3), symmetry=2))
    assert np.sort(quat_to_rotation_vector(poses[:, 3:])[:, 2]) == pytest.approx([0.4 - pi, 0.4])


@pytest.mark.parametrize("axis", range(3))
def test_a_goal_is_reached_within_its_error_in_the_plane_and_twice_that_in_height(axis: int) -> None:
    goal, limit = Goal("cup", to=(0.2, 0.1, 0.0)), MAX_PLACED_ERROR_M * (2 if axis == 2 else 1)
    for gap, reached in ((limit - 1e-6, True), (limit + 1e-6, False), (1e-6 - limit, True), (-limit - 1e-6, False)):
        assert goal.is_reached(see_cup(np.array((0.2, 0.1, 0.74)) + gap * np.eye(3)[axis])) == reached


def test_half_the_pace_takes_twice_as_long() -> None:
    chain = KinematicChain(PANDA)
    hand: Any = SimpleNamespace(commanded_joints=chain.home_joints, chain=chain)
    path = np.tile(chain.home_joints, (5, 1))
    path[:, 0] += np.linspace(0.1, 0.5, 5)
    fast, slow = (ArmController.compute_path_duration(hand, path, pace) for pace in (1.0, 0.5))
    assert slow == pytest.approx(2 * fast)
    assert fast >= 1.875 * 0.5 / chain.max_joint_speeds[0] - 1e-9  # the peak of a minimum-jerk move


@pytest.mark.parametrize(("fingers", "holds"), [((0, 1), True), ((0,), False), ((1,), False), ((0, 0), False)])
@pytest.mark.parametrize("swapped", [False, True])
def test_between_both_fingers_is_what_both_touch(fingers: tuple[int, ...], holds: bool, swapped: bool) -> None:
    bodies = ("table", "cup", "left/finger0", "left/finger1", "right/finger0", "right/finger1")
    rows = np.zeros(len(fingers) + 2, WORLD_CONTACT)
    rows["a"], rows["b"] = [*(2 + k for k in fingers), 4, 5], 1  # the other hand holds it, whatever this one does
    if swapped:
        rows["a"], rows["b"] = rows["b"].copy(), rows["a"].copy()
    world = SimpleNamespace(contacts=lambda: rows, bodies=bodies)
    hand: Any = SimpleNamespace(context=SimpleNamespace(world=world), arm_model=SimpleNamespace(name="left"))
    assert ArmController.both_fingers_touch(hand, "cup") == holds
    assert not ArmController.both_fingers_touch(hand, "table")


def test_fingers_are_the_lower_halves_of_the_pads_as_far_apart_as_told() -> None:
    gripper = PANDA.gripper
    points = build_finger_points(gripper, 0.05)
    assert np.abs(points[:, 1]).min() == pytest.approx(0.025)
    assert np.ptp(points[:, 2]) == pytest.approx(gripper.pad_half_size[2])
    assert points[:, 2].max() == pytest.approx(gripper.tip_offset)
    np.testing.assert_allclose(np.sort(points[:, 1]), np.sort(-points[:, 1]))


def see_tray(half_size: tuple[float, float, float], **positions: NDArray) -> tuple[Any, NDArray]:
    """Return a world with a tray, turned by 90° about z and away from the origin, things there, and its pose."""
    tray = make_pose((0.3, 0.2, 0.8), quat_from_axis_angle((0, 0, 1), np.array(pi / 2)))
    poses = {"tray": tray, **{name: make_pose(position) for name, position in positions.items()}}
    models = {"tray": SimpleNamespace(geoms=(Geom("box", half_size, (0.0, 0.0, half_size[2])),))}
    kinds = {name: "fixed" if name.startswith("fixed") else "free" for name in poses}
    scene = SimpleNamespace(models=models)
    return SimpleNamespace(scene=scene, body_types=kinds, body_pose=lambda name: poses[name]), tray


def test_what_a_thing_carries_lies_within_it_as_it_is_turned() -> None:
    _, tray = see_tray((0.2, 0.05, 0.03))
    spots = {
        "along": (0.15, 0.0, 0.01), "back": (-0.15, 0.04, 0.05), "fixed": (0.0, 0.0, 0.01),
        "across": (0.0, 0.15, 0.01), "aside": (0.0, -0.06, 0.01), "under": (0.0, 0.0, -0.01), "over": (0.0, 0.0, 0.07),
    }  # fmt: skip
    world, _ = see_tray((0.2, 0.05, 0.03), **{name: transform_points(tray, spot) for name, spot in spots.items()})
    assert find_contained_objects(world, "tray") == ("along", "back")


@pytest.mark.parametrize("half_size", [(0.01, 0.02, 0.0249), (0.025, 0.03, 0.1)], ids=["small", "large"])
def test_what_is_held_is_points_from_corner_to_corner_close_to_each_other(
    half_size: tuple[float, float, float],
) -> None:
    world, tray = see_tray(half_size)
    tool = make_pose((0.3, 0.1, 0.9), quat_from_axis_angle((1, 0, 0), np.array(2.5)))
    points = transform_points(compose(invert(tray), tool), build_held_object_points(world, "tray", tool))
    for axis, half in enumerate(half_size):
        ticks = np.unique(points[:, axis].round(9))
        low = 0.0 if axis == 2 else -half
        assert ticks[0] == pytest.approx(low, abs=1e-9) and ticks[-1] == pytest.approx(low + 2 * half)
        assert np.diff(ticks).max() <= HELD_POINT_SPACING_M + 1e-9
    assert len(points) == np.prod([len(np.unique(points[:, axis].round(9))) for axis in range(3)])
