"""Shapes: what the primitive geoms of a robot fill, as points, signed distances and bounding spheres.

Everything is in the frame of the body that a geom belongs to, in metres.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np

from sim.embodiment.model import Geom, Vector
from sim.geometry import Array, align_z_axis, invert, make_pose, transform_points

SAMPLE_SPACING_M = 0.012  # of the points that stand for a geom
UNIT_BOX_CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))


def locate_geom(geom: Geom) -> tuple[Array, tuple[float, ...]]:
    """Pose (7,) and size of a geom as MuJoCo counts it, also where the geom is given by its two ends."""
    if geom.ends is None:
        return make_pose(geom.pos, geom.quat), geom.size
    first_end, second_end = (np.array(end, float) for end in geom.ends)
    half_length = float(np.linalg.norm(second_end - first_end)) / 2
    axis = second_end - first_end if half_length else np.array([0.0, 0.0, 1.0])
    return make_pose((first_end + second_end) / 2, align_z_axis(axis)), (geom.size[0], half_length)


def compute_signed_distance(geom: Geom, points: Array) -> Array:
    """Signed distance (n,) of points (n 3) to the surface of a geom, negative within; for an ellipsoid an estimate."""
    geom_pose, size = locate_geom(geom)
    local = transform_points(invert(geom_pose), points)
    if geom.type == "box":
        return _combine_excess(np.abs(local) - size)
    if geom.type == "cylinder":
        radial = np.hypot(local[:, 0], local[:, 1]) - size[0]
        return _combine_excess(np.stack([radial, np.abs(local[:, 2]) - size[1]], axis=1))
    if geom.type == "capsule":
        local[:, 2] -= np.clip(local[:, 2], -size[1], size[1])
    if geom.type == "ellipsoid":
        scaled = np.linalg.norm(local / size, axis=1)
        return (scaled - 1.0) * np.linalg.norm(local, axis=1) / np.maximum(scaled, 1e-9)
    return np.linalg.norm(local, axis=1) - size[0]


def compute_bounding_radius(geom: Geom) -> float:
    """Radius (metres) of a sphere about a geom's centre that holds the geom."""
    return float(np.linalg.norm(_compute_half_extents(geom)))


def sample_points(geom: Geom, spacing_m: float = SAMPLE_SPACING_M) -> Array:
    """Points (p 3) within a geom, its extreme ones included, no further apart than `spacing_m` along any axis."""
    ticks = [np.linspace(-half, half, 1 + 2 * int(np.ceil(half / spacing_m))) for half in _compute_half_extents(geom)]
    grid = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    points = transform_points(locate_geom(geom)[0], grid)
    return points[compute_signed_distance(geom, points) < 1e-6]


def list_bounding_spheres(geoms: Iterable[Geom]) -> Iterator[tuple[Vector, float]]:
    """Centres and radii of spheres at the ends of long colliding geoms, at the corners of boxes, and in the others."""
    for geom in geoms:
        if not geom.collide:
            continue
        geom_pose, size = locate_geom(geom)
        if geom.type == "box":
            centres, radius = UNIT_BOX_CORNERS * size, 0.0
        elif geom.type in ("capsule", "cylinder"):
            centres, radius = np.array([(0.0, 0.0, -size[1]), (0.0, 0.0, size[1])]), size[0]
        else:
            centres, radius = np.zeros((1, 3)), min(size)
        for x, y, z in transform_points(geom_pose, centres).tolist():
            yield (x, y, z), radius


def _compute_half_extents(geom: Geom) -> tuple[float, ...]:
    """Half lengths (3,) of the box around a geom, along the geom's own axes."""
    _, size = locate_geom(geom)
    extents = {"sphere": 3 * size, "cylinder": (size[0], *size), "capsule": (size[0], size[0], size[0] + size[-1])}
    return extents.get(geom.type, size)


def _combine_excess(excess: Array) -> Array:
    """Signed distance (n,) from how far points are beyond a shape's faces along each of its axes (n k)."""
    return np.linalg.norm(np.maximum(excess, 0.0), axis=1) + np.minimum(excess.max(axis=1), 0.0)
