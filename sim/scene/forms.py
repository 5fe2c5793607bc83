"""Parametric objects: a family turns a few numbers into bodies, named points and ways to grasp.

Every form stands with its base centre at the origin, z up and its front towards -y. A named point is a
pose in the frame of its body; a grasp is a tool pose (z approach, y opening) in the frame of its body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import cos, pi, sin

import numpy as np

from sim.embodiment import Geom, Vector
from sim.geometry import Array, about, from_axes, pose
from sim.spec import Shape, SpecError


@dataclass(frozen=True)
class Grasp:
    """A tool pose (7,) in a body's frame, the finger opening to approach with (0 closed to 1 open), and a cost.

    Costs are radians of joint movement that the expert would rather make than take this grasp.
    """

    tool: Array
    opening: float = 1.0
    cost: float = 0.0


@dataclass(frozen=True)
class Hinge:
    """A body that turns on the form's base: `axis` through `pos`, `range` in radians, starting at `start`."""

    name: str
    joint: str
    pos: Vector
    axis: Vector
    range: tuple[float, float]
    start: float
    geoms: tuple[Geom, ...]
    damping: float  # N·m·s/rad
    friction: float = 0.0  # N·m that hold it where it is


@dataclass(frozen=True)
class Form:
    """What a family built. Keys of `points` and `grasps` are names; values carry the body ("" is the base)."""

    geoms: tuple[Geom, ...]
    points: dict[str, tuple[str, Array]]
    grasps: dict[str, tuple[str, tuple[Grasp, ...]]] = field(default_factory=dict)
    hinges: tuple[Hinge, ...] = ()
    turns: int = 1  # yaw symmetry: how many equal turns leave the form as it is; 0 for every turn


Family = Callable[..., Form]
FAMILIES: dict[str, Family] = {}


def family(build: Family) -> Family:
    """Register a family under its function's name."""
    FAMILIES[build.__name__] = build
    return build


def form_of(shape: Shape) -> Form:
    """Return the form of a shape; `SpecError` where the family or one of its parameters is unknown."""
    if shape.family not in FAMILIES:
        raise SpecError(f"unknown object family {shape.family!r}; valid: {', '.join(sorted(FAMILIES))}")
    try:
        return FAMILIES[shape.family](**shape.params)
    except TypeError as error:
        raise SpecError(f"object family {shape.family!r}: {error}") from error


def up(z: float) -> tuple[str, Array]:
    """Return the point at height z above the base centre of the main body."""
    return "", pose((0, 0, z))


@family
def block(size: Vector) -> Form:
    """Return a box of full lengths `size`, with side and top grasps along the thinner sides."""
    half = (size[0] / 2, size[1] / 2, size[2] / 2)
    quarter_turns = [k * pi / 2 for k in range(4)]
    sides = tuple(
        Grasp(pose((0, 0, half[2]), from_axes((-cos(a) * cos(tilt), -sin(a) * cos(tilt), -sin(tilt)), across)))
        for a in quarter_turns
        for across in [(-sin(a), cos(a), 0)]
        for tilt in (0.0, 0.3)
    )
    high = (0, 0, size[2] - 0.015)
    tops = tuple(Grasp(pose(high, from_axes((0, 0, -1), (cos(a), sin(a), 0)))) for a in quarter_turns)
    return Form(
        geoms=(Geom("box", half, (0, 0, half[2])),),
        points={"bottom": up(0.0), "centre": up(half[2]), "top": up(size[2])},
        grasps={"side": ("", sides), "top": ("", tops)},
        turns=4 if size[0] == size[1] else 2,
    )


@family
def disc(radius: float, height: float) -> Form:
    """Return a flat cylinder."""
    geoms = (Geom("cylinder", (radius, height / 2), (0, 0, height / 2)),)
    return Form(geoms, {"bottom": up(0.0), "top": up(height)}, turns=0)


