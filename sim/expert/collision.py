"""What is in the way: the solid geoms of a scene as boxes, and which poses of a hand would meet them.

A hand is a cloud of points: the corners of its palm and of its fingers, and of what it holds. That is not a
collision checker, but it keeps a hand from reaching through its neighbours, at a few milliseconds a motion.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import ArmModel, Geom
from sim.geometry import Array, compose, invert, make_pose, transform_points
from sim.world.mujoco import Copy

OBSTACLE_MARGIN_M = 0.006  # metres kept from everything but the table
HELD_POINT_SPACING_M = 0.05  # metres between the points of what is held
UNIT_BOX_CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))
AXIAL_GEOM_TYPES = (mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_CAPSULE)


@dataclass(frozen=True)
class ObstacleBoxes:
    """g boxes: centres (g 3), rotations (g 3 3), half lengths (g 3)."""

    centre: Array
    rotation: Array
    half_size: Array

    def find_collisions(self, point_clouds: Array) -> NDArray[np.bool_]:
        """Return which clouds (... p 3) have a point within some box (...)."""
        if not len(self.centre):
            return np.zeros(point_clouds.shape[:-2], bool)
        points = point_clouds.reshape(-1, 3)
        nearby = self._find_nearby(points)
        hit = np.zeros(len(points), bool)
        for centre, rotation, half_size in zip(
            self.centre[nearby], self.rotation[nearby], self.half_size[nearby], strict=True
        ):
            hit |= (np.abs((points - centre) @ rotation) < half_size).all(axis=1)
        return np.asarray(hit.reshape(point_clouds.shape[:-1]).any(axis=-1))

    def _find_nearby(self, points: Array) -> NDArray[np.bool_]:
        """Return which boxes (g,) could hold any of the points."""
        bounding_radius = np.linalg.norm(self.half_size, axis=1)[:, None]
        low, high = points.min(axis=0), points.max(axis=0)
        return ((self.centre + bounding_radius > low) & (self.centre - bounding_radius < high)).all(axis=1)


def collect_obstacles(instance: Copy, arm_name: str, ignored_objects: tuple[str, ...] = ()) -> ObstacleBoxes:
    """Return what an arm should keep clear of: the table, all objects but `without`, and the other arms."""
    model, data = instance.model, instance.data
    body_names = [model.body(i).name for i in range(model.nbody)]
    ignored_bodies = np.array(
        [name.startswith(f"{arm_name}/") or name.split(".")[0] in ignored_objects for name in body_names]
    )
    keep = (model.geom_contype != 0) & ~ignored_bodies[model.geom_bodyid] & (model.geom_bodyid != 0)
    half_size = model.geom_size[keep].copy()
    geom_types = model.geom_type[keep]
    axial = np.isin(geom_types, AXIAL_GEOM_TYPES)
    half_size[axial] = np.stack([half_size[axial, 0], half_size[axial, 0], half_size[axial, 1]], axis=1)
    half_size[geom_types == mujoco.mjtGeom.mjGEOM_CAPSULE, 2] += half_size[
        geom_types == mujoco.mjtGeom.mjGEOM_CAPSULE, 0
    ]
    half_size[geom_types == mujoco.mjtGeom.mjGEOM_SPHERE] = half_size[geom_types == mujoco.mjtGeom.mjGEOM_SPHERE, :1]
    is_table = model.geom_bodyid[keep] == model.body("table").id
    half_size += np.where(is_table, 0.0, OBSTACLE_MARGIN_M)[:, None]
    return ObstacleBoxes(data.geom_xpos[keep].copy(), data.geom_xmat[keep].reshape(-1, 3, 3).copy(), half_size)


def build_gripper_points(arm: ArmModel, opening: float) -> Array:
    """Return the points (p 3) of a hand in its tool frame, the fingers open by a fraction."""
    gripper = arm.gripper
    finger_gap = opening * gripper.stroke
    half_width, half_thickness, pad_length = gripper.pad_half_size
    fingers = [
        (x, side * y, z)
        for side in (-1, 1)
        for x in (-half_width, half_width)
        for y in (finger_gap, finger_gap + 2 * half_thickness)
        for z in (gripper.tip_offset, gripper.tip_offset - pad_length)
    ]
    tool_from_flange = invert(make_pose(arm.tool_pos, arm.tool_quat))
    palm = [
        point
        for geom in arm.links[-1].geoms
        if geom.collide
        for point in transform_points(tool_from_flange, compute_geom_corners(geom))
    ]
    return np.concatenate([np.array(fingers), np.stack(palm)])


def compute_geom_corners(geom: Geom) -> Array:
    """Return the corners (8 3) of a geom's bounding box in the frame of its body."""
    if geom.ends:
        a, b = np.array(geom.ends[0]), np.array(geom.ends[1])
        return np.concatenate(
            [a + geom.size[0] * UNIT_BOX_CORNERS[:4] * 0.7, b + geom.size[0] * UNIT_BOX_CORNERS[4:] * 0.7]
        )
    half = {"sphere": 3 * geom.size, "cylinder": (geom.size[0], *geom.size), "capsule": (geom.size[0], *geom.size)}
    return transform_points(make_pose(geom.pos, geom.quat), UNIT_BOX_CORNERS * np.array(half.get(geom.type, geom.size)))


def build_held_object_points(instance: Copy, obj: str, tool_pose: Array) -> Array:
    """Return points (p 3) of a held object's bounding box, no further apart than SPACING, in the tool frame."""
    low, high = _compute_object_bounds(instance, obj)
    axis_samples = [
        np.linspace(a, b, 1 + int(np.ceil((b - a) / HELD_POINT_SPACING_M))) for a, b in zip(low, high, strict=True)
    ]
    grid_points = np.stack(np.meshgrid(*axis_samples, indexing="ij"), axis=-1).reshape(-1, 3)
    return transform_points(compose(invert(tool_pose), instance.body_pose(obj)), grid_points)


def find_contained_objects(instance: Copy, obj: str) -> tuple[str, ...]:
    """Return the names of the free objects that are within the bounding box of another: what it carries."""
    low, high = _compute_object_bounds(instance, obj)
    object_from_world = invert(instance.body_pose(obj))
    free_objects = [name for name, kind in instance.kinds.items() if kind == "free" and name != obj]
    local_positions = {name: transform_points(object_from_world, instance.body_pose(name)[:3]) for name in free_objects}
    return tuple(name for name, position in local_positions.items() if ((position >= low) & (position <= high)).all())


def _compute_object_bounds(instance: Copy, obj: str) -> tuple[Array, Array]:
    points = np.concatenate([compute_geom_corners(geom) for geom in instance.layout.models[obj].geoms if geom.collide])
    return points.min(axis=0), points.max(axis=0)
