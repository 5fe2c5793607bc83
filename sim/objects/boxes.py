"""Boxes, what is printed on them, and flat mats."""

from __future__ import annotations

from math import cos, hypot, pi, sin

from sim.embodiment.model import Geom, Vector
from sim.geometry import Array, about, from_axes, multiply, pose
from sim.objects.base import Form, Grasp, family, up
from sim.objects.palette import PALETTE
from sim.task.spec import SpecError

WIDEST = 0.075  # what a gripper of 0.080 m gets around
SIDE_FROM, PALM = 0.03, 0.021  # lower boxes leave no room for a hand from the side; how high its middle must be
REACH, PAD = 0.012, 0.011  # how far fingertips reach beyond the tool's origin; half their width
CLEAR = 0.002  # air between fingertips and the table
DEPTH = 0.02  # how far under the upper edge the tool's origin goes
LEANS = (0.0, -0.3, 0.3, -0.6, 0.6)
FLAT_LEANS = (0.0, -0.3, 0.3)  # a leaning finger has only a corner on a flat thing
FILM = 0.0005  # how far print stands out of a face
BLACK, DARK, WHITE = (0.05, 0.05, 0.06), (0.13, 0.13, 0.15), (0.93, 0.93, 0.92)


def paint(colour: str) -> Vector:
    """Return the RGB of a palette name; `SpecError` naming the valid ones."""
    if colour not in PALETTE:
        raise SpecError(f"unknown colour {colour!r}; valid: {', '.join(PALETTE)}")
    return PALETTE[colour]


def solid(x: float, y: float, z: float, at: Vector, colour: Vector | None = None, collide: bool = True) -> Geom:
    """Return a box of full lengths x, y, z around the point `at`."""
    return Geom("box", (x / 2, y / 2, z / 2), at, colour=colour, collide=collide)


def mark(x: float, y: float, z: float, at: Vector, colour: Vector) -> Geom:
    """Return a box that is seen and not felt."""
    return solid(x, y, z, at, colour, collide=False)


def down(
    height: float,
    across: float = 0.0,
    leans: tuple[float, ...] = (),
    spots: tuple[tuple[float, float], ...] = ((0.0, 0.0),),
    cost: float = 0.0,
) -> tuple[Grasp, ...]:
    """Return grasps from above of a thing whose top is at `height`, fingers opening along the yaw `across`.

    A leaning wrist keeps the fingers flat on the sides; it costs 1.5 rad a radian. Other spots than the first
    cost 4 rad a metre away from it.
    """
    opening, along = (cos(across), sin(across), 0.0), (-sin(across), cos(across))
    leans = leans or (FLAT_LEANS if height < 0.03 else LEANS)
    return tuple(
        Grasp(
            pose(
                (x, y, _over(height, lean)),
                from_axes((along[0] * sin(lean), along[1] * sin(lean), -cos(lean)), opening),
            ),
            cost=cost + 1.5 * abs(lean) + 4.0 * hypot(x - spots[0][0], y - spots[0][1]),
        )
        for x, y in spots
        for lean in leans
    )


def _over(height: float, lean: float) -> float:
    """Return how high the tool's origin stands so that no corner of the fingers meets the table."""
    return max(height - DEPTH, REACH * cos(lean) + PAD * sin(abs(lean)) + CLEAR)


def box_grasps(size: Vector) -> dict[str, tuple[str, tuple[Grasp, ...]]]:
    """Return "top" and "side" grasps of a box across those widths that fit; the thinner one is cheaper."""
    x, y, z = size
    thinner = min(x, y)
    tops = tuple(
        grasp
        for width, across in ((x, 0.0), (y, pi / 2))
        if width <= WIDEST
        for grasp in down(z, across, cost=4.0 * (width - thinner))
    )
    sides = tuple(
        Grasp(pose((0, 0, max(z / 2, PALM)), from_axes((-cos(a) * cos(tilt), -sin(a) * cos(tilt), -sin(tilt)), across)))
        for k, width in enumerate((y, x, y, x))
        for a in [k * pi / 2]
        for across in [(-sin(a), cos(a), 0)]
        if width <= WIDEST and z >= SIDE_FROM
        for tilt in (0.0, 0.3)
    )
    named = {"side": ("", sides), "top": ("", tops)}
    return {name: grasp for name, grasp in named.items() if grasp[1]}


