"""Solids of revolution."""

from __future__ import annotations

from sim.embodiment.model import Geom, Vector
from sim.objects.base import Form, family, up
from sim.objects.revolution import above, around, drawn, prism, solid

TIP = 0.012  # metres: how far fingertips reach beyond the tool's origin
GRASPABLE = 0.072  # metres: wider things are not held across
METAL: Vector = (0.74, 0.75, 0.77)
WHITE: Vector = (0.92, 0.92, 0.90)


@family
def disc(radius: float, height: float) -> Form:
    """Return a flat cylinder."""
    geoms = (Geom("cylinder", (radius, height / 2), (0, 0, height / 2)),)
    return Form(geoms, {"bottom": up(0.0), "centre": up(height / 2), "top": up(height)}, turns=0)


@family
def ball(radius: float) -> Form:
    """Return a small smooth sphere."""
    grasps = {"top": ("", above(2 * radius, max(radius, TIP + 0.002), leans=(0.0,), turns=12))}
    points = {"bottom": up(0.0), "centre": up(radius), "top": up(2 * radius)}
    return Form((Geom("sphere", (radius,), (0, 0, radius), smooth=True),), points, grasps, turns=0)


@family
def bell(radius: float, height: float) -> Form:
    """Return a desk bell: a foot, an upright skirt to hold it by, a dome and a button on top."""
    skirt, waist, dome = radius * 0.88, height / 2 - 0.003, height / 2 - 0.005
    geoms = (
        Geom("cylinder", (radius, 0.005), (0, 0, 0.005), colour=(0.15, 0.13, 0.12)),
        *prism(skirt, 0.009, waist + 0.006),
        drawn(skirt, 0.009, waist),
        Geom("ellipsoid", (skirt, skirt, dome), (0, 0, waist)),
        Geom("cylinder", (0.007, 0.006), (0, 0, height - 0.006), colour=(0.2, 0.2, 0.22)),
    )
    # a leaning finger reaches 3 mm lower by one corner, and must not pinch the foot
    grasps = {"top": ("", above(2 * skirt, 0.0155 + TIP, leans=(0.0, -0.3, 0.3)))}
    points = {"bottom": up(0.0), "centre": up(height / 2), "top": up(height)}
    return Form(geoms, points, grasps if 2 * skirt <= GRASPABLE else {}, turns=0)


@family
def can(radius: float, height: float, label: Vector = WHITE, band: float = 0.5, lid: float = 0.9) -> Form:
    """Return a closed can with a printed band over `band` of its height and a lid of `lid` of its radius."""
    half = band * height / 2
    geoms = (
        *prism(radius, 0.0, height - 0.002),
        drawn(radius, 0.001, height - 0.003),
        drawn(radius + 0.0006, height / 2 - half, height / 2 + half, label),
        drawn(radius * lid, height - 0.003, height, METAL),
    )
    return Form(
        geoms,
        {"bottom": up(0.0), "centre": up(height / 2), "top": up(height)},
        {
            "side": ("", around(radius, 0.55 * height)),
            "top": ("", above(2 * radius, height - 0.02, leans=(0.0, -0.3, 0.3, -0.6, 0.6))),
        },
        turns=0,
    )


@family
def bottle(
    radius: float,
    height: float,
    neck: float = 0.014,
    neck_height: float = 0.035,
    shoulder: float = 0.025,
    cap: Vector = WHITE,
    label: Vector = WHITE,
    band: float = 0.35,
) -> Form:
    """Return a bottle: a body of `radius`, a rounded `shoulder`, a neck with a cap; it stands, or lies unrolling.

    `height` counts everything; `band` is the share of the body that the label covers.
    """
    collar = height - neck_height
    body = collar - shoulder
    half = band * body / 2
    geoms = (
        *prism(radius, 0.0, body),
        solid(neck, collar, height, cap),  # one body and not four: what is above weighs by the count
        drawn(radius, 0.001, body),
        Geom("ellipsoid", (radius, radius, shoulder + 0.004), (0, 0, body), collide=False),
        drawn(neck * 0.9, body, collar),
        drawn(radius + 0.0006, 0.48 * body - half, 0.48 * body + half, label),
    )
    return Form(
        geoms,
        {"bottom": up(0.0), "centre": up(height / 2), "top": up(height)},
        {
            "side": ("", around(radius, 0.55 * body, tilts=(0.0, -0.4, 0.4, 0.8))),
            "level": ("", around(radius, 0.55 * body, tilts=(0.0,))),
            "top": ("", above(2 * neck, collar + TIP + 0.003)),
        },
        turns=0,
    )


@family
def seal(
    radius: float, height: float, knob: float = 0.016, foot: float = 0.4, wood: Vector = (0.45, 0.28, 0.15)
) -> Form:
    """Return a stamp: a body over `foot` of its height, a stem and a knob to hold it by."""
    body, low, high = foot * height, height - 2 * knob, height - 0.6 * knob
    geoms = (
        *prism(radius, 0.0, body),
        solid(knob, low, high, wood),
        drawn(radius, 0.002, body),
        drawn(radius * 0.96, 0.0002, 0.003, (0.62, 0.14, 0.13)),
        drawn(knob * 0.6, body, low, wood),
        Geom("ellipsoid", (knob, knob, height - high), (0, 0, high), colour=wood, collide=False),
    )
    return Form(
        geoms,
        {"bottom": up(0.0), "centre": up(height / 2), "top": up(height)},
        {
            "top": ("", above(2 * knob, height - 0.022, leans=(0.0, -0.3, 0.3))),
            "side": ("", around(radius, max(0.024, 0.5 * body), tilts=(0.4, 0.8))),
        },
        turns=0,
    )


@family
def burger(radius: float, height: float, filling: Vector = (0.35, 0.62, 0.20)) -> Form:
    """Return a round bun in layers: bread, meat, a `filling` and a domed top."""
    low, meat, green = 0.32 * height, 0.52 * height, 0.6 * height
    geoms = (
        *prism(0.96 * radius, 0.0, 0.7 * height),
        drawn(radius * 0.97, 0.0005, low),
        drawn(radius, low, meat, (0.30, 0.17, 0.10)),
        drawn(radius * 1.02, meat, green, filling),
        Geom("ellipsoid", (radius, radius, height - green), (0, 0, green), collide=False),
    )
    return Form(
        geoms,
        {"bottom": up(0.0), "centre": up(height / 2), "top": up(height)},
        {
            "top": ("", above(2 * radius, max(height - 0.02, TIP + 0.003), leans=(0.0, -0.3, 0.3))),
            "side": ("", around(radius, max(0.5 * height, 0.02), tilts=(0.6, 0.9, 1.2))),
        },
        turns=0,
    )
