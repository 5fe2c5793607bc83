"""Tools that are held to be used, and small things with a front: hammer, scanner, sign, fan, clock."""

from __future__ import annotations

from math import asin, atan2, cos, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import about, from_axes, pose
from sim.objects.base import Form, Grasp, family, up
from sim.objects.boxes import BLACK, DARK, WHITE, mark, solid

STEEL, RUBBER, LENS = (0.62, 0.63, 0.66), (0.10, 0.10, 0.11), (0.75, 0.08, 0.08)
LEANS = (0.0, 0.3, -0.3, 0.6, -0.6)
LEAST = 0.014  # a tool's origin nearer to the table pushes the fingertips into it
PAD = 0.011  # half the width of a finger pad
ALONG_Y = tuple(about((1, 0, 0), pi / 2).tolist())  # turns a cylinder's axis to the front


@family
def hammer(
    length: float, head: Vector, grip: float = 0.022, claw: bool = False, face: str = "steel"
) -> Form:
    """Return a hammer that stands on the striking face of its head (x, y, z) and on the end of its handle.

    The handle lies along y, head away from the robot. "face" is a bottom of the head: set on a thing, the head hits it.
    """
    wide, deep, high = head
    reach = length - deep / 2
    rise = asin((0.55 * high - grip / 2) / reach)
    along = (0.0, cos(rise), sin(rise))
    tail = (0.0, -length / 2 + grip / 2 * sin(rise), grip / 2 * cos(rise))
    shaft = reach / cos(rise) - 0.3 * deep
    ahead = length / 2 - deep / 2
    tint = RUBBER if face == "rubber" else STEEL

    def spot(share: float) -> Vector:
        return tail[0], tail[1] + share * shaft * along[1], tail[2] + share * shaft * along[2]

    turn = tuple(about((1, 0, 0), rise).tolist())
    geoms = (
        Geom("box", (grip / 2, shaft / 2, grip / 2), spot(0.5), turn),
        Geom("box", (wide / 2, deep / 2, high / 2), (0, ahead, high / 2), colour=tint),
        Geom("box", (grip / 2 + 0.0015, shaft * 0.22, grip / 2 - 0.001), spot(0.26), turn, RUBBER, collide=False),
        mark(wide + 0.005, deep + 0.005, high * 0.2, (0, ahead, high * 0.1), tint),
        *_peen(wide, deep, high, ahead, tint, claw),
    )
    grasps = tuple(
        Grasp(
            pose(
                (0, spot(share)[1], max(spot(share)[2] + 0.002, LEAST + PAD * abs(sin(lean)))),
                from_axes((0, sin(lean), -cos(lean)), (1, 0, 0)),
            ),
            opening=0.7,
            cost=abs(lean) + abs(share - 0.5),
        )
        for share in (0.5, 0.35, 0.65)
        for lean in LEANS
    )
    points = {"bottom": up(0.0), "face": ("", pose((0, ahead, 0))), "top": ("", pose((0, ahead, high)))}
    return Form(geoms, points, {"handle": ("", grasps)}, turns=1)


def _peen(wide: float, deep: float, high: float, ahead: float, tint: Vector, claw: bool) -> tuple[Geom, ...]:
    """Return what the head has on top: two prongs bent back over the handle, or a second face."""
    if not claw:
        return (mark(wide + 0.005, deep + 0.005, high * 0.2, (0, ahead, high * 0.9), tint),)
    bent = tuple(about((1, 0, 0), 0.5).tolist())
    return tuple(
        Geom("box", (wide * 0.2, 0.005, 0.014), (x, ahead - 0.004, high + 0.008), bent, tint, collide=False)
        for x in (-wide * 0.3, wide * 0.3)
    )


