"""Grasp selection: the candidates that an object offers, fitted to a gripper.

An object's grasps know of no gripper. Here those that are wider than the gripper opens are left out, and the tool is
moved off a grasp's origin where the palm would meet the object, or fingers would meet the table or what the object
has under the grasp. A grasp whose contacts would then lie beside the pads is left out too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import ArmModel
from sim.expert.arm import ArmController, ExpertContext
from sim.expert.collision import build_finger_points, build_gripper_points, build_palm_points
from sim.expert.motion import MotionFailed
from sim.geometry import Array, compose, conjugate, make_pose, rotate, transform_points
from sim.objects import Grasp
from sim.task.spec import SpecError
from sim.types import FailureCause

MIN_TABLE_CLEARANCE_M = 0.0005  # between a hand and the table
FINGERTIP_CLEARANCE_M = 0.002  # between fingers and the table where they are moved off it
MIN_FINGER_GAP_M = 0.0025  # between each finger and what a gripper just opens wide enough for
PALM_CLEARANCE_M = 0.006  # between the palm and what is held
OFFSET_COST_RAD_PER_M = 10.0  # radians rather moved than held by a metre beside the middle of the pads
FINGERS_SWAPPED = make_pose((0, 0, 0), (0, 0, 0, 1))  # half a turn about the approach
Y_AXIS, Z_AXIS = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
MIN_RISE = 0.01  # of a hand moved in the plane of its fingers, metres a metre; below, the plane counts as level


@dataclass(frozen=True)
class FittedGrasps:
    """Grasps that fit a gripper: tool poses (c 7), distances between the fingers on the approach (c,), costs (c,).

    Poses in the frame that the grasps were given in, distances in metres, costs in radians of joint movement.
    """

    tool_poses: Array
    openings_m: Array
    costs: Array


def build_grasp_candidates(
    context: ExpertContext,
    obj: str,
    grasp_names: str | tuple[str, ...],
    height_offset: float,
    controller: ArmController,
) -> FittedGrasps:
    """Grasps of an object, in the world, that fit an arm's gripper and keep it above the table, either way round.

    `height_offset` moves them up along the object. `SpecError` names the grasps there are; `MotionFailed` says why none
    fits.
    """
    arm, robot_name = controller.arm_model, context.world.robot.name
    table_height = context.world.scene.table.top
    names = (grasp_names,) if isinstance(grasp_names, str) else grasp_names
    grasps_by_part = [_find_grasps(context, obj, name) for name in names]
    check_grasp_width(arm, robot_name, obj, [grasp for _, grasps in grasps_by_part for grasp in grasps])
    fitted = []
    for part_name, grasps in grasps_by_part:
        body_pose = context.world.body_pose(f"{obj}.{part_name}" if part_name else obj)
        shifted_pose = compose(body_pose, make_pose((0, 0, height_offset)))
        fitted.append(fit_grasps(arm, grasps, shifted_pose, table_height))
    candidates = FittedGrasps(
        np.concatenate([part.tool_poses for part in fitted]),
        np.concatenate([part.openings_m for part in fitted]),
        np.concatenate([part.costs for part in fitted]),
    )
    if not len(candidates.tool_poses):
        reason = f"no {' or '.join(names)} grasp of {obj} leaves room for the hand of robot {robot_name!r}"
        raise MotionFailed(FailureCause.NO_GRASP, reason)
    return candidates


def check_grasp_width(arm: ArmModel, robot_name: str, obj: str, grasps: Sequence[Grasp]) -> None:
    """Raise `MotionFailed` naming an object of which no grasp is narrow enough for an arm's gripper."""
    max_width = arm.gripper.max_width_m
    thinnest = min(grasp.width_m for grasp in grasps)
    if thinnest + 2 * MIN_FINGER_GAP_M > max_width:
        sizes = f"{1000 * thinnest:.0f} mm wide, it opens {1000 * max_width:.0f} mm"
        reason = f"no grasp of {obj!r} fits the gripper of robot {robot_name!r}: {sizes}"
        raise MotionFailed(FailureCause.NO_GRASP, reason)


