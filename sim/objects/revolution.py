"""Solids of revolution: flat-sided collision geoms that do not roll, and grasps around and from above."""

from __future__ import annotations

from math import cos, inf, pi, sin, tan

from sim.embodiment.model import Geom, Vector
from sim.geometry import IDENTITY_POSE, Array, compose, make_pose, quat_from_axes, quat_from_axis_angle
from sim.objects.base import Grasp

OPENING_MARGIN_M = 0.027  # how much wider than a round object the fingers come
PRISM_APOTHEM_RATIO = 0.94  # the apothem of the eight-sided stand-in: just hidden under the round surface that is drawn
PRISM_SIDES = 8


def build_prism(
    radius: float, low: float, high: float, frame: Array = IDENTITY_POSE, colour: Vector | None = None
) -> tuple[Geom, ...]:
    """Four crossed boxes, an eight-sided column about z of `frame` (7,) that stands in for a round one.

    Boxes meet pads and tables face to face, and a column that lies on a flat does not roll. Two of the four
    are shorter by a millimetre, so that it stands on eight corners and not on sixteen; all are a little narrower
    than their face, so that no neighbour's edge doubles its contacts.
    """
    half_width = PRISM_APOTHEM_RATIO * radius
    return tuple(
        _set_geom_pose(
            Geom(
                "box",
                (half_width, 0.96 * half_width * tan(pi / PRISM_SIDES), (high - low) / 2 - inset / 2),
                colour=colour,
            ),
            compose(
                frame, make_pose((0, 0, (low + high) / 2), quat_from_axis_angle((0, 0, 1), k * 2 * pi / PRISM_SIDES))
            ),
        )
        for k in range(PRISM_SIDES // 2)
        for inset in [0.002 * (k % 2)]
    )


def transform_geom(geom: Geom, frame: Array) -> Geom:
    """Geom of a frame (7,), given by its centre and not by its ends, in the frame's parent."""
    return _set_geom_pose(geom, compose(frame, make_pose(geom.pos, geom.quat)))


def collision_cylinder(radius: float, low: float, high: float, colour: Vector | None = None) -> Geom:
    """Upright cylinder: it turns freely between the fingers, and rolls when it lies."""
    return Geom("cylinder", (radius, (high - low) / 2), (0, 0, (low + high) / 2), colour=colour)


def visual_cylinder(radius: float, low: float, high: float, colour: Vector | None = None) -> Geom:
    """Upright cylinder that is visible only: nothing collides with it."""
    return Geom("cylinder", (radius, (high - low) / 2), (0, 0, (low + high) / 2), colour=colour, collide=False)


def build_side_grasps(
    radius: float,
    height: float,
    tilts: tuple[float, ...] = (0.0, 0.4, 0.8),
    frame: Array = IDENTITY_POSE,
    num_directions: int = PRISM_SIDES,
) -> tuple[Grasp, ...]:
    """Grasps of a column about z of `frame` (7,) from all sides at a height, `tilts` radians down from level."""
    return tuple(
        Grasp(
            compose(
                frame,
                make_pose(
                    (0.0, 0.0, height),
                    quat_from_axes((-cos(a) * cos(tilt), -sin(a) * cos(tilt), -sin(tilt)), (-sin(a), cos(a), 0)),
                ),
            ),
            2 * radius,
            2 * radius + OPENING_MARGIN_M,
            depth_m=radius,
        )
        for k in range(num_directions)
        for a in [2 * pi * k / num_directions]
        for tilt in tilts
    )


def build_round_top_grasps(
    width: float,
    height: float,
    depth: float,
    min_reach: float = 0.0,
    floor: float = -inf,
    leans: tuple[float, ...] = (0.0, -0.3, 0.3, -0.6, 0.6),
    num_directions: int = PRISM_SIDES,
) -> tuple[Grasp, ...]:
    """Grasps from above of a round object `width` wide that hold it at `height`, `depth` under its top.

    `min_reach` and `floor` as in `Grasp`. `leans` (radians) turn the hand about the line between the fingers; half of
    the `num_directions` are listed, as every grasp may be made with the fingers exchanged.
    """
    return tuple(
        Grasp(
            make_pose(
                (0, 0, height),
                quat_from_axes((-sin(a) * sin(lean), cos(a) * sin(lean), -cos(lean)), (cos(a), sin(a), 0)),
            ),
            width,
            width + OPENING_MARGIN_M,
            cost=0.5 * abs(lean),
            depth_m=depth,
            min_reach_m=min_reach,
            floor_m=floor,
        )
        for k in range(num_directions // 2)
        for a in [2 * pi * k / num_directions]
        for lean in leans
    )


def _set_geom_pose(geom: Geom, geom_pose: Array) -> Geom:
    x, y, z, *quat = (float(v) for v in geom_pose)
    w, i, j, k = quat
    return Geom(geom.type, geom.size, (x, y, z), (w, i, j, k), geom.colour, geom.collide)
