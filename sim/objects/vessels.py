"""Open vessels: walls around a hollow."""

from __future__ import annotations

from math import atan2, cos, hypot, pi, sin

import numpy as np

from sim.embodiment.model import Geom, Vector
from sim.geometry import about, from_axes, multiply, pose
from sim.objects.base import Form, Grasp, family, up
from sim.objects.boxes import LEANS
from sim.objects.revolution import drawn


def ring(
    low: tuple[float, float], high: tuple[float, float], wall: float, sides: int = 12, colour: Vector | None = None
) -> tuple[Geom, ...]:
    """Return a ring of flat walls whose outer face leads from (radius, z) `low` to `high`, without gaps."""
    lean = atan2(high[0] - low[0], high[1] - low[1])
    inward = wall / 2 * cos(lean)
    middle = (low[0] + high[0]) / 2 - inward
    z = (low[1] + high[1]) / 2 + wall / 2 * sin(lean)
    half = hypot(high[0] - low[0], high[1] - low[1]) / 2
    length = (max(low[0], high[0]) - inward) * np.tan(pi / sides)
    return tuple(
        Geom(
            "box",
            (wall / 2, float(length), half),
            (middle * cos(a), middle * sin(a), z),
            tuple(multiply(about((0, 0, 1), a), about((0, 1, 0), lean)).tolist()),
            colour,
        )
        for a in (2 * pi * k / sides for k in range(sides))
    )


def rim(
    radius: float,
    height: float,
    depth: float = 0.018,
    slope: float = 0.0,
    sides: int = 12,
    leans: tuple[float, ...] = LEANS,
    free: float = 0.0,
) -> tuple[Grasp, ...]:
    """Return pinches of a wall from above, one finger within: `radius` of the wall's middle at `height`.

    The tool's origin is `depth` down along a wall that opens by `slope` radians. Leaning along the wall keeps
    both fingers flat on it and lets the arm reach further out. Walls nearer than `free` radians to +x are left out.
    """
    return tuple(
        Grasp(
            pose((inner * cos(a), inner * sin(a), height - depth * cos(slope)), from_axes(approach, across)),
            opening=0.6,
            cost=2 * abs(lean),
        )
        for inner in [radius - depth * sin(slope)]
        for a in (2 * pi * k / sides for k in range(sides))
        if min(a, 2 * pi - a) >= free
        for lean in leans
        for down in [(-sin(slope) * cos(a), -sin(slope) * sin(a), -cos(slope))]
        for along in [(-sin(a), cos(a), 0.0)]
        for across in [(cos(slope) * cos(a), cos(slope) * sin(a), -sin(slope))]
        for approach in [tuple(sin(lean) * s + cos(lean) * d for s, d in zip(along, down, strict=True))]
    )


@family
def cup(radius: float, height: float, wall: float = 0.004, sides: int = 12) -> Form:
    """Return an open cup of outer `radius`: a floor and a ring of flat walls, pinched at the rim from above."""
    # the cup stands on a square: four contacts where round bodies and twelve walls would give fifty
    foot = Geom("box", (radius * 0.68, radius * 0.68, 0.0025), (0, 0, 0.0025))
    floor = Geom("cylinder", (radius - wall, 0.002), (0, 0, 0.0042), collide=False)
    walls = ring((radius, 0.002), (radius, height), wall, sides)
    points = {"bottom": up(0.0), "centre": up(height / 2), "inside": up(0.006), "top": up(height)}
    return Form((foot, floor, *walls), points, {"rim": ("", rim(radius - wall / 2, height, sides=sides))}, turns=sides)


@family
def bowl(
    radius: float,
    height: float,
    foot: float = 0.030,
    floor: float = 0.030,
    wall: float = 0.004,
    lining: Vector | None = None,
) -> Form:
    """Return a bowl on a foot that opens like a cone; bowls nest `floor` metres above each other.

    The foot of the upper one stands on the floor of the lower one, and their walls keep clear.
    """
    base = foot * 0.72
    low = (foot + 0.010, 0.012)
    lean = atan2(radius - low[0], height - low[1])
    inner = low[0] + (floor - low[1]) * (radius - low[0]) / (height - low[1]) - wall / cos(lean)
    geoms = (
        Geom("box", (base, base, floor / 2), (0, 0, floor / 2)),
        drawn(foot, 0.0005, 0.014),
        drawn(low[0] - 0.002, 0.011, 0.015),
        drawn(inner + 0.002, floor - 0.003, floor + 0.0004, lining),
        *ring(low, (radius, height - wall * sin(lean)), wall),
    )
    grasp = rim(radius - wall / 2, height, depth=0.009, slope=lean)
    points = {"bottom": up(0.0), "centre": up(height / 2), "inside": up(floor), "top": up(height)}
    return Form(geoms, points, {"rim": ("", grasp)}, turns=12)


@family
def plate(radius: float, height: float, floor: float = 0.008, edge: Vector | None = None) -> Form:
    """Return a plate with a raised edge; its "top" is where things are set, the inner surface."""
    flat = 0.68 * radius
    geoms = (
        Geom("box", (flat * 0.72, flat * 0.72, floor / 2), (0, 0, floor / 2)),
        Geom("cylinder", (flat, floor / 2 - 0.0015), (0, 0, floor / 2 + 0.001)),
        drawn(flat + 0.002, 0.002, floor + 0.0003),
        *ring((flat, 0.003), (radius, height), 0.004, colour=edge),
    )
    points = {"bottom": up(0.0), "centre": up(height / 2), "top": up(floor)}
    return Form(geoms, points, turns=12)


@family
def desk_bin(radius: float, height: float, base: float = 0.065, wall: float = 0.004) -> Form:
    """Return a round waste bin that opens from `base` to `radius`; small balls stay in."""
    lean = atan2(radius - base, height)
    stand = base * 0.68
    geoms = (
        Geom("box", (stand, stand, 0.002), (0, 0, 0.002)),
        Geom("cylinder", (base - 0.001, 0.002), (0, 0, 0.004)),
        *ring((base, 0.002), (radius, height - wall * sin(lean)), wall),
    )
    grasp = rim(radius - wall / 2, height, slope=lean)
    points = {
        "bottom": up(0.0), "centre": up(height / 2), "inside": up(0.006), "opening": up(height), "top": up(height)
    }
    return Form(geoms, points, {"rim": ("", grasp)}, turns=12)
