"""Open boxes: a floor, four walls, slots to set things in, and perhaps a handle."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import from_axes, pose
from sim.objects.base import Form, Grasp, family, up
from sim.objects.boxes import LEANS, mark, paint, solid

LIFT = 0.001  # walls end above the ground: a box stands on the four corners of its floor
RIM_FROM = 0.045  # lower walls leave no room between fingertips and floor
RIM_DEPTH = 0.018

Slot = tuple[str, float, float]


@family
def open_box(
    size: Vector,
    wall: float = 0.004,
    floor: float = 0.004,
    slots: tuple[Slot, ...] = (),
    trim: str = "",
    bands: tuple[float, ...] = (),
    lining: str = "",
) -> Form:
    """Return an open box of outer lengths `size` whose inner floor is `floor` high.

    `slots` are points (name, x, y) on the floor, z up; "floor" is its middle, "opening" that of the upper edge.
    Looks: a rounded rim of the colour `trim`, bands of that colour at heights given as fractions, a coloured lining.
    """
    x, y, z = size
    base = solid(x, y, floor, (0, 0, floor / 2))
    walls = tuple(_wall(across, side, size, wall) for across in (0, 1) for side in (-1, 1))
    seen = (*_rim(size, wall, trim), *(strip for at in bands for strip in _band(size, at, trim)))
    cloth = (mark(x - 2 * wall, y - 2 * wall, 0.001, (0, 0, floor), paint(lining)),) if lining else ()
    points = {"bottom": up(0.0), "centre": up(z / 2), "top": up(z), "opening": up(z), "floor": up(floor)}
    placed = {name: ("", pose((at_x, at_y, floor))) for name, at_x, at_y in slots}
    grasps = {"rim": ("", _rim_grasps(size, wall))} if z >= RIM_FROM else {}
    return Form((base, *walls, *seen, *cloth), {**points, **placed}, grasps, turns=2)


def _wall(across: int, side: int, size: Vector, wall: float) -> Geom:
    """Return the wall that faces along x (`across` 0) or y (1); the former run the whole length."""
    x, y, z = size
    at = side * (size[across] - wall) / 2
    full = (wall, y) if across == 0 else (x - 2 * wall, wall)
    return solid(*full, z - LIFT, (at if across == 0 else 0.0, at if across == 1 else 0.0, (z + LIFT) / 2))


def _rim(size: Vector, wall: float, trim: str) -> tuple[Geom, ...]:
    radius = 0.7 * wall
    a, b, z = (size[0] - wall) / 2, (size[1] - wall) / 2, size[2] - radius
    corners = ((-a, -b, z), (a, -b, z), (a, b, z), (-a, b, z))
    colour = paint(trim) if trim else None
    edges = ((corners[k - 1], corners[k]) for k in range(4))
    return tuple(Geom("capsule", (radius,), colour=colour, collide=False, ends=edge) for edge in edges)


def _band(size: Vector, at: float, trim: str) -> tuple[Geom, ...]:
    x, y, z = size
    colour, high = paint(trim), 0.12 * z
    return tuple(
        mark(*full, (sx * x / 2, sy * y / 2, at * z), colour)
        for sx, sy, full in (
            (-1, 0, (0.002, y, high)), (1, 0, (0.002, y, high)), (0, -1, (x, 0.002, high)), (0, 1, (x, 0.002, high))
        )
    )


def _rim_grasps(size: Vector, wall: float) -> tuple[Grasp, ...]:
    """Return pinches of the four walls from above, the wrist leaning along the wall."""
    return tuple(
        Grasp(
            pose(
                (cos(a) * (size[0] - wall) / 2, sin(a) * (size[1] - wall) / 2, size[2] - RIM_DEPTH),
                from_axes((-sin(a) * sin(lean), cos(a) * sin(lean), -cos(lean)), (cos(a), sin(a), 0)),
            ),
            opening=0.6,
            cost=2 * abs(lean),
        )
        for a in (k * pi / 2 for k in range(4))
        for lean in LEANS
    )


@family
def handled_basket(
    size: Vector,
    wall_height: float = 0.075,
    reach: float = 0.055,
    bar: float = 0.012,
    wall: float = 0.004,
    trim: str = "brown",
    bands: tuple[float, ...] = (0.3, 0.75),
) -> Form:
    """Return a basket of `size` with an arch over its middle along y; size[2] counts the arch.

    "left" and "right" are points on the floor `reach` to either side of the arch; "handle" is the bar's middle.
    The grasp "handle" comes from above, fingers across the bar and opened no further than they need be.
    """
    x, y, top = size
    slots = (("left", -reach, 0.0), ("right", reach, 0.0))
    tub = open_box((x, y, wall_height), wall, slots=slots, trim=trim, bands=bands)
    post_y, colour = (y - bar) / 2, paint(trim)
    arch = (
        *(solid(bar, bar, top - 0.02, (0, side * post_y, top / 2 + 0.01), colour) for side in (-1, 1)),
        solid(bar, y - 2 * bar, bar, (0, 0, top - bar / 2), colour),
    )
    height = top - bar / 2
    grip = tuple(
        Grasp(pose((0, at, height), from_axes((0, sin(lean), -cos(lean)), (1, 0, 0))), 0.5, abs(lean) + 4 * abs(at))
        for at in (0.0, -0.02, 0.02)
        for lean in LEANS
    )
    points = {**tub.points, "top": up(top), "centre": up(top / 2), "handle": up(height)}
    return replace(tub, geoms=(*tub.geoms, *arch), points=points, grasps={"handle": ("", grip)})
