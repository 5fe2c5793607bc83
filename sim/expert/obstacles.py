"""Obstacles: the colliding geoms of a scene, and of the other arms, as oriented boxes in the world frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.model import ArmModel, Geom
from sim.geometry import (
    Array,
    align_z_axis,
    compose,
    make_pose,
    quat_from_matrix,
    quat_to_matrix,
)
from sim.task.spec import TABLE_HALF_EXTENTS_M
from sim.world.state import WorldView

OBSTACLE_MARGIN_M = 0.006  # kept from everything but the table
TABLE_TOP = Geom("box", TABLE_HALF_EXTENTS_M, (0.0, 0.0, -TABLE_HALF_EXTENTS_M[2]))


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


class ObstacleSet:
    """The obstacles of one world's scene: boxes fixed to bodies, posed anew at every query."""

    def __init__(self, world: WorldView, chains: dict[str, KinematicChain]) -> None:
        self._world, self._chains = world, chains
        scene = world.scene
        geoms = [("table", TABLE_TOP)]
        for name, model in scene.models.items():
            geoms += [(name, geom) for geom in model.geoms]
            geoms += [(f"{name}.{part.name}", geom) for part in model.parts for geom in part.geoms]
        geoms = [(body, geom) for body, geom in geoms if geom.collide]
        self._objects = np.array([body.partition(".")[0] for body, _ in geoms])
        self._columns = np.array([world.table.body_index(body) for body, _ in geoms])
        self._local, self._half = _stack_boxes(geom for _, geom in geoms)
        self._half += np.where(self._objects == "table", 0.0, OBSTACLE_MARGIN_M)[:, None]
        fixed = [(d.pose, geom) for d in scene.visuals.distractors for geom in d.model.geoms if geom.collide]
        local, half = _stack_boxes(geom for _, geom in fixed)
        bases = np.array([pose for pose, _ in fixed]).reshape(-1, 7)
        self._distractors = _pose_boxes(bases, local, half + OBSTACLE_MARGIN_M)

    def collect(self, arm_name: str, ignored_objects: tuple[str, ...] = ()) -> ObstacleBoxes:
        """Return what an arm should keep clear of: table, distractors, all objects but the ignored, the other arms."""
        keep = ~np.isin(self._objects, ignored_objects)
        bodies = self._world.body_poses[self._columns[keep]]
        parts = [self._distractors, _pose_boxes(bodies, self._local[keep], self._half[keep])]
        first = 0
        for arm in self._world.robot.arms:
            if arm.name != arm_name:
                measured = self._world.proprio[first : first + len(arm.links) + 1]
                parts.append(_pose_arm(arm, self._chains[arm.name], measured))
            first += len(arm.links) + 1
        return ObstacleBoxes(*(np.concatenate(field) for field in zip(*map(_fields, parts), strict=True)))


def _fields(boxes: ObstacleBoxes) -> tuple[Array, Array, Array]:
    return boxes.centre, boxes.rotation, boxes.half_size


def _pose_arm(arm: ArmModel, chain: KinematicChain, measured: Array) -> ObstacleBoxes:
    """Return the boxes of an arm at its measured joints and gripper opening."""
    frames = chain.compute_link_frames(measured[:-1])
    base = make_pose(arm.base_pos, arm.base_quat)
    links = [make_pose(frame[:3, 3], quat_from_matrix(frame[:3, :3])) for frame in frames]
    tool = compose(links[-1], make_pose(arm.tool_pos, arm.tool_quat))
    gripper = arm.gripper
    posed = [(base, geom) for geom in arm.base_geoms]
    posed += [(pose, geom) for pose, link in zip(links, arm.links, strict=True) for geom in link.geoms]
    for side in (1.0, -1.0):
        y = side * (measured[-1] * gripper.stroke + gripper.pad_half_size[1])
        centre = (0.0, y, gripper.tip_offset - gripper.pad_half_size[2])
        posed.append((tool, Geom("box", gripper.pad_half_size, centre)))
    posed = [(pose, geom) for pose, geom in posed if geom.collide]
    local, half = _stack_boxes(geom for _, geom in posed)
    return _pose_boxes(np.stack([pose for pose, _ in posed]), local, half + OBSTACLE_MARGIN_M)


def _pose_boxes(bodies: Array, local: Array, half: Array) -> ObstacleBoxes:
    """Return boxes of half lengths (g 3) at poses (g 7) of bodies (g 7)."""
    poses = compose(bodies, local)
    return ObstacleBoxes(poses[:, :3], quat_to_matrix(poses[:, 3:]), half)


def _stack_boxes(geoms: Iterator[Geom]) -> tuple[Array, Array]:
    """Return poses (g 7) and half lengths (g 3) of the boxes around geoms, in the frames of their bodies."""
    boxes = [_enclose_geom(geom) for geom in geoms]
    if not boxes:
        return np.zeros((0, 7)), np.zeros((0, 3))
    poses, halves = zip(*boxes, strict=True)
    return np.stack(poses), np.stack(halves)


def _enclose_geom(geom: Geom) -> tuple[Array, Array]:
    """Return the pose (7,) and half lengths (3,) of the box around a geom."""
    pose, size = make_pose(geom.pos, geom.quat), list(geom.size)
    if geom.ends:
        start, end = np.array(geom.ends[0]), np.array(geom.ends[1])
        pose = make_pose((start + end) / 2, align_z_axis(end - start))
        size = [size[0], float(np.linalg.norm(end - start)) / 2]
    match geom.type:
        case "sphere":
            half = (size[0], size[0], size[0])
        case "cylinder":
            half = (size[0], size[0], size[1])
        case "capsule":
            half = (size[0], size[0], size[1] + size[0])
        case _:
            half = (size[0], size[1], size[2])
    return pose, np.array(half)
