"""How far a form reaches: down to what it stands on, and round about."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import cos, pi

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Geom
from sim.geometry import Array, make_pose, quat_to_matrix, transform_points
from sim.objects.base import ObjectModel

FOOTPRINT_DIRECTIONS = 72  # of a footprint
UNIT_BOX_CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))


def compute_lowest_height(model: ObjectModel, orientation: Array) -> float:
    """Height (metres) of the lowest colliding point of a model turned by a quaternion, its base at 0."""
    down_direction = -quat_to_matrix(orientation)[2:]  # of the world, in the model's frame
    return min((-float(compute_support(geom, down_direction)[0]) for geom in model.geoms if geom.collide), default=0.0)


def compute_footprint(
    model: ObjectModel, orientation: NDArray | tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)
) -> tuple[float, float]:
    """Radius about the vertical through a model's origin and height above it, metres.

    `orientation` is the model's quaternion. What a moving part can reach counts whole. The radius is at most 0.1 %
    too large.
    """
    rotation = quat_to_matrix(orientation)
    angles = 2 * pi / FOOTPRINT_DIRECTIONS * np.arange(FOOTPRINT_DIRECTIONS)
    directions = np.concatenate([np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1), [[0.0, 0.0, 1.0]]])
    support_distances = [compute_support(geom, directions @ rotation) for geom in model.geoms]
    for part in model.parts:
        part_radius = max(float(compute_support(geom, directions).max()) for geom in part.geoms) * 3**0.5
        travel = max(abs(v) for v in part.joint_range) if part.prismatic else 0.0
        support_distances.append(directions @ (rotation @ np.array(part.pos)) + part_radius + travel)
    max_distances = np.max(support_distances, axis=0) if support_distances else np.zeros(len(directions))
    return float(max_distances[:-1].max()) / cos(pi / FOOTPRINT_DIRECTIONS), float(max_distances[-1])


def compute_support(geom: Geom, directions: NDArray) -> Array:
    """Support function of a geom: how far (n,) it reaches along unit vectors (n 3) of its body's frame, metres."""
    size, centre = np.array(geom.size), np.array(geom.pos)
    if geom.ends:
        first_end, second_end = (np.array(end) for end in geom.ends)
        centre, half_length = (first_end + second_end) / 2, float(np.linalg.norm(second_end - first_end)) / 2
        axis = (second_end - first_end) / max(2 * half_length, 1e-9)
        axis_cosine = directions @ axis
    elif geom.type in ("capsule", "cylinder"):
        half_length, axis_cosine = geom.size[1], directions @ quat_to_matrix(geom.quat)[:, 2]
    else:
        half_length, axis_cosine = 0.0, np.zeros(len(directions))
    centre_distance = directions @ centre
    if geom.type == "box":
        return centre_distance + np.abs(directions @ quat_to_matrix(geom.quat)) @ size
    if geom.type == "ellipsoid":
        return centre_distance + np.linalg.norm((directions @ quat_to_matrix(geom.quat)) * size, axis=1)
    radial_share = np.sqrt(np.maximum(0.0, 1.0 - axis_cosine**2)) if geom.type == "cylinder" else 1.0
    return centre_distance + half_length * np.abs(axis_cosine) + size[0] * radial_share


def compute_geom_corners(geom: Geom) -> Array:
    """Eight points (8 3) about a geom in the frame of its body: the corners of its bounding box.

    It is no bounding box of a capsule, whose caps reach further, nor of a geom with `ends`, of which the points are 0.7
    radii about either end: hands and held objects may come as close to obstacles as that.
    """
    if geom.ends:
        a, b = np.array(geom.ends[0]), np.array(geom.ends[1])
        return np.concatenate(
            [a + geom.size[0] * UNIT_BOX_CORNERS[:4] * 0.7, b + geom.size[0] * UNIT_BOX_CORNERS[4:] * 0.7]
        )
    half = {"sphere": 3 * geom.size, "cylinder": (geom.size[0], *geom.size), "capsule": (geom.size[0], *geom.size)}
    return transform_points(make_pose(geom.pos, geom.quat), UNIT_BOX_CORNERS * np.array(half.get(geom.type, geom.size)))


def compute_bounding_box(geoms: Sequence[Geom]) -> tuple[Array, Array]:
    """Low and high corners (3,) of the box around the colliding geoms of a body, in its frame."""
    points = np.concatenate([compute_geom_corners(geom) for geom in geoms if geom.collide])
    return points.min(axis=0), points.max(axis=0)
