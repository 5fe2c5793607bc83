"""Small things of desk and kitchen: stapler, mouse, toy car, soap, shoe, fries, bread."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin, tan

from sim.embodiment.model import Geom, Vector
from sim.geometry import about, pose
from sim.objects.base import Form, family
from sim.objects.boxes import BLACK, DARK, DEPTH, FILM, LEANS, WHITE, box_points, down, mark, paint, solid
from sim.task.spec import SpecError

STEEL = (0.66, 0.68, 0.71)
CRUMB = (0.95, 0.87, 0.68)
SEEDS = ((0.0, 0.0), (0.2, 0.12), (-0.18, 0.15), (0.15, -0.18), (-0.2, -0.12), (0.0, 0.27), (0.02, -0.3))


def _turned(axis: Vector, angle: float) -> tuple[float, float, float, float]:
    w, x, y, z = about(axis, angle).tolist()
    return w, x, y, z


def _post(radius: float, height: float, at: Vector, colour: Vector | None = None) -> Geom:
    """Return a standing cylinder that is seen and not felt, its base centre at `at`."""
    return Geom("cylinder", (radius, height / 2), (at[0], at[1], at[2] + height / 2), colour=colour, collide=False)


@family
def stapler(length: float, width: float, height: float, base: str = "charcoal") -> Form:
    """Return a stapler along x, its nose at +x and higher than its hinge; "top" is where one presses it."""
    slope, thick = 0.09, 0.3 * height
    reach = 0.48 * length
    middle = height - thick / 2 * cos(slope) - reach * sin(slope)
    tilt = _turned((0, 1, 0), -slope)
    arm = Geom("box", (reach, width / 2, thick / 2), (0, 0, middle), tilt)
    nose = (reach * cos(slope) - 0.0005, 0.0, middle + reach * sin(slope))
    round_nose = Geom("cylinder", (thick / 2, width / 2), nose, _turned((1, 0, 0), pi / 2), collide=False)
    under = middle - thick / 2 - 0.002
    rail = Geom("box", (0.9 * reach, 0.3 * width, 0.003), (0, 0, under), tilt, STEEL, collide=False)
    foot = solid(length, 1.1 * width, 0.2 * height, (0, 0, 0.1 * height), paint(base))
    hinge = solid(0.2 * length, 0.8 * width, 0.4 * height, (-0.36 * length, 0, 0.35 * height), paint(base))
    anvil = mark(0.12 * length, 0.6 * width, 0.002, (0.38 * length, 0, 0.2 * height), STEEL)
    press = 0.27 * length
    press_z = middle + press * tan(slope) + thick / 2 / cos(slope)
    points = {**box_points(height), "top": ("", pose((press, 0, press_z)))}
    # by the arm, not by the gap under it
    hold = middle - thick / 2 + DEPTH + 0.008
    grasps = {"top": ("", down(hold, pi / 2, spots=((0.0, 0.0), (-0.015, 0.0), (0.015, 0.0))))}
    return Form((foot, hinge, arm, round_nose, rail, anvil), points, grasps)


@family
def mouse(length: float, width: float, height: float, wheel: str = "grey") -> Form:
    """Return a computer mouse along y, its keys towards -y."""
    low, radius = 0.55 * height, width / 2
    reach = length / 2 - radius
    dome = height - 0.9 * low
    shell = Geom("ellipsoid", (0.97 * radius, 0.99 * length / 2, dome), (0, 0, 0.9 * low), collide=False)
    ends = tuple(_post(radius, low, (0, side * reach, 0)) for side in (-1, 1))
    # unseen inside the shell
    core = solid(0.5 * width, 0.5 * length, 0.6 * (height - low), (0, 0, low + 0.3 * (height - low)))
    roller = Geom("cylinder", (0.007, 0.003), (0, -0.27 * length, 0.9 * low + 0.78 * dome - 0.004),
                  _turned((0, 1, 0), pi / 2), paint(wheel), collide=False)
    split = mark(0.0015, 0.3 * length, 0.5 * dome, (0, -0.32 * length, 0.9 * low + 0.42 * dome), DARK)
    body = solid(width, length - 2 * radius + 0.3 * radius, low, (0, 0, low / 2))
    return Form((body, core, *ends, shell, split, roller), box_points(height), {"top": ("", down(height))})


@family
def soap(size: Vector, emboss: str = "cream") -> Form:
    """Return a bar of soap along x with round ends and an embossed oval."""
    x, y, z = size
    ends = tuple(_post(y / 2, z, (side * (x - y) / 2, 0, 0)) for side in (-1, 1))
    body = solid(x - 0.8 * y, y, z, (0, 0, z / 2))
    oval = Geom("ellipsoid", (0.3 * x, 0.3 * y, 0.0015), (0, 0, z), colour=paint(emboss), collide=False)
    grasps = {"top": ("", down(z, pi / 2))}
    return Form((body, *ends, oval), box_points(z), grasps, turns=2)


@family
def toy_car(
    length: float, width: float, height: float, cabin: float = 0.5, back: float = 0.1, trim: str = "charcoal"
) -> Form:
    """Return a toy car, nose at -y; `cabin` is its length and `back` how far behind the middle, in car lengths."""
    wheel, floor = 0.26 * height, 0.22 * height
    waist = 0.62 * height
    under = solid(0.8 * width, 0.94 * length, floor + 0.002, (0, 0, floor / 2 + 0.001), DARK)
    body = solid(0.92 * width, length, waist - floor, (0, 0, (waist + floor) / 2))
    top = solid(0.78 * width, cabin * length, height - waist, (0, back * length, (height + waist) / 2))
    front, rear = (back - cabin / 2) * length, (back + cabin / 2) * length
    glass = tuple(
        mark(0.66 * width, 2 * FILM, 0.7 * (height - waist), (0, at, (height + waist) / 2), paint("sky"))
        for at in (front, rear)
    )
    panes = mark(0.78 * width + 2 * FILM, 0.8 * cabin * length, 0.55 * (height - waist),
                 (0, back * length, (height + waist) / 2), paint("sky"))
    lamps = mark(0.8 * width, 2 * FILM, 0.09 * height, (0, -length / 2, 0.45 * height), paint("yellow"))
    grille = mark(0.35 * width, 3 * FILM, 0.1 * height, (0, -length / 2, 0.45 * height), paint(trim))
    wheels = tuple(
        Geom("cylinder", (wheel, width / 2), (0, side * 0.3 * length, wheel), _turned((0, 1, 0), pi / 2), BLACK,
             collide=False)
        for side in (-1, 1)
    )
    hubs = tuple(
        Geom("cylinder", (0.5 * wheel, width / 2 + FILM), (0, side * 0.3 * length, wheel), _turned((0, 1, 0), pi / 2),
             STEEL, collide=False)
        for side in (-1, 1)
    )
    grasps = {"top": ("", down(height, spots=((0.0, back * length), (0.0, back * length + 0.01))))}
    return Form((under, body, top, *glass, panes, lamps, grille, *wheels, *hubs), box_points(height), grasps)


@family
def shoe(
    length: float, width: float, height: float, collar: float = 0.052, sole: str = "white", laces: str = "white"
) -> Form:
    """Return a shoe along y, toe at -y; it is held by the collar around its ankle, which is `collar` wide."""
    thick, half = 0.017, width / 2
    toe_y, heel_y = -(length / 2 - half), length / 2 - 0.45 * width
    ankle, ankle_y = 0.36 * length, length / 2 - 0.5 * collar - 0.18 * length + 0.01
    bottom = solid(width, heel_y - toe_y, thick, (0, (heel_y + toe_y) / 2, thick / 2), paint(sole))
    tips = (_post(half, thick, (0, toe_y, 0), paint(sole)), _post(half, thick, (0, length / 2 - half, 0), paint(sole)))
    cap = 0.3 * length
    toe = Geom("ellipsoid", (0.95 * half, cap, 0.3 * height), (0, -length / 2 + cap + 0.003, 0.3 * height + 0.004))
    upper = solid(collar, ankle, height - thick, (0, ankle_y, (height + thick) / 2))
    back = _post(collar / 2, height - thick, (0, ankle_y + ankle / 2, thick))
    front, rear = ankle_y - ankle / 2, ankle_y + ankle / 2
    hole = (
        mark(0.72 * collar, 0.85 * ankle, 0.002, (0, ankle_y + 0.075 * ankle, height), BLACK),
        _post(0.36 * collar, 0.002, (0, rear, height - 0.001), BLACK),
    )
    instep = _instep(length, height - 0.003, collar, front, paint(laces))
    spots = ((0.0, ankle_y), (0.0, ankle_y + 0.015), (0.0, ankle_y - 0.015))
    # it is high and turned far: a wrist that fits where it is taken and where it is set down is hard to find
    leans = (*LEANS, *(side * lean for lean in (0.15, 0.45, 0.9) for side in (-1, 1)))
    grasps = {"top": ("", down(height - 0.01, leans=leans, spots=spots))}
    return Form((bottom, toe, upper, *tips, back, *hole, *instep), box_points(height), grasps)


def _instep(length: float, height: float, collar: float, front: float, laces: Vector) -> tuple[Geom, ...]:
    """Return the laced tongue of a shoe, which slopes from the collar's `front` edge at `height` to the toe."""
    slope, run, deep = 0.62, 0.26 * length, 0.014
    turn = _turned((1, 0, 0), slope)

    def spot(along: float, under: float) -> Vector:
        y, z = front - along * cos(slope), height - along * sin(slope)
        return 0.0, y + under * sin(slope), z - under * cos(slope)

    tongue = Geom("box", (0.46 * collar, run / 2, deep), spot(run / 2, deep), turn, collide=False)
    strings = tuple(
        Geom("box", (0.42 * collar, 0.0028, 0.001), spot(at * run, 0.0), turn, laces, collide=False)
        for at in (0.15, 0.35, 0.55)
    )
    return tongue, *strings


