"""Vessels with handles: mug, skillet, pot."""

from __future__ import annotations

from itertools import pairwise
from math import cos, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import from_axes, pose
from sim.objects.base import Form, Grasp, family, up
from sim.objects.revolution import drawn
from sim.objects.vessels import rim, ring

PALM = (0.056, 0.060)  # metres: how far the gripper's body is behind the tool's origin, and its half width
BLACK: Vector = (0.10, 0.10, 0.11)


@family
def mug(
    radius: float,
    height: float,
    base: float = 0.0,
    gap: float = 0.038,
    span: float = 0.056,
    centre: float = 0.066,
    bar: float = 0.006,
    lining: Vector = (0.92, 0.91, 0.88),
) -> Form:
    """Return a mug whose ring handle stands off towards +x around an opening of `gap` by `span` metres.

    The middle of the opening is `centre` above the base. Points "handle" and "handle_back" lie there and look
    through it, along +y and -y. `base` is the radius at the bottom, the same as at the rim where it is 0.
    """
    wall, foot = 0.004, base or radius
    at = foot + (radius - foot) * centre / height  # the outer radius beside the handle
    out, low, high = at + gap + bar, centre - span / 2 - bar, centre + span / 2 + bar
    corner = 0.010
    path = ((at - 0.004, high), (out - corner, high), (out, high - corner), (out, low + corner), (out - corner, low),
            (at - 0.004, low))
    handle = tuple(
        Geom("capsule", (bar,), ends=((a[0], 0.0, a[1]), (b[0], 0.0, b[1])))
        for a, b in pairwise(path)
    )
    geoms = (
        Geom("box", (foot * 0.68, foot * 0.68, 0.0025), (0, 0, 0.0025)),
        drawn(foot - 0.001, 0.001, 0.006),
        drawn(foot - wall, 0.005, 0.0065, lining),
        *ring((foot, 0.002), (radius, height), wall),
        *handle,
    )
    middle = (at + gap / 2, 0.0, centre)
    through = {"handle": (0, 1, 0), "handle_back": (0, -1, 0)}
    return Form(
        geoms,
        {
            "bottom": up(0.0),
            "centre": up(height / 2),
            "inside": up(0.006),
            "top": up(height),
            **{name: ("", pose(middle, from_axes(way, (1, 0, 0)))) for name, way in through.items()},
        },
        {"rim": ("", rim(radius - wall / 2, height, free=pi / 5))},
    )


@family
def skillet(
    radius: float, height: float, length: float = 0.297, wood: Vector = BLACK, lining: Vector = (0.16, 0.16, 0.17)
) -> Form:
    """Return a pan with a bar handle towards -y, `length` metres from far rim to handle's end."""
    base, tail = radius * 0.86, radius - length
    root = -radius * 0.93
    flat = base * 0.71
    high = height - 0.008
    grip = (0.0, radius - 0.259 * length / 0.297, high)
    geoms = (
        Geom("box", (flat, flat, 0.003), (0, 0, 0.003)),
        Geom("cylinder", (base, 0.002), (0, 0, 0.0035)),
        drawn(base - 0.003, 0.002, 0.0063, lining),
        *ring((base, 0.002), (radius, height), 0.004),
        Geom("box", (0.012, (root - tail) / 2, 0.007), (0, (root + tail) / 2, high), colour=wood),
        Geom("box", (0.008, 0.020, 0.004), (0, root - 0.004, high - 0.006), colour=(0.6, 0.6, 0.62), collide=False),
    )
    # a pan is lifted by its end: the further in along the handle, the lighter it hangs
    handle = tuple(
        Grasp(
            pose((0.0, grip[1] + along, high - 0.002), from_axes((0, sin(lean), -cos(lean)), (1, 0, 0))),
            opening=0.6,
            cost=0.3 * abs(lean) + 10 * abs(along),
        )
        for lean in (0.0, 0.3, 0.6, 0.9, -0.3)
        for along in (0.0, 0.015, -0.015)
    )
    points = {"bottom": up(0.0), "centre": up(0.0063), "top": up(height), "handle": ("", pose(grip))}
    return Form(geoms, points, {"handle": ("", handle)})


@family
def pot(radius: float, height: float, reach: float = 0.120, level: float = 0.084, metal: Vector = BLACK) -> Form:
    """Return a pot with a bar handle on either side, `reach` metres out along x and `level` above the base."""
    wall, bar, half = 0.004, 0.007, 0.030
    geoms = (
        Geom("box", (radius * 0.68, radius * 0.68, 0.003), (0, 0, 0.003)),
        Geom("cylinder", (radius - wall, 0.002), (0, 0, 0.0042), colour=(0.30, 0.30, 0.31)),
        *ring((radius, 0.002), (radius, height), wall),
        *(geom for side in (-1.0, 1.0) for geom in _handle(side, reach, level, radius, bar, half, metal)),
    )
    names = {"left_handle": -1.0, "right_handle": 1.0}
    return Form(
        geoms,
        {
            "bottom": up(0.0),
            "centre": up(height / 2),
            "inside": up(0.006),
            "top": up(height),
            **{name: ("", pose((side * reach, 0.0, level))) for name, side in names.items()},
        },
        {
            **{name: ("", _holds(side, reach, level, height)) for name, side in names.items()},
            "rim": ("", rim(radius - wall / 2, height)),
        },
        turns=2,
    )


def _handle(
    side: float, reach: float, level: float, radius: float, bar: float, half: float, colour: Vector
) -> tuple[Geom, ...]:
    """Return a bar along y, held off the wall by two struts: a finger goes between."""
    outer, inner = side * reach, side * (radius - 0.003)
    return (
        Geom("capsule", (bar,), ends=((outer, -half, level), (outer, half, level)), colour=colour),
        *(
            Geom("capsule", (bar * 0.8,), ends=((inner, y, level), (outer, y, level)), colour=colour)
            for y in (-half, half)
        ),
    )


def _holds(side: float, reach: float, level: float, height: float) -> tuple[Grasp, ...]:
    """Return grasps of a bar along y: fingers on both sides of it, leaning back along it and outwards around it.

    Left out are those whose palm would meet the pot's rim at `height`.
    """
    return tuple(
        Grasp(
            pose((side * reach, 0.0, level), from_axes(approach, (cos(roll), 0, -side * sin(roll)))),
            opening=0.35,
            cost=0.3 * abs(lean) + 0.3 * abs(roll),
        )
        for roll in (0.0, 0.3, 0.6, 0.9)
        for lean in (0.0, 0.3, 0.6, 0.9, -0.3)
        if level + PALM[0] * cos(lean) * cos(roll) + PALM[1] * sin(roll) > height + 0.004
        for down in [(-side * sin(roll), 0.0, -cos(roll))]
        for approach in [(cos(lean) * down[0], sin(lean), cos(lean) * down[2])]
    )
