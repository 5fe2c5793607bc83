"""Checks of a robot's geometry: tool axis, finger pads, home posture, cameras. Each is one line with its figures.

They find what a file of valid numbers can still say wrongly: a tool frame that is turned against the hand, fingers
that float beside it, a home posture outside the joint ranges or inside the table, a camera that looks elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import acos, degrees, tan

import numpy as np

from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.model import ArmModel, Camera, Embodiment, Geom
from sim.embodiment.shapes import compute_bounding_radius, compute_signed_distance, locate_geom, sample_points
from sim.geometry import (
    Array,
    compose,
    invert,
    make_pose,
    quat_from_matrix,
    rotate,
    transform_points,
)
from sim.task.spec import TABLE_HALF_EXTENTS_M, TablePlacement

MAX_TOOL_TILT_RAD = 0.5  # between the tool's z axis and the direction from the hand to the tool's origin
MAX_PAD_GAP_M = 0.015  # between a finger pad and the hand that it slides on
MAX_HOME_OVERLAP_M = 0.002  # with the table, the floor and the other arm
MAX_SELF_OVERLAP_M = 0.012  # of links of one arm, whose shapes are rough
MIN_SELF_CHECK_DISTANCE = 3  # links apart along the chain; nearer ones share a joint's housing
MIN_TABLE_VIEW_SHARE = 0.5  # of the table's top in the square picture of the first camera


@dataclass(frozen=True)
class RobotCheck:
    """Outcome of one check: what was looked at, whether it passed, and what was found."""

    name: str
    passed: bool
    finding: str


@dataclass(frozen=True)
class BodyShape:
    """The colliding geoms of one body at a world pose (7,); `index` counts along the arm's chain, -1 the base."""

    name: str
    arm: str
    index: int
    pose: Array
    geoms: tuple[Geom, ...]


def check_robot(robot: Embodiment) -> tuple[RobotCheck, ...]:
    """Outcome of all checks, arm by arm and then of the whole robot."""
    by_arm = (check for arm in robot.arms for check in (check_tool_axis(arm), check_finger_pads(arm), check_home(arm)))
    return (*by_arm, check_home_clearance(robot), check_table_view(robot))


def check_tool_axis(arm: ArmModel) -> RobotCheck:
    """The tool's z axis points away from the hand."""
    points = np.concatenate([sample_points(geom) for geom in _list_hand_geoms(arm)])
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    outward = np.array(arm.tool_pos) - centre
    cosine = float(rotate(arm.tool_quat, (0.0, 0.0, 1.0)) @ outward) / max(float(np.linalg.norm(outward)), 1e-9)
    tilt = acos(min(1.0, max(-1.0, cosine)))
    return RobotCheck(
        f"tool axis of {arm.name}",
        tilt <= MAX_TOOL_TILT_RAD,
        f"z points {degrees(tilt):.0f}° off the direction from the hand to the tool's origin; "
        f"valid: up to {degrees(MAX_TOOL_TILT_RAD):.0f}°",
    )


def check_finger_pads(arm: ArmModel) -> RobotCheck:
    """Both finger pads touch the hand, or nearly so, open and closed."""
    gap = max(_measure_pad_gap(arm, pad) for opening in (0.0, 1.0) for pad in list_pad_geoms(arm, opening))
    return RobotCheck(
        f"finger pads of {arm.name}",
        gap <= MAX_PAD_GAP_M,
        f"{max(gap, 0.0) * 1000:.0f} mm from the hand; valid: up to {MAX_PAD_GAP_M * 1000:.0f} mm",
    )


def check_home(arm: ArmModel) -> RobotCheck:
    """The home posture is within the joint ranges."""
    outside = [
        f"joint{i} at {value:.3f} rad, valid: {link.range[0]:.3f} to {link.range[1]:.3f}"
        for i, (value, link) in enumerate(zip(arm.home, arm.links, strict=True))
        if not link.range[0] <= value <= link.range[1]
    ]
    return RobotCheck(f"home of {arm.name}", not outside, "; ".join(outside) or "within the joint ranges")


def check_home_clearance(robot: Embodiment) -> RobotCheck:
    """At home no link or finger is inside the table, the floor, the other arm, or a distant link of its own arm."""
    overlaps = [
        f"{first} is {depth * 1000:.0f} mm inside {second}"
        for first, second, depth, allowed in _measure_overlaps(robot)
        if depth > allowed
    ]
    return RobotCheck("home clearance", not overlaps, "; ".join(overlaps) or "free of collision")


def check_table_view(robot: Embodiment) -> RobotCheck:
    """The first camera sees the table."""
    camera = robot.cameras[0]
    share = compute_table_view_share(robot, camera)
    return RobotCheck(
        f"view of {camera.name}",
        share >= MIN_TABLE_VIEW_SHARE,
        f"sees {share:.0%} of the table in a square picture; valid: at least {MIN_TABLE_VIEW_SHARE:.0%}",
    )


def compute_table_view_share(robot: Embodiment, camera: Camera) -> float:
    """Share of the table's top that is inside a camera's square picture at home; what hides it does not count."""
    half_x, half_y, _ = TABLE_HALF_EXTENTS_M
    grid = [
        (x, y, TablePlacement().top) for x in np.linspace(-half_x, half_x, 25) for y in np.linspace(-half_y, half_y, 15)
    ]
    points = transform_points(invert(compute_camera_pose(robot, camera)), np.array(grid))
    reach = tan(camera.fovx / 2) * points[:, 2]
    return float(((points[:, 2] > 0) & (np.abs(points[:, :2]) < reach[:, None]).all(axis=1)).mean())