@family
def fries(width: float, length: float, height: float, sticks: int = 6, stripe: str = "yellow") -> Form:
    """Return a carton of fries on its back, the sticks towards +y."""
    pack = 0.68 * length
    middle = -(length - pack) / 2
    body = solid(width, pack, height, (0, middle, height / 2))
    # one unseen bar is what the sticks are to the fingers of the world
    inner = solid(0.8 * width, length - pack, 0.55 * height, (0, pack / 2, 0.45 * height), paint("gold"))
    pitch = 0.84 * width / sticks
    chips = tuple(
        mark(0.8 * pitch, 0.3 * length + 0.004 * (k * 7 % 5), 0.009,
             ((k + 0.5 - sticks / 2) * pitch, pack / 2 - 0.004 + 0.002 * (k * 7 % 5), (0.5 + 0.32 * (k % 2)) * height),
             paint("gold" if k % 3 else "yellow"))
        for k in range(sticks)
    )
    badge = (
        mark(0.2 * width, pack, FILM, (0, middle, height), paint(stripe)),
        Geom("cylinder", (0.22 * width, 2 * FILM), (0, middle, height), colour=paint(stripe), collide=False),
    )
    grasps = {"top": ("", down(height, spots=((0.0, middle), (0.0, middle - 0.012))))}
    return Form((body, inner, *chips, *badge), box_points(height), grasps)