@family
def scanner(wide: float = 0.046, muzzle: float = 0.061, back: float = 0.099, height: float = 0.086) -> Form:
    """Return a bar-code gun in its stand, the muzzle `muzzle` before the origin and turned to -y.

    The head is `wide` and held across x, from above ("top") or from behind ("handle").
    """
    deep = 0.034  # of the head, from its top down
    level = height - deep / 2
    rear = back - 0.045
    foot = (max(wide, 0.055) + 0.010, 0.105, 0.012)
    low, high = (0.0, back - 0.045, foot[2] - 0.002), (0.0, rear - 0.028, level)
    lean = atan2(low[1] - high[1], high[2] - low[2])
    middle = (0.0, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2)
    half = ((low[1] - high[1]) ** 2 + (high[2] - low[2]) ** 2) ** 0.5 / 2
    geoms = (
        solid(wide, muzzle + rear - 0.006, deep, (0, (rear - muzzle + 0.006) / 2, level)),
        Geom("box", (wide * 0.36, 0.016, half), middle, tuple(about((1, 0, 0), lean).tolist()), colour=DARK),
        solid(*foot, (0, back - foot[1] / 2, foot[2] / 2), DARK),
        mark(wide * 1.06, 0.016, deep * 1.06, (0, -muzzle + 0.008, level), BLACK),
        mark(wide * 0.8, 0.002, deep * 0.6, (0, -muzzle, level), LENS),
        mark(wide * 0.4, 0.050, 0.002, (0, 0.0, height), BLACK),
        mark(wide * 0.3, 0.010, 0.014, (0, high[1] - 0.020, level - deep / 2 - 0.006), (0.85, 0.35, 0.08)),
    )
    tops = tuple(
        Grasp(
            pose((0, y, height - 0.016), from_axes((0, sin(lean), -cos(lean)), (1, 0, 0))),
            cost=abs(lean) + 2 * abs(y - 0.012),
        )
        for y in (0.012, -0.012, 0.032)
        for lean in (*LEANS, 0.9, -0.9)
    )
    handles = tuple(
        Grasp(pose((0, rear - 0.012, level), from_axes((0, -cos(dip), -sin(dip)), (1, 0, 0))), cost=0.3 * dip)
        for dip in (0.0, 0.3, 0.6)
    )
    # the beam leaves along -y; its frame keeps x to the right
    beam = pose((0, -muzzle, level), from_axes((0, -1, 0), (0, 0, 1)))
    points = {"bottom": up(0.0), "top": up(height), "centre": up(height / 2), "beam": ("", beam)}
    return Form(geoms, points, {"top": ("", tops), "handle": ("", handles)}, turns=1)


def _rim(width: float, thick: float, height: float, depth: float, y: float) -> tuple[Grasp, ...]:
    """Return grasps of an upright edge along x, `depth` under its top: fingers across y, the wrist leaning along x."""
    reach = max(0.0, width / 2 - PAD)
    return tuple(
        Grasp(
            pose((x, y, height - depth + PAD * abs(sin(lean))), from_axes((sin(lean), 0, -cos(lean)), (0, 1, 0))),
            opening=min(1.0, 0.45 + 10 * thick),
            cost=abs(lean) + 2 * abs(x),
        )
        for x in (0.0, -0.5 * reach, 0.5 * reach)
        for lean in LEANS
    )


# columns and rows of the code's dark cells, outside its three corner marks
MODULES = ((4.0, 7.2), (3.6, 4.2), (7.4, 4.4), (5.6, 3.0), (7.6, 1.0), (4.2, 0.8), (5.4, 5.4), (1.2, 4.2), (6.2, 1.8))


@family
def qr_sign(
    width: float = 0.078, height: float = 0.097, depth: float = 0.034, edge: float = 0.014, pattern: int = 0
) -> Form:
    """Return a standing sign: a plate tilted back with a square code on its front, an upright `edge` thick above it."""
    foot, rail = 0.008, 0.024
    back = depth / 2 - edge / 2
    rise, lean = height - rail / 2 - foot, 2 * back * 0.8
    tilt = atan2(lean, rise)
    middle, long = (0.0, back - lean / 2 - 0.002, foot + rise / 2), (rise**2 + lean**2) ** 0.5
    turn = tuple(about((1, 0, 0), -tilt).tolist())
    cell = min(width * 0.90, long * 0.84) / 9

    def ink(column: float, row: float, cells: float, layer: int, colour: Vector) -> Geom:
        side, v = cells * cell / 2, (row - 4) * cell - 0.003
        out = 0.004 + 0.0006 * layer  # each layer stands out of the one under it
        at = (
            (column - 4) * cell,
            middle[1] + v * sin(tilt) - out * cos(tilt),
            middle[2] + v * cos(tilt) + out * sin(tilt),
        )
        return Geom("box", (side, 0.0005, side), at, turn, colour, collide=False)

    corners = ((1.0, 7.0), (7.0, 7.0), (1.0, 1.0))
    code = (
        *(ink(*spot, *square) for spot in corners for square in ((3, 1, BLACK), (1, 2, WHITE))),
        *(ink(*MODULES[(k + pattern) % len(MODULES)], 1.2, 1, BLACK) for k in range(6)),
    )
    geoms = (
        solid(width, depth, foot, (0, 0, foot / 2)),
        Geom("box", (width / 2, 0.0035, long / 2), middle, turn),
        solid(width, edge, rail, (0, back, height - rail / 2)),
        ink(4, 4, 9, 0, WHITE),
        *code,
    )
    points = {"bottom": up(0.0), "top": up(height), "centre": up(height / 2)}
    return Form(geoms, points, {"top": ("", _rim(width, edge, height, 0.010, back))}, turns=1)


