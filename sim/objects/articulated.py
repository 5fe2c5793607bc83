"""Things with a lid, a door, a drawer or a rocker."""

from __future__ import annotations

from math import cos, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import about, from_axes, pose
from sim.objects.base import Form, Grasp, Part, family, up
from sim.objects.boxes import DARK, mark, solid

STEEL, GLASS, WOOD = (0.72, 0.73, 0.75), (0.55, 0.62, 0.65), (0.80, 0.68, 0.52)
GAP = 0.002  # air between a moving part and what it moves along
BAR = 0.007  # radius of a handle
YAWS = (0.0, -0.25, 0.25, -0.5, 0.5)  # of a hand on an upright bar: a broad hand turned further meets the face behind


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
        parts=(Part("lid", "hinge", hinge, (-1, 0, 0), (0.0, pi), start * pi, plate, damping=0.05, friction=0.05),),
    )


def _upright_bar(at: Vector) -> tuple[Grasp, ...]:
    """Return grasps of an upright round bar before a face turned to -y: straight on, from the sides and from above."""
    return tuple(
        Grasp(
            pose(
                at,
                from_axes((sin(yaw) * cos(lean), cos(yaw) * cos(lean), -sin(lean)), (cos(yaw), -sin(yaw), 0.0)),
            ),
            opening=0.65,
            cost=0.5 * (abs(yaw) + lean),
        )
        for yaw in YAWS
        for lean in (0.0, 0.3, 0.6, 0.9)
    )


def _level_bar(at: Vector) -> tuple[Grasp, ...]:
    """Return grasps of a round bar along x before a face turned to -y: from straight on to straight down."""
    return tuple(
        Grasp(
            pose((at[0] + off, *at[1:]), from_axes((0.0, cos(lean), -sin(lean)), (0.0, sin(lean), cos(lean)))),
            # a steep hand has a finger between bar and face: it must not open further than there is room
            opening=0.65 if lean < 0.7 else 0.35,
            cost=2 * abs(off) + 0.5 * lean,
        )
        for off in (0.0, -0.02, 0.02)
        for lean in (0.0, 0.3, 0.6, 0.9, 1.2, 1.5)
    )


@family
def microwave(width: float = 0.35, depth: float = 0.25, height: float = 0.20, panel: float = 0.075) -> Form:
    """Return a microwave oven: a hollow case whose door turns about its left edge, handle at the free one.

    Opened by the arm on the left, the door swings towards it and its outside stays turned to that arm.
    """
    wall, thick, stand = 0.012, 0.018, 0.036
    left, front = -width / 2, -depth / 2
    behind = front + thick + GAP  # the front of the case proper
    room = depth / 2 - behind
    door = width - panel
    wide = door - wall
    middle = behind + room / 2
    case = (
        solid(wall, room, height, (left + wall / 2, middle, height / 2)),
        solid(panel, depth, height, (-left - panel / 2, 0, height / 2)),
        solid(wide, room, wall, (left + wall + wide / 2, middle, wall / 2)),
        solid(wide, room, wall, (left + wall + wide / 2, middle, height - wall / 2)),
        solid(wide, wall, height - 2 * wall, (left + wall + wide / 2, depth / 2 - wall / 2, height / 2), DARK),
        mark(panel * 0.7, 0.001, 0.024, (-left - panel / 2, front, height * 0.82), (0.1, 0.3, 0.25)),
        *(
            mark(panel * 0.22, 0.002, 0.014, (-left - panel / 2 + x * panel, front, height * z), DARK)
            for x in (-0.2, 0.2)
            for z in (0.60, 0.46, 0.32)
        ),
        mark(panel * 0.6, 0.002, 0.022, (-left - panel / 2, front, height * 0.14), STEEL),
        Geom("cylinder", (min(wide, room) * 0.4, 0.003), (left + wall + wide / 2, middle, wall + 0.003), colour=GLASS,
             collide=False),
    )
    span = door - GAP
    across, out = span - 0.026, -GAP - thick - stand
    low, high = height * 0.22, height * 0.82
    leaf = (
        solid(span, thick, height - 2 * GAP, (span / 2, -GAP - thick / 2, height / 2)),
        mark(span * 0.66, 0.001, height * 0.62, (span * 0.44, -GAP - thick, height / 2), DARK),
        mark(span * 0.66, 0.001, height * 0.62, (span * 0.44, -GAP, height / 2), DARK),
        Geom("capsule", (BAR,), ends=((across, out, low), (across, out, high)), colour=STEEL),
        *(
            Geom("capsule", (BAR * 0.8,), ends=((across, out, z), (across, -GAP - thick, z)), colour=STEEL)
            for z in (low, high)
        ),
    )
    grip = (across, out, (low + high) / 2)
    points = {
        "bottom": up(0.0),
        "top": up(height),
        "handle": ("door", pose(grip, from_axes((0, -1, 0), (0, 0, 1)))),
        "edge": ("door", pose((span - 0.02, -GAP, height * 0.6), from_axes((0, 1, 0), (0, 0, 1)))),
    }
    hinge = Part("door", "door", (left, behind, 0.0), (0, 0, -1), (0.0, 1.7), 0.0, leaf, damping=0.05, friction=0.02)
    hold = tuple(grasp for lift in (0.0, 0.02) for grasp in _upright_bar((*grip[:2], grip[2] + lift)))
    return Form(case, points, {"handle": ("door", hold)}, parts=(hinge,), turns=1)