@family
def bread(size: Vector, look: str = "loaf") -> Form:
    """Return a bread along y: "toast", "bun", "baguette", "loaf" or "roll"."""
    if look not in CRUSTS:
        raise SpecError(f"unknown bread {look!r}; valid: {', '.join(CRUSTS)}")
    return Form(CRUSTS[look](*size), box_points(size[2]), {"top": ("", down(size[2]))}, turns=2)


def _toast(x: float, y: float, z: float) -> tuple[Geom, ...]:
    lobes = tuple(_post(0.27 * x, z, (side * 0.23 * x, 0.36 * y, 0)) for side in (-1, 1))
    slice_ = mark(0.84 * x, 0.8 * y, 2 * FILM, (0, -0.03 * y, z), CRUMB)
    return solid(x, 0.86 * y, z, (0, -0.07 * y, z / 2)), *lobes, slice_


def _unseen(x: float, y: float, z: float, foot: tuple[float, float], waist: tuple[float, float]) -> tuple[Geom, Geom]:
    """Return what a round bread stands on and is held by, as fractions of its size: two boxes within its crust."""
    return (
        solid(foot[0] * x, foot[1] * y, 0.35 * z, (0, 0, 0.175 * z)),
        solid(waist[0] * x, waist[1] * y, 0.3 * z, (0, 0, 0.5 * z)),
    )


