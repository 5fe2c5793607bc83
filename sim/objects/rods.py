"""Long round things that lie: rolling pin, microphone."""

from __future__ import annotations

from math import atan2, cos, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import Array, about, apply, compose, from_axes, multiply, pose
from sim.objects.base import Form, Grasp, family, up
from sim.objects.revolution import FLAT, around, opening, placed, prism

ROLLS = (-0.3, 0.3, -0.15, 0.15)  # radians
BACK = 0.032  # metres nearer the tips for each radian of roll
ALONG_X = (0.7071067811865476, 0.0, 0.7071067811865476, 0.0)  # z along the world's x


@family
def roller(
    radius: float, length: float, body: float = 0.14, grip: float = 0.0125, wood: Vector = (0.52, 0.33, 0.17)
) -> Form:
    """Return a rolling pin along x: a `body` metres long, a thinner handle at either end, `length` in all."""
    axis = radius * FLAT
    frame = pose((0, 0, axis), ALONG_X)
    end = length / 2
    held = (body / 2 + end) / 2  # the middle of a handle
    geoms = (
        *prism(radius, -body / 2, body / 2, frame),
        Geom("cylinder", (radius, body / 2), (0, 0, axis), ALONG_X, collide=False),
        *(
            Geom("capsule", (grip,), ends=((s * body / 2, 0, axis), (s * (end - grip), 0, axis)), colour=wood)
            for s in (-1.0, 1.0)
        ),
    )
    return Form(
        geoms,
        {
            "bottom": up(0.0),
            "centre": up(axis),
            "top": up(2 * axis),
            "left_end": ("", pose((-held, 0, axis))),
            "right_end": ("", pose((held, 0, axis))),
        },
        {
            "left_end": ("", _across(-held, axis, 2 * grip)),
            "right_end": ("", _across(held, axis, 2 * grip)),
            "top": ("", _across(0.0, axis, 2 * radius)),
        },
        turns=2,
    )


def _across(x: float, z: float, width: float) -> tuple[Grasp, ...]:
    """Return grasps from above of a round bar along x, leaning along it or rolled around it.

    The rolled ones hold it nearer the fingertips, which keeps the lower finger off the table.
    """
    ways = [(lean, 0.0) for lean in (0.0, -0.3, 0.3, -0.6, 0.6)]
    ways += [(lean, roll) for roll in ROLLS for lean in (0.0, -0.3, 0.3)]
    return tuple(
        Grasp(
            pose(
                tuple(at - BACK * abs(roll) * a for at, a in zip((x, 0.0, max(z, 0.016)), approach, strict=True)),
                from_axes(approach, (0.0, cos(roll), sin(roll))),
            ),
            opening=opening(width),
            cost=0.3 * abs(lean) + abs(roll),
        )
        for lean, roll in ways
        for approach in [(sin(lean), cos(lean) * sin(roll), -cos(lean) * cos(roll))]
    )


@family
def microphone(
    length: float,
    head: float = 0.027,
    grip: float = 0.015,
    ring: float = 0.05,
    mesh: Vector = (0.55, 0.56, 0.58),
    band: Vector = (0.35, 0.36, 0.38),
) -> Form:
    """Return a hand microphone lying along y, its head towards +y: it rests on its tail and on the head's collar.

    Grasps "tail" and "neck" go around the grip, `ring` metres apart. Point "tail" looks from tail to head.
    """
    collar = head + 0.0008
    waist = length - 2 * head - 0.004  # the near edge of the collar, along the axis from the tail's end
    frame = _lying(length, FLAT * grip, FLAT * collar, waist)
    geoms = (
        *prism(grip, 0.0, waist + 0.002, frame),
        *prism(collar, waist, waist + 0.014, frame, colour=band),
        placed(Geom("sphere", (head,), (0, 0, length - head), colour=mesh), frame),
        placed(Geom("cylinder", (head * 0.96, 0.003), (0, 0, length - head), colour=band, collide=False), frame),
        placed(Geom("cylinder", (grip * 1.02, 0.004), (0, 0, 0.006), colour=band, collide=False), frame),
    )
    tail, neck = waist / 2 - ring / 2, waist / 2 + ring / 2
    tilts = (0.0, -0.4, 0.4)
    return Form(
        geoms,
        {
            "bottom": up(0.0),
            "centre": ("", compose(frame, pose((0, 0, length / 2)))),
            "head": ("", compose(frame, pose((0, 0, length)))),
            "tail": ("", frame),
        },
        {
            "tail": ("", around(grip, tail, tilts, frame)),
            "neck": ("", around(grip, neck, tilts, frame)),
        },
    )


def _lying(length: float, tail: float, collar: float, waist: float) -> Array:
    """Return the frame (7,) of a rod, z from tail to head, that rests on its `tail` and `collar` (apothems)."""
    rise = atan2(collar - tail, waist)
    # z along +y, raised by `rise`; a flat of the column faces down
    turn = multiply(about((1, 0, 0), rise), from_axes((0, 1, 0), (1, 0, 0)))
    loose = pose((0, 0, 0), turn)
    middle, low = apply(loose, (0, 0, length / 2)), apply(loose, (tail, 0, 0))
    other = apply(loose, (-tail, 0, 0))
    return pose((0.0, -middle[1], -min(low[2], other[2])), turn)
