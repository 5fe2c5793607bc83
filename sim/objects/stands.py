"""What other things are set on, leant against or hung from."""

from __future__ import annotations

from math import cos, hypot, sin, tan

from sim.embodiment.model import Geom, Vector
from sim.geometry import about, cross, from_axes, pose
from sim.objects.base import Form, family, up
from sim.objects.boxes import BLACK, DARK, mark, solid

STEEL = (0.72, 0.73, 0.75)
HALF_PHONE = 0.008  # half the thickness of what leans on a phone stand


@family
def display_stand(width: float, depth: float, height: float, circle: bool = False) -> Form:
    """Return a low pedestal with a flat top."""
    plate, foot = 0.010, 0.010
    column = height - plate
    if circle:
        top = Geom("cylinder", (width / 2, plate / 2), (0, 0, height - plate / 2))
    else:
        top = solid(width, depth, plate, (0, 0, height - plate / 2))
    geoms = (
        solid(width * 0.72, depth * 0.72, column, (0, 0, column / 2)),
        top,
        mark(width * 0.8, depth * 0.8, foot, (0, 0, foot / 2), DARK),
    )
    return Form(geoms, {"bottom": up(0.0), "top": up(height)}, turns=4 if width == depth else 2)


@family
def phone_stand(width: float = 0.08, depth: float = 0.08, height: float = 0.10, slope: float = 1.17) -> Form:
    """Return a stand with a back plate at `slope` from the horizontal, leaning away from the front, and a ledge.

    "ledge" is where the middle of a phone's lower end is set down: z up along the plate, x along the width, so
    that the frame of a phone's lower end (z along the phone, x to the right, screen against -y) falls on it.
    """
    base, plate, shelf, room = 0.010, 0.006, 0.006, 0.024
    rise, out = (0.0, cos(slope), sin(slope)), (0.0, -sin(slope), cos(slope))  # along the plate, out of its face
    turn = tuple(about((1, 0, 0), slope).tolist())
    corner = (0.0, -depth * 0.16, base + 0.012)  # where the plate's face meets the shelf's

    def spot(along: float, off: float) -> Vector:
        return 0.0, corner[1] + along * rise[1] + off * out[1], corner[2] + along * rise[2] + off * out[2]

    long = (height - corner[2]) / sin(slope)
    # the plate is narrower than a phone: fingers that hold the phone by its sides pass beside it
    geoms = (
        solid(width, depth, base, (0, 0, base / 2)),
        Geom("box", (width * 0.3, (long + shelf) / 2, plate / 2), spot((long - shelf) / 2, -plate / 2), turn),
        Geom("box", (width * 0.4, shelf / 2, room / 2), spot(-shelf / 2, room / 2), turn),
        Geom("box", (width * 0.4, 0.006, 0.002), spot(0.0, room + 0.002), turn),
        Geom("box", (width * 0.12, long * 0.3, 0.006), spot(long * 0.22, -plate - 0.006), turn, DARK, collide=False),
        Geom("box", (width * 0.22, long * 0.06, 0.0005), spot(long * 0.8, 0.0002), turn, DARK, collide=False),
        mark(width * 0.3, depth * 0.3, corner[2], (0, corner[1] + 0.012, corner[2] / 2), DARK),
    )
    # a little in front of the plate, so that a phone slid down along it does not catch its upper end
    ledge = pose(spot(0.001, HALF_PHONE + 0.004), from_axes(rise, (0, sin(slope), -cos(slope))))
    return Form(geoms, {"bottom": up(0.0), "ledge": ("", ledge), "top": up(height)}, turns=1)


@family
def scale(width: float = 0.117, depth: float = 0.156, height: float = 0.04, circle: bool = False) -> Form:
    """Return a kitchen scale: a platform over its far part, a display at the front."""
    plate = 0.006
    side = min(width * 0.94, depth * 0.74)
    back = depth / 2 - side / 2 - 0.003
    body = height - plate
    pan = (
        Geom("cylinder", (side / 2, plate / 2), (0, back, height - plate / 2), colour=STEEL)
        if circle
        else solid(side, side, plate, (0, back, height - plate / 2), STEEL)
    )
    strip = depth - side - 0.006
    front = -depth / 2 + strip / 2
    geoms = (
        solid(width, depth, body, (0, 0, body / 2)),
        pan,
        mark(width * 0.5, strip * 0.66, 0.001, (-width * 0.12, front, body), (0.62, 0.74, 0.66)),
        mark(width * 0.26, strip * 0.22, 0.001, (-width * 0.16, front, body + 0.001), BLACK),
        mark(width * 0.1, strip * 0.3, 0.002, (width * 0.3, front, body), (0.85, 0.2, 0.15)),
    )
    return Form(geoms, {"bottom": up(0.0), "top": ("", pose((0, back, height)))}, turns=1)


@family
def rack(
    width: float = 0.15,
    depth: float = 0.12,
    height: float = 0.26,
    tip: Vector = (-0.0526, -0.0384, 0.195),
    slope: float = 0.47,
    back: float = 0.012,
    peg: float = 0.0055,
) -> Form:
    """Return a post with one peg that rises outwards at `slope` (radians) and ends at `tip`.

    The post stands `back` behind the centre, so that a mug has room on the peg. Points "peg" (the tip) and "hang"
    (half way from the centre line to the tip) look out along the peg, their x axes up.
    """
    base, post = 0.012, 0.007
    out = hypot(tip[0], tip[1])
    away = (tip[0] / out, tip[1] / out)
    direction = (away[0] * cos(slope), away[1] * cos(slope), sin(slope))
    foot = (-back * away[0], -back * away[1])
    root = (*foot, tip[2] - (out + back) * tan(slope))
    half = (tip[0] / 2, tip[1] / 2, tip[2] - out / 2 * tan(slope))
    geoms = (
        solid(width, depth, base, (0, 0, base / 2)),
        Geom("capsule", (post,), ends=((*foot, base), (*foot, height - post))),
        Geom("capsule", (peg,), ends=(root, tip)),
        Geom("sphere", (post * 1.6,), (*foot, height - post * 1.6), collide=False),
        Geom("cylinder", (post * 2.2, 0.005), (*foot, base + 0.005), collide=False),
    )
    turn = from_axes(direction, cross(direction, (0, 0, 1)))
    return Form(geoms, {"bottom": up(0.0), "peg": ("", pose(tip, turn)), "hang": ("", pose(half, turn))}, turns=1)