def box_points(height: float) -> dict[str, tuple[str, Array]]:
    """Return the points of a thing that is `height` high."""
    return {"bottom": up(0.0), "centre": up(height / 2), "top": up(height)}


def box_form(size: Vector, print_on: tuple[Geom, ...] = (), colour: Vector | None = None) -> Form:
    """Return a box of full lengths `size` with what is printed on it."""
    body = solid(*size, (0, 0, size[2] / 2), colour)
    return Form((body, *print_on), box_points(size[2]), box_grasps(size), turns=4 if size[0] == size[1] else 2)


@family
def block(size: Vector) -> Form:
    """Return a plain box of full lengths `size`."""
    return box_form(size)


@family
def mat(size: tuple[float, ...]) -> Form:
    """Return a coloured rectangle (x, y[, thickness]) that is seen and not felt."""
    thickness = size[2] if len(size) == 3 else 0.001
    sheet = solid(size[0], size[1], thickness, (0, 0, thickness / 2), collide=False)
    return Form((sheet,), {"bottom": up(0.0), "top": up(thickness)}, turns=4 if size[0] == size[1] else 2)


@family
def carton(
    size: Vector,
    accent: str = "white",
    bands: tuple[tuple[float, float], ...] = (),
    emblem: str = "",
    ink: str = "black",
) -> Form:
    """Return a printed box: `bands` of (place, width) as fractions of its height go round it in the accent colour.

    `emblem`, on its top, front and back, in `ink` on a panel of the accent colour: "disc", "diamond", "lines", or
    "" for none.
    """
    x, y, z = size
    skin = 2 * FILM
    around = tuple(mark(x + skin, y + skin, width * z, (0, 0, at * z), paint(accent)) for at, width in bands)
    return box_form(size, (*around, *_emblems(size, paint(accent), paint(ink), emblem)))


def _emblems(size: Vector, accent: Vector, ink: Vector, emblem: str) -> tuple[Geom, ...]:
    x, y, z = size
    if not emblem:
        return ()
    faces = (  # how wide and high, where, and the turn that brings z out of the face
        (x, y, (0.0, 0.0, z), 0.0),
        (x, z, (0.0, -y / 2, z / 2), pi / 2),
        (x, z, (0.0, y / 2, z / 2), -pi / 2),
    )
    return tuple(geom for face in faces for geom in _emblem(*face, accent, ink, emblem))


def _emblem(
    wide: float, high: float, at: Vector, turn: float, accent: Vector, ink: Vector, emblem: str
) -> tuple[Geom, ...]:
    facing = about((1, 0, 0), turn)
    quat = tuple(facing.tolist())
    panel = Geom("box", (0.32 * wide, 0.32 * high, 2 * FILM), at, quat, accent, collide=False)
    r = 0.22 * min(wide, high)
    if emblem == "disc":
        return panel, Geom("cylinder", (r, 3 * FILM), at, quat, ink, collide=False)
    if emblem == "diamond":
        tipped = tuple(multiply(facing, about((0, 0, 1), pi / 4)).tolist())
        return panel, Geom("box", (0.8 * r, 0.8 * r, 3 * FILM), at, tipped, ink, collide=False)
    if emblem == "lines":
        return panel, Geom("box", (0.24 * wide, 0.06 * high, 3 * FILM), at, quat, ink, collide=False)
    raise SpecError(f"unknown emblem {emblem!r}; valid: disc, diamond, lines")


@family
def plank(size: Vector, grain: str = "brown", rings: int = 3) -> Form:
    """Return a wooden block with `rings` dark lines of grain along x."""
    x, y, z = size
    skin = 2 * FILM
    spread = [(k + 1) / (rings + 1) - 0.5 + 0.02 * (-1) ** k for k in range(rings)]
    lines = tuple(mark(x + skin, 0.0016, z + skin, (0, at * y, z / 2), paint(grain)) for at in spread)
    flat = tuple(
        mark(x + skin, y + skin, 0.0014, (0, 0, (k + 0.6) / rings * z), paint(grain)) for k in range(rings - 1)
    )
    return box_form(size, (*lines, *flat))