def _bun(x: float, y: float, z: float) -> tuple[Geom, ...]:
    crust = Geom("ellipsoid", (x / 2, y / 2, z / 2), (0, 0, z / 2), collide=False)
    heights = [0.5 * z + 0.5 * z * (1 - 4 * (dx**2 + dy**2)) ** 0.5 for dx, dy in SEEDS]
    seeds = tuple(
        Geom("ellipsoid", (0.0022, 0.003, 0.0015), (dx * x, dy * y, at), colour=WHITE, collide=False)
        for (dx, dy), at in zip(SEEDS, heights, strict=True)
    )
    return *_unseen(x, y, z, (0.5, 0.5), (0.88, 0.36)), crust, *seeds


def _baguette(x: float, y: float, z: float) -> tuple[Geom, ...]:
    crust = Geom("ellipsoid", (x / 2, 0.54 * y, z / 2), (0, 0, z / 2), collide=False)
    radius = 0.47 * z
    ends = ((0.0, radius - y / 2, radius), (0.0, y / 2 - radius, radius))
    stick = Geom("capsule", (radius,), collide=False, ends=ends)
    cuts = tuple(
        Geom("box", (0.18 * x, 0.003, 0.0015), (0, at * y, 0.5 * z * (1 + (1 - (at / 0.54) ** 2) ** 0.5) - 0.001),
             _turned((0, 0, 1), 0.6), CRUMB, collide=False)
        for at in (-0.24, 0.0, 0.24)
    )
    return *_unseen(x, y, z, (0.45, 0.8), (0.84, 0.3)), crust, stick, *cuts


def _loaf(x: float, y: float, z: float) -> tuple[Geom, ...]:
    low = 0.6 * z
    core = solid(x, y, low, (0, 0, low / 2))
    top = tuple(
        Geom("ellipsoid", (0.53 * x, 0.19 * y, z - 0.8 * low), (0, at * y, 0.8 * low), collide=False)
        for at in (-0.3, 0.0, 0.3)
    )
    ends = tuple(mark(0.86 * x, 2 * FILM, 0.8 * low, (0, side * y / 2, 0.5 * low), CRUMB) for side in (-1, 1))
    return core, *top, *ends


def _roll(x: float, y: float, z: float) -> tuple[Geom, ...]:
    folds = tuple(
        Geom("ellipsoid", (scale * x / 2, 0.19 * y, scale * z / 2), (0, at * y, scale * z / 2), collide=False)
        for at, scale in ((-0.32, 0.72), (-0.17, 0.9), (0.0, 1.0), (0.17, 0.9), (0.32, 0.72))
    )
    return *_unseen(x, y, z, (0.45, 0.75), (0.78, 0.42)), *folds


CRUSTS: dict[str, Callable[[float, float, float], tuple[Geom, ...]]] = {
    "toast": _toast, "bun": _bun, "baguette": _baguette, "loaf": _loaf, "roll": _roll
}