def fit_grasps(arm: ArmModel, grasps: Sequence[Grasp], body_pose: Array, table_height: float) -> FittedGrasps:
    """Those of a body's grasps that fit an arm's gripper, the body at `body_pose` (7,), either way round."""
    gripper = arm.gripper
    narrow = [grasp for grasp in grasps if grasp.width_m + 2 * MIN_FINGER_GAP_M <= gripper.max_width_m]
    if not narrow:
        return FittedGrasps(np.empty((0, 7)), np.empty(0), np.empty(0))
    narrow = [grasp for grasp in narrow for _ in range(2)]  # each is followed by itself with the fingers swapped
    openings = np.array([min(grasp.opening_m, gripper.max_width_m) for grasp in narrow])
    fingers = _stack_by_opening(openings, lambda opening: build_finger_points(gripper, opening))
    hands = _stack_by_opening(openings, lambda opening: build_gripper_points(arm, opening))
    origins = np.stack([grasp.pose for grasp in narrow])
    origins[1::2] = compose(origins[1::2], FINGERS_SWAPPED)
    tool_poses = _keep_palm_behind(origins, np.array([grasp.depth_m for grasp in narrow]), arm)
    tool_poses = _raise_above(tool_poses, fingers, np.array([grasp.floor_m for grasp in narrow]))
    tool_poses = _raise_above(compose(body_pose, tool_poses), hands, table_height + FINGERTIP_CLEARANCE_M)
    offsets = compose(body_pose, origins)[:, :3] - tool_poses[:, :3]
    contacts = rotate(conjugate(tool_poses[:, 3:]), offsets)  # of the origins, in the tool frame
    reaches = contacts[:, 2] + [grasp.min_reach_m for grasp in narrow]
    fits = (reaches <= gripper.tip_offset) & (abs(contacts[:, 0]) <= gripper.pad_half_size[0])
    fits &= _find_lowest(tool_poses, hands) > table_height + MIN_TABLE_CLEARANCE_M
    costs = [grasp.cost for grasp in narrow] + OFFSET_COST_RAD_PER_M * np.linalg.norm(contacts, axis=1)
    return FittedGrasps(tool_poses[fits], openings[fits], costs[fits])


def _keep_palm_behind(poses: Array, depths: Array, arm: ArmModel) -> Array:
    """Draw tool poses (c 7) back along the approach until the palm is behind what reaches `depths` (c,) towards it."""
    palm_distance = -build_palm_points(arm)[:, 2].max()
    retreats = np.maximum(0.0, depths + PALM_CLEARANCE_M - palm_distance)
    return _translate(poses, rotate(poses[:, 3:], -retreats[:, None] * Z_AXIS))


def _raise_above(poses: Array, points: Array, heights: float | Array) -> Array:
    """Move tool poses (c 7) in the plane of their fingers until the lowest of `points` (c p 3) is at `heights` (c,).

    In that plane the hand stays centred on what is between the fingers. Where it is level nothing is moved.
    """
    closing_axes = rotate(poses[:, 3:], Y_AXIS)
    in_plane = Z_AXIS - closing_axes[:, 2:] * closing_axes
    rise_per_metre = (in_plane**2).sum(axis=1)  # of a move by `in_plane`
    missing = np.maximum(0.0, heights - _find_lowest(poses, points))
    moves = np.where(rise_per_metre > MIN_RISE, missing / np.maximum(rise_per_metre, MIN_RISE), 0.0)
    return _translate(poses, moves[:, None] * in_plane)


def _translate(poses: Array, shifts: Array) -> Array:
    return np.concatenate([poses[:, :3] + shifts, poses[:, 3:]], axis=1)


def _find_lowest(poses: Array, points: Array) -> Array:
    """Heights (c,) of the lowest of the points (c p 3) of hands at tool poses (c 7)."""
    return transform_points(poses[:, None], points)[..., 2].min(axis=1)


def _find_grasps(context: ExpertContext, obj: str, grasp_name: str) -> tuple[str, tuple[Grasp, ...]]:
    models = context.world.scene.models
    if obj not in models or grasp_name not in models[obj].grasps:
        valid = ", ".join(models[obj].grasps) if obj in models else ", ".join(models)
        raise SpecError(f"{obj} has no grasp {grasp_name!r}; valid: {valid}")
    return models[obj].grasps[grasp_name]


def find_colliding_grasps(
    context: ExpertContext,
    controller: ArmController,
    obj: str,
    tool_poses: Array,
    openings_m: Array,
    approach_distance: float,
) -> NDArray[np.bool_]:
    """Which tool poses (c 7) of a hand opened so far (c,) would meet others than `obj`, there or on the approach."""
    obstacles = context.obstacles.collect(controller.arm_model.name, (obj,))
    hands = _stack_by_opening(openings_m, lambda opening: build_gripper_points(controller.arm_model, opening))
    checked_poses = (tool_poses, compose(tool_poses, make_pose((0, 0, -approach_distance))))
    return np.any(
        [obstacles.find_collisions(transform_points(poses[:, None], hands)) for poses in checked_poses], axis=0
    )


def check_table_clearance(
    context: ExpertContext, controller: ArmController, tool_poses: Array, openings_m: Array
) -> NDArray[np.bool_]:
    """Which tool poses (c 7) leave the hand, opened so far (c,), above the table's top."""
    hands = _stack_by_opening(openings_m, lambda opening: build_gripper_points(controller.arm_model, opening))
    return _find_lowest(tool_poses, hands) > context.world.scene.table.top + MIN_TABLE_CLEARANCE_M


def _stack_by_opening(openings_m: Array, build_points: Callable[[float], Array]) -> Array:
    """Points (c p 3) of a hand for each of the openings (c,)."""
    unique_openings, inverse = np.unique(openings_m, return_inverse=True)
    return np.stack([build_points(float(opening)) for opening in unique_openings])[inverse]