@family
def rubik(side: float) -> Form:
    """Return a cube with six coloured faces, divided in nine by grooves."""
    half, sticker = side / 2, side * 0.94
    colours = ("red", "orange", "green", "blue", "white", "yellow")
    axes = ((1, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
    faces = tuple(
        mark(*_along(axis, FILM, sticker), _at(axis, half, half), paint(colour))
        for axis, colour in zip(axes, colours, strict=True)
        if axis[2] >= 0  # it stands on the white one
    )
    # a thin slab through the cube shows as a line on four faces
    grooves = tuple(
        mark(*_along(axis, 0.0022, side + 3 * FILM), _at(axis, k * side / 6, half), BLACK)
        for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
        for k in (-1, 1)
    )
    return box_form((side, side, side), (*faces, *grooves))


def _along(axis: tuple[int, int, int], thin: float, wide: float) -> Vector:
    """Return the size of a slab that is `thin` along an axis and `wide` across."""
    x, y, z = (thin if a else wide for a in axis)
    return x, y, z


def _at(axis: tuple[int, int, int], distance: float, middle: float) -> Vector:
    """Return the point `distance` along an axis from the centre of a thing whose centre is `middle` high."""
    return axis[0] * distance, axis[1] * distance, middle + axis[2] * distance


@family
def phone(size: Vector, screen: str = "navy", lenses: int = 2) -> Form:
    """Return a phone on its back, its top towards +y.

    "bottom_edge" is the middle of its -y end, z along the body towards +y, x along x, so that y goes into its back:
    brought upright it stands on that edge, the screen towards -y. The grasp "sides" holds it by the half away from
    that edge, from above or slanted.
    """
    x, y, z = size
    panel = mark(0.92 * x, 0.86 * y, 2 * FILM, (0, 0.01 * y, z), paint(screen))
    icons = tuple(
        mark(0.15 * x, 0.15 * x, 4 * FILM, (dx * x, dy * y, z), paint(colour))
        for dx, dy, colour in ((-0.28, 0.3, "sky"), (0.0, 0.3, "lime"), (0.28, 0.3, "coral"), (-0.28, 0.16, "yellow"))
    )
    strip = mark(0.6 * x, 0.02 * y, 4 * FILM, (0, -0.36 * y, z), WHITE)
    eyes = tuple(
        Geom("cylinder", (0.002, 2 * FILM), ((k - 0.5) * 0.08 * x, 0.47 * y, z), colour=BLACK, collide=False)
        for k in range(lenses)
    )
    edge = pose((0, -y / 2, z / 2), about((1, 0, 0), -pi / 2))
    spots = ((0.0, 0.1 * y), (0.0, 0.2 * y), (0.0, 0.3 * y))
    # the wrist that holds it upright is at ease where it leans about so much towards the phone's top
    sides = tuple(
        grasp
        for lean in (-0.6, -0.45, -0.75, -0.3, -0.9, -0.15, 0.0, 0.3)
        for grasp in down(z, leans=(lean,), spots=spots, cost=1.5 * (abs(lean + 0.6) - abs(lean)))
    )
    grasps = {"top": ("", down(z, spots=((0.0, 0.0), (0.0, 0.15 * y)))), "sides": ("", sides)}
    points = {**box_points(z), "bottom_edge": ("", edge)}
    return Form((solid(x, y, z, (0, 0, z / 2)), panel, strip, *icons, *eyes), points, grasps)


@family
def remote(size: Vector, keys: str = "grey", rows: int = 3) -> Form:
    """Return a remote control, its sender towards +y, with a red key, a ring and rows of keys."""
    x, y, z = size
    power = Geom("cylinder", (0.1 * x, 0.001), (-0.25 * x, 0.42 * y, z), colour=(0.8, 0.1, 0.1), collide=False)
    ring = (
        Geom("cylinder", (0.3 * x, 0.0008), (0, 0.2 * y, z), colour=paint(keys), collide=False),
        Geom("cylinder", (0.12 * x, 0.0014), (0, 0.2 * y, z), colour=DARK, collide=False),
    )
    buttons = tuple(
        mark(0.7 * x, 0.035 * y, 0.002, (0, (-0.05 - 0.11 * k) * y, z), paint(keys)) for k in range(rows)
    )
    eye = mark(0.5 * x, 2 * FILM, 0.4 * z, (0, y / 2, z / 2), BLACK)
    grasps = {"top": ("", down(z, spots=((0.0, 0.0), (0.0, -0.2 * y), (0.0, 0.2 * y))))}
    return Form((solid(x, y, z, (0, 0, z / 2)), power, *ring, *buttons, eye), box_points(z), grasps)