def compute_camera_pose(robot: Embodiment, camera: Camera) -> Array:
    """World pose (7,) of a camera at home, axes right, down and forward."""
    forward = np.array(camera.forward) / np.linalg.norm(camera.forward)
    right = np.cross(forward, camera.up)
    right = right / np.linalg.norm(right)
    local = make_pose(camera.pos, quat_from_matrix(np.stack([right, np.cross(forward, right), forward], axis=-1)))
    parents = [compute_link_poses(arm)[-1] for arm in robot.arms if arm.name == camera.arm]
    return compose(parents[0], local) if parents else local


def compute_link_poses(arm: ArmModel) -> list[Array]:
    """World poses (7,) of an arm's links at home."""
    frames = KinematicChain(arm).compute_link_frames(np.array(arm.home, float))
    return [make_pose(frame[:3, 3], quat_from_matrix(frame[:3, :3])) for frame in frames]


def compute_tool_pose(arm: ArmModel) -> Array:
    """World pose (7,) of an arm's tool at home."""
    return compose(compute_link_poses(arm)[-1], make_pose(arm.tool_pos, arm.tool_quat))


def list_pad_geoms(arm: ArmModel, opening: float) -> list[Geom]:
    """The two finger pads in the frame of the last link, the gripper open by a fraction."""
    gripper, pads = arm.gripper, []
    for side in (1.0, -1.0):
        y = side * (opening * gripper.stroke + gripper.pad_half_size[1])
        centre = (0.0, y, gripper.tip_offset - gripper.pad_half_size[2])
        x, y, z, *quat = compose(make_pose(arm.tool_pos, arm.tool_quat), make_pose(centre)).tolist()
        pads.append(Geom("box", gripper.pad_half_size, (x, y, z), (quat[0], quat[1], quat[2], quat[3])))
    return pads


def _list_hand_geoms(arm: ArmModel) -> list[Geom]:
    return [geom for geom in arm.links[-1].geoms if geom.collide]


def _measure_pad_gap(arm: ArmModel, pad: Geom) -> float:
    """Distance (metres) between a pad and the nearest geom of the hand, 0 or less where they meet."""
    points = sample_points(pad, 0.004)
    return min(float(compute_signed_distance(geom, points).min()) for geom in _list_hand_geoms(arm))


def _measure_overlaps(robot: Embodiment) -> Iterator[tuple[str, str, float, float]]:
    """Names of two bodies that may collide at home, how deep they are in each other, and how deep they may be."""
    shapes = [shape for arm in robot.arms for shape in _list_body_shapes(arm)]
    moving = [shape for shape in shapes if shape.index >= 0]
    top, (half_x, half_y, half_z) = TablePlacement().top, TABLE_HALF_EXTENTS_M
    table = (Geom("box", (half_x, half_y, half_z), (0.0, 0.0, top - half_z)),)
    floor = (Geom("box", (10.0, 10.0, 0.5), (0.0, 0.0, -0.5)),)
    for name, geoms in (("the table", table), ("the floor", floor)):
        fixed = BodyShape(name, "", -1, make_pose((0.0, 0.0, 0.0)), geoms)
        yield from ((shape.name, name, _measure_depth(shape, fixed), MAX_HOME_OVERLAP_M) for shape in moving)
    for first, second in product(moving, shapes):
        if first.arm == second.arm:
            is_pair, allowed = first.index - second.index >= MIN_SELF_CHECK_DISTANCE, MAX_SELF_OVERLAP_M
        else:
            is_pair, allowed = second.index < 0 or first.name < second.name, MAX_HOME_OVERLAP_M
        if is_pair:
            yield first.name, second.name, max(_measure_depth(first, second), _measure_depth(second, first)), allowed


def _list_body_shapes(arm: ArmModel) -> list[BodyShape]:
    """Base and links of an arm at home; the open fingers belong to the last link."""
    poses = [make_pose(arm.base_pos, arm.base_quat), *compute_link_poses(arm)]
    geoms = [arm.base_geoms, *(link.geoms for link in arm.links[:-1])]
    geoms.append((*arm.links[-1].geoms, *list_pad_geoms(arm, 1.0)))
    names = [f"{arm.name}/base", *(f"{arm.name}/link{i}" for i in range(len(arm.links) - 1)), f"{arm.name}/hand"]
    return [
        BodyShape(name, arm.name, i - 1, pose, tuple(geom for geom in shapes if geom.collide))
        for i, (name, pose, shapes) in enumerate(zip(names, poses, geoms, strict=True))
    ]


def _measure_depth(body: BodyShape, other: BodyShape) -> float:
    """How deep (metres) the deepest point of a body is inside another, 0 where they are apart."""
    to_other, depth = compose(invert(other.pose), body.pose), 0.0
    for geom, shape in product(body.geoms, other.geoms):
        centre = transform_points(to_other, locate_geom(geom)[0][:3])
        if compute_signed_distance(shape, centre[None])[0] < compute_bounding_radius(geom):
            points = transform_points(to_other, sample_points(geom))
            depth = max(depth, -float(compute_signed_distance(shape, points).min()))
    return depth
