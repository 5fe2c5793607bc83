"""Places as poses that would do, and what single motions of an arm take; worlds and arms made by hand."""

from __future__ import annotations

from math import pi
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim import robots
from sim.embodiment.kinematics import KinematicChain
from sim.expert.arm import ArmController
from sim.expert.collision import build_finger_points
from sim.expert.goals import MAX_PLACED_ERROR_M, Goal
from sim.geometry import make_pose, quat_to_rotation_vector
from sim.world.protocol import WORLD_CONTACT

PANDA = robots.load_robot("panda").arms[0]


def see_cup(position: NDArray, side: float = 1.0, symmetry: int = 1) -> Any:  # noqa: ANN401
    """Return a context in which a cup stands upright at a position, and a role acts on a side."""
    model = SimpleNamespace(frames={"bottom": ("", make_pose((0.0, 0.0, 0.0)))}, yaw_symmetry=symmetry)
    world = SimpleNamespace(
        side_sign=lambda role: side,
        table_origin=np.array((0.0, 0.0, 0.74)),
        frame_pose=lambda name: make_pose(position),
        scene=SimpleNamespace(models={"cup": model}),
    )
    return SimpleNamespace(world=world)


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
