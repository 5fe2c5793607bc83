"""How far a form reaches: down to what it stands on, and round about."""

from __future__ import annotations

from math import cos, pi

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Geom
from sim.geometry import Array, matrix
from sim.objects.base import Form

DIRECTIONS = 72  # of a footprint


def lowest(form: Form, turn: Array) -> float:
    """Return the height (metres) of the lowest colliding point of a form turned by a quaternion, its base at 0."""
    down = -matrix(turn)[2:]  # the world's way down in the form's frame
    return min((-float(support(geom, down)[0]) for geom in form.geoms if geom.collide), default=0.0)


def footprint(form: Form, turn: NDArray | tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)) -> tuple[float, float]:
    """Return the radius about the vertical through a form's origin and its height above it, metres.

    `turn` is the form's orientation. What a moving part can reach counts whole. The radius is at most 0.1 % too large.
    """
    frame = matrix(turn)
    angles = 2 * pi / DIRECTIONS * np.arange(DIRECTIONS)
    ways = np.concatenate([np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1), [[0.0, 0.0, 1.0]]])
    reaches = [support(geom, ways @ frame) for geom in form.geoms]
    for part in form.parts:
        far = max(float(support(geom, ways).max()) for geom in part.geoms) * 3**0.5
        travel = max(abs(v) for v in part.range) if part.slide else 0.0
        reaches.append(ways @ (frame @ np.array(part.pos)) + far + travel)
    most = np.max(reaches, axis=0) if reaches else np.zeros(len(ways))
    return float(most[:-1].max()) / cos(pi / DIRECTIONS), float(most[-1])


def support(geom: Geom, ways: NDArray) -> Array:
    """Return how far (n,) a geom reaches along unit vectors (n 3) of its body's frame, metres."""
    size, centre = np.array(geom.size), np.array(geom.pos)
    if geom.ends:
        one, other = (np.array(end) for end in geom.ends)
        centre, half = (one + other) / 2, float(np.linalg.norm(other - one)) / 2
        axis = (other - one) / max(2 * half, 1e-9)
        along = ways @ axis
    elif geom.type in ("capsule", "cylinder"):
        half, along = geom.size[1], ways @ matrix(geom.quat)[:, 2]
    else:
        half, along = 0.0, np.zeros(len(ways))
    at = ways @ centre
    if geom.type == "box":
        return at + np.abs(ways @ matrix(geom.quat)) @ size
    if geom.type == "ellipsoid":
        return at + np.linalg.norm((ways @ matrix(geom.quat)) * size, axis=1)
    around = np.sqrt(np.maximum(0.0, 1.0 - along**2)) if geom.type == "cylinder" else 1.0
    return at + half * np.abs(along) + size[0] * around
