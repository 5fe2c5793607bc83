"""What round things share: flat-sided stand-ins that do not roll, and grasps around and from above."""

from __future__ import annotations

from math import cos, pi, sin, tan

from sim.embodiment.model import Geom, Vector
from sim.geometry import IDENTITY, Array, about, compose, from_axes, pose
from sim.objects.base import Grasp

NARROWEST = 0.08  # metres: the least of the robots' largest openings
SLACK = 0.024  # metres: how much wider than the thing the fingers come
REACH = 0.034  # metres: deeper than this between the pads, a round thing would meet the palm
FLAT = 0.94  # the apothem of the eight-sided stand-in: just hidden under the round surface that is drawn
SIDES = 8


def opening(width: float) -> float:
    """Return the opening (0 to 1) to come with for a thing `width` metres wide."""
    return min(1.0, (width + SLACK) / NARROWEST)


def prism(
    radius: float, low: float, high: float, frame: Array = IDENTITY, colour: Vector | None = None
) -> tuple[Geom, ...]:
    """Return four crossed boxes, an eight-sided column about z of `frame` (7,) that stands in for a round one.

    Boxes meet pads and tables face to face, and a column that lies on a flat does not roll. Two of the four
    are shorter by a millimetre, so that it stands on eight corners and not on sixteen; all are a little narrower
    than their face, so that no neighbour's edge doubles its contacts.
    """
    half = FLAT * radius
    return tuple(
        _turned(
            Geom("box", (half, 0.96 * half * tan(pi / SIDES), (high - low) / 2 - inset / 2), colour=colour),
            compose(frame, pose((0, 0, (low + high) / 2), about((0, 0, 1), k * 2 * pi / SIDES))),
        )
        for k in range(SIDES // 2)
        for inset in [0.002 * (k % 2)]
    )


def placed(geom: Geom, frame: Array) -> Geom:
    """Return a geom of the frame (7,), given by its centre alone, in the frame's parent."""
    return _turned(geom, compose(frame, pose(geom.pos, geom.quat)))


def solid(radius: float, low: float, high: float, colour: Vector | None = None) -> Geom:
    """Return an upright cylinder: it turns freely between the fingers, and rolls when it lies."""
    return Geom("cylinder", (radius, (high - low) / 2), (0, 0, (low + high) / 2), colour=colour)


def drawn(radius: float, low: float, high: float, colour: Vector | None = None) -> Geom:
    """Return an upright cylinder that is seen and not felt."""
    return Geom("cylinder", (radius, (high - low) / 2), (0, 0, (low + high) / 2), colour=colour, collide=False)


def around(
    radius: float,
    height: float,
    tilts: tuple[float, ...] = (0.0, 0.4, 0.8),
    frame: Array = IDENTITY,
    turns: int = SIDES,
) -> tuple[Grasp, ...]:
    """Return grasps of a column about z of `frame` (7,) from all sides, `tilts` radians down from level."""
    back = max(0.0, radius - REACH)
    return tuple(
        Grasp(
            compose(
                frame,
                pose(
                    tuple(s - back * a for s, a in zip((0.0, 0.0, height), approach, strict=True)),
                    from_axes(approach, (-sin(a), cos(a), 0)),
                ),
            ),
            opening=opening(2 * radius),
        )
        for k in range(turns)
        for a in [2 * pi * k / turns]
        for tilt in tilts
        for approach in [(-cos(a) * cos(tilt), -sin(a) * cos(tilt), -sin(tilt))]
    )


def above(
    width: float, height: float, leans: tuple[float, ...] = (0.0, -0.3, 0.3, -0.6, 0.6), turns: int = SIDES
) -> tuple[Grasp, ...]:
    """Return grasps from above of a round thing `width` wide, the tool's origin at `height`.

    `leans` (radians) turn the hand about the line between the fingers; half of the `turns` are listed, as every
    grasp may be made with the fingers exchanged.
    """
    return tuple(
        Grasp(
            pose((0, 0, height), from_axes((-sin(a) * sin(lean), cos(a) * sin(lean), -cos(lean)), (cos(a), sin(a), 0))),
            opening=opening(width),
            cost=0.5 * abs(lean),
        )
        for k in range(turns // 2)
        for a in [2 * pi * k / turns]
        for lean in leans
    )


def _turned(geom: Geom, place: Array) -> Geom:
    x, y, z, *turn = (float(v) for v in place)
    w, i, j, k = turn
    return Geom(geom.type, geom.size, (x, y, z), (w, i, j, k), geom.colour, geom.collide)