@family
def switch(
    height: float = 0.098, plate: float = 0.084, rocker: tuple[float, float] = (0.042, 0.066), swing: float = 0.54
) -> Form:
    """Return a rocker switch on a post, the middle of the rocker at `height`, its lower half standing out.

    Pushing that half ("press", against its level z axis) turns the rocker about x from 0 to `swing`.
    """
    wide, high = rocker
    thick, slab = 0.010, 0.012
    tilt = swing / 2
    clear = high / 2 * sin(tilt) + thick / 2 + 0.003
    pivot = (0.0, -slab / 2 - clear, height)
    upright = plate * 0.92 if plate > high + 0.016 else high + 0.016
    case = (
        solid(0.075, 0.070, 0.010, (0, 0.012, 0.005), DARK),
        solid(0.030, 0.016, height, (0, slab / 2 + 0.008, height / 2), DARK),
        solid(plate, slab, upright, (0, 0, height)),
        # a frame as deep as the rocker's axle hides the air behind it
        *(
            mark(0.004, clear, high + 0.010, (x * (wide / 2 + 0.005), -slab / 2 - clear / 2, height), STEEL)
            for x in (-1, 1)
        ),
    )
    turn = tuple(about((1, 0, 0), -tilt).tolist())
    face = (0.0, -cos(tilt), sin(tilt))  # out of the rocker where it stands at joint value 0
    down = (0.0, -sin(tilt), -cos(tilt))

    def spot(along: float) -> Vector:
        return 0.0, along * down[1] + thick / 2 * face[1], along * down[2] + thick / 2 * face[2]

    key = (
        Geom("box", (wide / 2, thick / 2, high / 2), (0, 0, 0), turn, (0.93, 0.93, 0.90)),
        Geom("box", (wide * 0.04, 0.001, high * 0.08), spot(high * 0.34), turn, (0.8, 0.15, 0.12), collide=False),
        Geom("box", (wide * 0.16, 0.001, high * 0.03), spot(-high * 0.34), turn, (0.2, 0.2, 0.2), collide=False),
    )
    # half way between how the rocker faces before and after: what pushes there stays off the axle
    press = pose(spot(high * 0.36), from_axes((0, -1, 0), (0, 0, 1)))
    hinge = Part("rocker", "rocker", pivot, (1, 0, 0), (0.0, swing), 0.0, key, damping=0.01, friction=0.008)
    return Form(case, {"bottom": up(0.0), "press": ("rocker", press)}, parts=(hinge,), turns=1)


@family
def cabinet(
    width: float = 0.24, depth: float = 0.24, height: float = 0.40, drawer: float = 0.12, travel: float = 0.20
) -> Form:
    """Return a chest whose lowest drawer slides out to -y; its front ends `drawer` up, its handle is 2 cm lower.

    The front is that low because what goes into the drawer is carried over it. "inside" is on its floor, in the open
    when the drawer is out by 0.16; "out" is where that is, in the room, once the drawer is out by 0.9 of its travel.
    """
    wall, thin, board, stand = 0.012, 0.006, 0.012, 0.036
    bar = (0.0, -depth / 2, drawer - 0.02)
    face = bar[1] + stand + board  # the inner side of the drawer's front
    front, back = face + GAP, depth / 2
    room, middle = back - front, (front + back) / 2
    shelf = drawer + 2 * GAP
    case = (
        *(solid(wall, room, shelf, (x * (width - wall) / 2, middle, shelf / 2)) for x in (-1, 1)),
        solid(width - 2 * wall, wall, shelf, (0, back - wall / 2, shelf / 2)),
        solid(width, room, height - shelf, (0, middle, (height + shelf) / 2)),
        *_drawer_fronts(width, front, shelf, height),
    )
    inner = width - 2 * (wall + 0.003 + thin)
    long = room - wall - 0.010
    floor, side = 0.016, 0.065
    box = (
        solid(inner + 2 * thin, long, floor - 0.004, (0, face + long / 2, (floor + 0.004) / 2), WOOD),
        *(
            solid(thin, long, side - floor, (x * (inner + thin) / 2, face + long / 2, (side + floor) / 2), WOOD)
            for x in (-1, 1)
        ),
        solid(inner, thin, side - floor, (0, face + long - thin / 2, (side + floor) / 2), WOOD),
        solid(width - 0.004, board, drawer - 0.004, (0, face - board / 2, (drawer + 0.004) / 2)),
        Geom("capsule", (BAR,), ends=((-0.045, *bar[1:]), (0.045, *bar[1:])), colour=STEEL),
        *(
            Geom("capsule", (BAR * 0.7,), ends=((x, *bar[1:]), (x, face - board, bar[2])), colour=STEEL)
            for x in (-0.045, 0.045)
        ),
    )
    points = {
        "bottom": up(0.0),
        "top": up(height),
        "inside": ("drawer", pose((0, face + 0.07, floor))),
        "out": ("", pose((0, face + 0.07 - 0.9 * travel, floor))),
        "handle": ("drawer", pose(bar, from_axes((0, -1, 0), (0, 0, 1)))),
    }
    slide = Part("drawer", "drawer", (0, 0, 0), (0, -1, 0), (0.0, travel), 0.0, box, 2.0, friction=0.5, slide=True)
    return Form(case, points, {"handle": ("drawer", _level_bar(bar))}, parts=(slide,), turns=1)


def _drawer_fronts(width: float, front: float, low: float, high: float) -> tuple[Geom, ...]:
    """Return the look of two more drawers between two heights."""
    half = (high - low) / 2
    return tuple(
        piece
        for k in range(2)
        for z in (low + (k + 0.5) * half,)
        for piece in (
            mark(width - 0.006, 0.001, half - 0.002, (0, front, z), DARK),
            solid(width - 0.010, 0.008, half - 0.006, (0, front, z), collide=False),
            mark(0.09, 0.012, 0.010, (0, front - 0.009, z), STEEL),
        )
    )
