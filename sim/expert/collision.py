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
from sim.geometry import Array, apply, compose, invert, pose
from sim.world.mujoco import Copy

MARGIN = 0.006  # metres kept from everything but the table
SPACING = 0.05  # metres between the points of what is held
CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))
LENGTHWISE = (mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_CAPSULE)


@dataclass(frozen=True)
class Boxes:
    """g boxes: centres (g 3), rotations (g 3 3), half lengths (g 3)."""

    centre: Array
    turn: Array
    half: Array

    def meet(self, points: Array) -> NDArray[np.bool_]:
        """Return which clouds (... p 3) have a point within some box (...)."""
        if not len(self.centre):
            return np.zeros(points.shape[:-2], bool)
        flat = points.reshape(-1, 3)
        near = self._near(flat)
        hit = np.zeros(len(flat), bool)
        for centre, turn, half in zip(self.centre[near], self.turn[near], self.half[near], strict=True):
            hit |= (np.abs((flat - centre) @ turn) < half).all(axis=1)
        return np.asarray(hit.reshape(points.shape[:-1]).any(axis=-1))

    def _near(self, points: Array) -> NDArray[np.bool_]:
        """Return which boxes (g,) could hold any of the points."""
        reach = np.linalg.norm(self.half, axis=1)[:, None]
        low, high = points.min(axis=0), points.max(axis=0)
        return ((self.centre + reach > low) & (self.centre - reach < high)).all(axis=1)


def obstacles(copy: Copy, arm: str, without: tuple[str, ...] = ()) -> Boxes:
    """Return what an arm should keep clear of: the table, all objects but `without`, and the other arms."""
    model, data = copy.model, copy.data
    names = [model.body(i).name for i in range(model.nbody)]
    mine = np.array([name.startswith(f"{arm}/") or name.split(".")[0] in without for name in names])
    keep = (model.geom_contype != 0) & ~mine[model.geom_bodyid] & (model.geom_bodyid != 0)
    half = model.geom_size[keep].copy()
    kinds = model.geom_type[keep]
    lengthwise = np.isin(kinds, LENGTHWISE)
    half[lengthwise] = np.stack([half[lengthwise, 0], half[lengthwise, 0], half[lengthwise, 1]], axis=1)
    half[kinds == mujoco.mjtGeom.mjGEOM_CAPSULE, 2] += half[kinds == mujoco.mjtGeom.mjGEOM_CAPSULE, 0]
    half[kinds == mujoco.mjtGeom.mjGEOM_SPHERE] = half[kinds == mujoco.mjtGeom.mjGEOM_SPHERE, :1]
    table = model.geom_bodyid[keep] == model.body("table").id
    half += np.where(table, 0.0, MARGIN)[:, None]
    return Boxes(data.geom_xpos[keep].copy(), data.geom_xmat[keep].reshape(-1, 3, 3).copy(), half)


def cloud(arm: ArmModel, opening: float) -> Array:
    """Return the points (p 3) of a hand in its tool frame, the fingers open by a fraction."""
    grip = arm.gripper
    gap = opening * grip.stroke
    across, thick, reach = grip.pad
    fingers = [
        (x, side * y, z)
        for side in (-1, 1)
        for x in (-across, across)
        for y in (gap, gap + 2 * thick)
        for z in (grip.tip, grip.tip - reach)
    ]
    flange = invert(pose(arm.tool_pos, arm.tool_quat))
    palm = [point for geom in arm.links[-1].geoms if geom.collide for point in apply(flange, corners(geom))]
    return np.concatenate([np.array(fingers), np.stack(palm)])


def corners(geom: Geom) -> Array:
    """Return the corners (8 3) of a geom's bounding box in the frame of its body."""
    if geom.ends:
        a, b = np.array(geom.ends[0]), np.array(geom.ends[1])
        return np.concatenate([a + geom.size[0] * CORNERS[:4] * 0.7, b + geom.size[0] * CORNERS[4:] * 0.7])
    half = {"sphere": 3 * geom.size, "cylinder": (geom.size[0], *geom.size), "capsule": (geom.size[0], *geom.size)}
    return apply(pose(geom.pos, geom.quat), CORNERS * np.array(half.get(geom.type, geom.size)))


def held_cloud(copy: Copy, obj: str, tool: Array) -> Array:
    """Return points (p 3) of a held object's bounding box, no further apart than SPACING, in the tool frame."""
    low, high = _bounds(copy, obj)
    lines = [np.linspace(a, b, 1 + int(np.ceil((b - a) / SPACING))) for a, b in zip(low, high, strict=True)]
    box = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
    return apply(compose(invert(tool), copy.body_pose(obj)), box)


def load(copy: Copy, obj: str) -> tuple[str, ...]:
    """Return the names of the free objects that are within the bounding box of another: what it carries."""
    low, high = _bounds(copy, obj)
    into = invert(copy.body_pose(obj))
    free = [name for name, kind in copy.kinds.items() if kind == "free" and name != obj]
    inside = {name: apply(into, copy.body_pose(name)[:3]) for name in free}
    return tuple(name for name, spot in inside.items() if ((spot >= low) & (spot <= high)).all())


def _bounds(copy: Copy, obj: str) -> tuple[Array, Array]:
    points = np.concatenate([corners(geom) for geom in copy.layout.forms[obj].geoms if geom.collide])
    return points.min(axis=0), points.max(axis=0)