@family
def cup(radius: float, height: float, wall: float = 0.004, sides: int = 12) -> Form:
    """Return an open cup of outer `radius`: a floor and a ring of flat walls, pinched at the rim from above."""
    middle = radius - wall / 2
    length = middle * np.tan(pi / sides)
    # the cup stands on a square: four contacts where round bodies and twelve walls would give fifty
    foot = Geom("box", (radius * 0.68, radius * 0.68, 0.0025), (0, 0, 0.0025))
    floor = Geom("cylinder", (radius - wall, 0.002), (0, 0, 0.0042), collide=False)
    lift = 0.002
    angles = [2 * pi * k / sides for k in range(sides)]
    walls = tuple(
        Geom(
            "box",
            (wall / 2, float(length), (height - lift) / 2),
            (middle * cos(a), middle * sin(a), (height + lift) / 2),
            tuple(about((0, 0, 1), a).tolist()),
        )
        for a in angles
    )
    # leaning along the wall keeps both fingers flat on it and lets the arm reach further out
    rim = tuple(
        Grasp(
            pose(
                (middle * cos(a), middle * sin(a), height - 0.018),
                from_axes((-sin(a) * sin(lean), cos(a) * sin(lean), -cos(lean)), (cos(a), sin(a), 0)),
            ),
            opening=0.6,
            cost=2 * abs(lean),
        )
        for a in angles
        for lean in (0.0, -0.3, 0.3, -0.6, 0.6)
    )
    return Form((foot, floor, *walls), {"bottom": up(0.0), "top": up(height)}, {"rim": ("", rim)}, turns=sides)


@family
def bell(radius: float, height: float) -> Form:
    """Return a desk bell: a foot, a dome and a button on top."""
    dome = height - 0.016
    geoms = (
        Geom("cylinder", (radius, 0.005), (0, 0, 0.005), colour=(0.15, 0.13, 0.12)),
        Geom("ellipsoid", (radius * 0.88, radius * 0.88, dome), (0, 0, 0.008)),
        Geom("cylinder", (0.007, 0.006), (0, 0, height - 0.006), colour=(0.2, 0.2, 0.22)),
    )
    return Form(geoms, {"bottom": up(0.0), "top": up(height)}, turns=0)


@family
def laptop(width: float, depth: float, thickness: float = 0.014, lid: float = 0.008, start: float = 0.2) -> Form:
    """Return a laptop whose lid turns about the back edge from 0 (shut) to π; `start` is a fraction of that."""
    back = depth / 2
    hinge = (0.0, back, thickness)
    grey, black = (0.28, 0.29, 0.31), (0.05, 0.05, 0.06)
    base = (
        Geom("box", (width / 2, depth / 2, thickness / 2), (0, 0, thickness / 2)),
        Geom("box", (width * 0.44, depth * 0.25, 0.001), (0, back * 0.35, thickness), colour=black, collide=False),
        Geom("box", (width * 0.16, depth * 0.13, 0.001), (0, -back * 0.55, thickness), colour=grey, collide=False),
    )
    plate = (
        Geom("box", (width / 2, depth / 2, lid / 2), (0, -back, lid / 2 + 0.002)),
        Geom("box", (width * 0.45, depth * 0.43, 0.001), (0, -back, 0.0015), colour=(0.1, 0.16, 0.3), collide=False),
    )
    edge = (0.0, -depth + 0.012, lid / 2 + 0.002)
    across = (0.0, 0.0, 1.0)
    # a lid is held well enough by fingers that meet it at a slant
    grasps = tuple(
        Grasp(
            pose((side * width, *edge[1:]), from_axes((0, cos(lean), -sin(lean)), across)),
            opening=0.6,
            cost=abs(lean) + abs(side),
        )
        for side in (0.0, -0.25, 0.25)
        for lean in (0.0, -0.25, 0.25, -0.5, 0.5, -0.75, 0.75)
    )
    return Form(
        geoms=base,
        points={"bottom": up(0.0), "edge": ("lid", pose(edge))},
        grasps={"edge": ("lid", grasps)},
        hinges=(Hinge("lid", "hinge", hinge, (-1, 0, 0), (0.0, pi), start * pi, plate, damping=0.05, friction=0.05),),
    )
