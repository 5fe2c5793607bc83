"""Point clouds of a gripper and of what it holds, for collision checks against `sim.expert.obstacles`.

A gripper is represented by points: the corners of its palm, of its fingers and of what it holds. That is no collision
checker, but it keeps a hand from reaching through its neighbours at a few milliseconds a motion.
"""

from __future__ import annotations

import numpy as np

from sim.embodiment.model import ArmModel, Gripper
from sim.geometry import Array, compose, invert, make_pose, transform_points
from sim.objects.bounds import compute_bounding_box, compute_geom_corners
from sim.world.state import WorldView

HELD_POINT_SPACING_M = 0.05  # metres between the points of what is held


def build_gripper_points(arm: ArmModel, opening_m: float) -> Array:
    """Points (p 3) of a hand in its tool frame, its fingers `opening_m` apart: corners of fingers and palm."""
    return np.concatenate([build_finger_points(arm.gripper, opening_m), build_palm_points(arm)])


def build_finger_points(gripper: Gripper, opening_m: float) -> Array:
    """Corners (16 3) of the lower halves of two fingers `opening_m` apart, in the tool frame."""
    half_width, half_thickness, half_length = gripper.pad_half_size
    return np.array(
        [
            (x, side * y, z)
            for side in (-1, 1)
            for x in (-half_width, half_width)
            for y in (opening_m / 2, opening_m / 2 + 2 * half_thickness)
            for z in (gripper.tip_offset, gripper.tip_offset - half_length)
        ]
    )


def build_palm_points(arm: ArmModel) -> Array:
    """Corners (p 3) of the bounding boxes of what collides of the last link, in the tool frame."""
    tool_from_flange = invert(make_pose(arm.tool_pos, arm.tool_quat))
    return np.concatenate(
        [transform_points(tool_from_flange, compute_geom_corners(geom)) for geom in arm.links[-1].geoms if geom.collide]
    )


def build_held_object_points(world: WorldView, obj: str, tool_pose: Array) -> Array:
    """Points (p 3), in the tool frame, of a held object's bounding box, HELD_POINT_SPACING_M apart at most."""
    low, high = _compute_object_bounds(world, obj)
    axis_samples = [
        np.linspace(a, b, 1 + int(np.ceil((b - a) / HELD_POINT_SPACING_M))) for a, b in zip(low, high, strict=True)
    ]
    grid_points = np.stack(np.meshgrid(*axis_samples, indexing="ij"), axis=-1).reshape(-1, 3)
    return transform_points(compose(invert(tool_pose), world.body_pose(obj)), grid_points)


def find_contained_objects(world: WorldView, obj: str) -> tuple[str, ...]:
    """Names of the free objects that are within the bounding box of another: what it carries."""
    low, high = _compute_object_bounds(world, obj)
    object_from_world = invert(world.body_pose(obj))
    free_objects = [name for name, kind in world.body_types.items() if kind == "free" and name != obj]
    local_positions = {name: transform_points(object_from_world, world.body_pose(name)[:3]) for name in free_objects}
    return tuple(name for name, position in local_positions.items() if ((position >= low) & (position <= high)).all())


def _compute_object_bounds(world: WorldView, obj: str) -> tuple[Array, Array]:
    return compute_bounding_box(world.scene.models[obj].geoms)