@family
def fan(width: float = 0.112, height: float = 0.155, depth: float = 0.084, blades: int = 3) -> Form:
    """Return a table fan that blows to -y: a foot, a round head and above it a handle 18 mm thick."""
    foot, handle, thick = 0.012, 0.030, 0.036
    radius = width / 2
    axle = height - handle + 0.004 - radius
    front = -thick / 2
    spin = [2 * pi * k / blades + 0.3 for k in range(blades)]
    geoms = (
        solid(width * 0.8, depth, foot, (0, 0, foot / 2)),
        solid(0.026, 0.030, axle, (0, 0, axle / 2 + 0.001), DARK),
        # the round head is felt as a box within it: four steady contacts
        Geom("box", (radius * 0.68, thick / 2 - 0.002, radius * 0.68), (0, 0, axle)),
        solid(0.052, 0.018, handle, (0, 0, height - handle / 2)),
        Geom("cylinder", (radius, thick / 2), (0, 0, axle), ALONG_Y, collide=False),
        Geom("cylinder", (radius * 0.86, 0.001), (0, front, axle), ALONG_Y, DARK, collide=False),
        *(
            Geom(
                "box",
                (radius * 0.34, 0.001, radius * 0.15),
                (radius * 0.44 * cos(a), front - 0.0012, axle + radius * 0.44 * sin(a)),
                tuple(about((0, 1, 0), -a).tolist()),
                WHITE,
                collide=False,
            )
            for a in spin
        ),
        Geom("cylinder", (radius * 0.2, 0.003), (0, front - 0.001, axle), ALONG_Y, collide=False),
    )
    points = {"bottom": up(0.0), "top": up(height), "centre": up(height / 2)}
    return Form(geoms, points, {"top": ("", _rim(0.052, 0.018, height, 0.011, 0.0))}, turns=1)


@family
def alarm_clock(
    width: float = 0.19, depth: float = 0.084, height: float = 0.12, button: float = 0.012, digital: bool = False
) -> Form:
    """Return an alarm clock that faces -y, with a round button in the middle of its top."""
    body = height - 0.010
    front = -depth / 2
    middle = 0.006 + (body - 0.006) / 2
    face = min(width, body) * 0.40
    geoms = (
        solid(width * 0.9, depth * 0.9, 0.006, (0, 0, 0.003), DARK),
        solid(width, depth, body - 0.006, (0, 0, middle)),
        Geom("cylinder", (button, 0.006), (0, 0, height - 0.006), colour=(0.85, 0.15, 0.12)),
        *(_digits(width, body, front, middle) if digital else _dial(face, front, middle)),
    )
    knob = ("", pose((0, 0, height)))
    return Form(geoms, {"bottom": up(0.0), "top": knob, "button": knob, "centre": up(height / 2)}, turns=1)


def _dial(face: float, front: float, middle: float) -> tuple[Geom, ...]:
    hands = ((0.9, face * 0.62, 0.003), (2.6, face * 0.45, 0.004))
    return (
        Geom("cylinder", (face * 1.08, 0.001), (0, front, middle), ALONG_Y, BLACK, collide=False),
        Geom("cylinder", (face, 0.001), (0, front - 0.001, middle), ALONG_Y, WHITE, collide=False),
        *(
            Geom(
                "box",
                (thin / 2, 0.001, long / 2),
                (long / 2 * sin(a), front - 0.0025, middle + long / 2 * cos(a)),
                tuple(about((0, 1, 0), a).tolist()),
                BLACK,
                collide=False,
            )
            for a, long, thin in hands
        ),
    )


def _digits(width: float, body: float, front: float, middle: float) -> tuple[Geom, ...]:
    wide, high = width * 0.84, body * 0.6
    glow = (0.25, 0.9, 0.45)
    bars = tuple(
        mark(0.007, 0.001, high * 0.6, (x * wide, front - 0.0015, middle), glow) for x in (-0.36, -0.24, -0.1, 0.36)
    )
    rows = tuple(
        mark(wide * 0.15, 0.001, 0.006, (wide * 0.22, front - 0.0015, middle + z * high), glow)
        for z in (-0.27, 0.0, 0.27)
    )
    return mark(wide, 0.002, high, (0, front, middle), BLACK), *bars, *rows
