"""Leading a hinged or sliding part by a grasp, and pushing at a point: paths of the tool and who can follow them."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from sim.expert.arm import ArmController
from sim.expert.motion import MotionFailed, translation_offset
from sim.geometry import Array, compose, invert, make_pose, quat_from_axes, quat_from_axis_angle, rotate
from sim.objects import ObjectPart

PUSH_YAW_COUNT = 24  # ways to turn a tool about the line that it pushes along
PUSH_TILTS_RAD = (0.0, 0.35, -0.35, 0.7, -0.7)  # from that line
TOOL_ROTATION_FRACTIONS = (1.0, 0.7, 0.4)  # how much of a part's turn the tool itself makes, the firmest first


def build_push_candidates(position: Array, direction: Array) -> tuple[Array, Array]:
    """Return tool poses (c 7) that push at a position (3,) along a direction (3,), and their costs (c,)."""
    reference_axis = np.array([1.0, 0.0, 0.0]) if abs(direction[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    first_normal = np.cross(direction, reference_axis)
    first_normal /= np.linalg.norm(first_normal)
    second_normal = np.cross(direction, first_normal)
    tool_poses, costs = [], []
    for k in range(PUSH_YAW_COUNT):
        finger_axis = cos(2 * pi * k / PUSH_YAW_COUNT) * first_normal + sin(2 * pi * k / PUSH_YAW_COUNT) * second_normal
        for tilt in PUSH_TILTS_RAD:
            approach_axis = rotate(quat_from_axis_angle(finger_axis, np.array(tilt)), direction)
            tool_poses.append(make_pose(position, quat_from_axes(approach_axis, finger_axis)))
            costs.append(3 * abs(tilt))
    return np.stack(tool_poses), np.array(costs)


def can_follow_path(
    controller: ArmController,
    tool_pose: Array,
    tool_path: Array,
    q: Array,
    joint_paths: dict[bytes, Array],
    end_joints: Array | None = None,
) -> bool:
    """Tell whether an arm at `tool_pose` can follow `tool_path` (k 7); the joint path is kept by that pose's bytes."""
    try:
        joint_paths[tool_pose.tobytes()] = controller.solve_joint_path(tool_path, q, end_joints)
    except MotionFailed:
        return False
    return True


def can_lead_part(
    controller: ArmController,
    part: ObjectPart,
    frame: Array,
    joint_steps: Array,
    tool_poses: Array,
    q: Array,
    joint_paths: dict[bytes, Array],
) -> NDArray[np.bool_]:
    """From which of `tool_poses` (c 7) an arm can lead a part (c,); the joint paths are kept by the poses' bytes."""
    feasible = np.zeros(len(tool_poses), bool)
    for rotation_fraction in (1.0,) if part.prismatic else TOOL_ROTATION_FRACTIONS:
        remaining = np.flatnonzero(~feasible)
        if not len(remaining):
            break
        tool_paths = [_compute_part_path(frame, part, tool_poses[k], joint_steps, rotation_fraction) for k in remaining]
        end_joints, reached = controller.chain.solve_ik(
            np.stack([tool_path[-1] for tool_path in tool_paths]), q[remaining], iterations=60
        )
        for k, tool_path, path_end in zip(
            remaining[reached], np.stack(tool_paths)[reached], end_joints[reached], strict=True
        ):
            feasible[k] = can_follow_path(controller, tool_poses[k], tool_path, q[k], joint_paths, path_end)
    return feasible


def _compute_part_path(
    frame: Array, part: ObjectPart, tool_pose: Array, joint_steps: Array, rotation_fraction: float
) -> Array:
    """Tool path (k 7) of a grasp on a part whose joint moves by `joint_steps` (k,), radians or metres, in `frame`.

    The tool itself turns by `rotation_fraction` of a hinge's turn, pivoting on what it holds.
    """
    if part.prismatic:
        slide_axis = rotate(frame[3:], part.axis)
        return np.stack([translation_offset(step * slide_axis)(tool_pose) for step in joint_steps])
    frame_from_tool = compose(invert(frame), tool_pose)
    positions = [
        compose(compose(frame, make_pose((0, 0, 0), quat_from_axis_angle(part.axis, angle))), frame_from_tool)[:3]
        for angle in joint_steps
    ]
    rotations = [
        compose(
            compose(frame, make_pose((0, 0, 0), quat_from_axis_angle(part.axis, rotation_fraction * angle))),
            frame_from_tool,
        )[3:]
        for angle in joint_steps
    ]
    return np.concatenate([np.stack(positions), np.stack(rotations)], axis=1)
