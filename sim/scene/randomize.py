"""How a scene looks besides its task: textures, light, the table's height, a nudged camera, things that lie about.

"clean" is one plain look. "random" draws one from the training textures, "random-eval" from those kept for
evaluation; who draws the instruction reads the name too: "random-eval" speaks in unseen words.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from typing import Literal

import numpy as np

from sim import catalogue
from sim.embodiment.model import Vector
from sim.geometry import Array, about, pose
from sim.objects import Form, form_of
from sim.objects.bounds import footprint
from sim.objects.palette import PALETTE
from sim.registry import choose
from sim.scene import textures
from sim.task.spec import Shape, Skill, Table, Task

Variation = Literal["clean", "random", "random-eval"]
VARIATIONS: tuple[Variation, ...] = ("clean", "random", "random-eval")
TEXTURES = {"random": "train", "random-eval": "eval"}  # which pool a variation draws from

PLAIN = 0.02  # how often the wall, the table or the whole clutter is left plain
LOWER = 0.03  # metres that the table may be lowered
NUDGE, TURN = 0.02, 0.02  # metres and radians that the head camera may be off
SUN_TILT = 0.7  # radians from straight down

COUNT, FAILURES = 10, 50  # clutter: how many things, how many misses before giving up
ROOM = (0.59, 0.34)  # half lengths of the table that a thing keeps within
GAP = 0.005  # between two things
CLEARANCE = 0.10  # around what the task moves
LOW = 0.05  # a thing higher than this stands at the back only, and further from the task
BACK, TALL_CLEARANCE = 0.05, 0.12
REACH = 0.06  # half width of the way from an object to the shoulder on its side
SHOULDER = (0.30, -0.42)
NEAREST = -0.28  # the strip along the robots' bases stays free
WORK = ((-0.12, 0.12), (-0.25, 0.0))  # and so does the middle, where things are brought to
RADII, FLAT = (0.015, 0.09), 0.005  # of things that lie about; what is flatter than this has no body


@dataclass(frozen=True)
class Thing:
    """An object that no task speaks of; `pose` (7,) of its base in the world. A fixed one is part of the table."""

    shape: Shape
    form: Form
    colour: Vector
    pose: Array
    fixed: bool = True


@dataclass(frozen=True)
class Look:
    """What one draw of a variation decided; colours are RGB, 0 to 1. The defaults are the clean look."""

    wall: str = ""  # and floor; names of `sim.scene.textures`, "" is plain
    table: str = ""
    sun: Vector = (-0.15, 0.35, -1.0)  # the way that parallel light falls
    sunlight: Vector = (0.42, 0.41, 0.40)
    lamps: tuple[Vector, ...] = ()  # light of the lamps to the left and right of the table
    ambient: Vector = (0.0, 0.0, 0.0)  # what falls on everything, besides the headlight's
    headlight: tuple[float, float] = (0.45, 0.30)  # ambient and diffuse light that comes with the camera
    lower: float = 0.0  # metres by which the table is lowered
    head_shift: Vector = (0.0, 0.0, 0.0)  # metres (world) by which the head camera is off
    head_turn: Vector = (0.0, 0.0, 0.0)  # rotation vector (world, radians) by which it is off
    clutter: tuple[Thing, ...] = ()


CLEAN = Look()


def look(variation: str, rng: np.random.Generator) -> Look:
    """Return a look, without clutter; "clean" draws nothing. `UserError` where there is no such variation."""
    if choose("variation", variation, VARIATIONS) == "clean":
        return CLEAN
    pool = textures.pool(TEXTURES[variation])
    wall, table = (_texture(pool, rng) for _ in range(2))
    azimuth, tilt = rng.uniform(-pi, pi), rng.uniform(0.0, SUN_TILT)
    grey = float(rng.uniform(0.05, 0.20))
    return Look(
        wall=wall,
        table=table,
        sun=(sin(tilt) * cos(azimuth), sin(tilt) * sin(azimuth), -cos(tilt)),
        sunlight=_light(rng, 0.55),
        lamps=(_light(rng, 0.45), _light(rng, 0.45)),
        ambient=(grey, grey, grey),
        headlight=(0.30, 0.14),
        lower=float(rng.uniform(0.0, LOWER)),
        head_shift=_anywhere(rng, NUDGE),
        head_turn=_anywhere(rng, TURN),
    )


def clutter(
    task: Task,
    table: Table,
    forms: Mapping[str, Form],
    poses: Mapping[str, Array],
    rng: np.random.Generator,
) -> tuple[Thing, ...]:
    """Return up to COUNT things on the table that leave the task's objects and the ways between them free.

    `forms` and `poses` are those of the task's objects that are present. A thing is small, has no moving parts and is
    never of a kind or a family that the task knows in any of its variants.
    """
    kinds = catalogue.kinds()
    known = {word for thing in task.objects for shape in thing.variants for word in (shape.kind, shape.family)}
    names = [name for name in sorted(kinds) if not known & {name, kinds[name][0].family}]
    if rng.random() < PLAIN or not names:
        return ()
    kept = _kept_free(task, table, forms, poses)
    placed: list[Thing] = []
    circles: list[tuple[float, float, float]] = []
    failures = 0
    while names and len(placed) < COUNT and failures < FAILURES:
        name = names[rng.integers(len(names))]
        shape, form, radius, height = _sample(name, int(rng.integers(len(kinds[name]))))
        if form.parts or height < FLAT or not RADII[0] < radius < RADII[1]:
            names.remove(name)
            continue
        spot = _spot(table, radius, height, rng)
        if not _free(spot, radius, height, kept, circles):
            failures += 1
            continue
        circles.append((*spot, radius))
        turn = about((0, 0, 1), rng.uniform(-pi, pi))
        placed.append(Thing(shape, form, PALETTE[shape.colour], pose((*spot, table.top), turn)))
    return tuple(placed)


@functools.cache
def _sample(kind: str, number: int) -> tuple[Shape, Form, float, float]:
    """Return a shape of the catalogue with its form, radius and height: grasps, which no clutter needs, take long."""
    shape = catalogue.kinds()[kind][number]
    form = form_of(shape)
    return shape, form, *footprint(form)


def _texture(pool: tuple[str, ...], rng: np.random.Generator) -> str:
    name = pool[rng.integers(len(pool))]
    return "" if rng.random() < PLAIN else name


def _light(rng: np.random.Generator, strength: float) -> Vector:
    r, g, b = (strength * rng.random(3)).tolist()
    return r, g, b


def _anywhere(rng: np.random.Generator, most: float) -> Vector:
    """Return a vector of random direction, 0 to `most` long."""
    way = rng.standard_normal(3)
    x, y, z = (way / np.linalg.norm(way) * rng.uniform(0.0, most)).tolist()
    return x, y, z


@dataclass(frozen=True)
class _Free:
    """What stays free: circles (x y radius) of objects, and ways (x y x y half width) that hands take."""

    circles: tuple[tuple[float, float, float], ...]
    ways: tuple[tuple[float, float, float, float, float], ...]


def _kept_free(task: Task, table: Table, forms: Mapping[str, Form], poses: Mapping[str, Array]) -> _Free:
    on_table = {name: place for name, place in poses.items() if place[2] > table.top - LOW}
    circles = tuple((float(at[0]), float(at[1]), footprint(forms[name], at[3:])[0]) for name, at in on_table.items())
    goals = tuple(_goals(task.plan))
    ends = [(x, y) for x, y, _ in circles]
    ways = [(*a, *b, CLEARANCE) for i, a in enumerate(ends) for b in (*ends[i + 1 :], *goals)]
    ways += [(x, y, SHOULDER[0] if x > 0 else -SHOULDER[0], SHOULDER[1], REACH) for x, y in ends]
    return _Free(circles, tuple(ways))


def _goals(plan: tuple[Skill, ...]) -> Iterator[tuple[float, float]]:
    """Yield x and y of whatever a plan says in three numbers, on both sides: a place in the world, most likely."""
    for item in plan:
        for value in item.args.values():
            if isinstance(value, tuple) and len(value) == 3 and all(isinstance(v, int | float) for v in value):
                x, y = (float(v) for v in value[:2] if isinstance(v, int | float))
                yield from ((x, y), (-x, y))
        yield from _goals(item.alongside)


def _spot(table: Table, radius: float, height: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return a place (world x, y) on the part of the table where a thing of this size may stand."""
    nearest = BACK if height > LOW else NEAREST
    wide, far = ROOM[0] - radius, ROOM[1] - radius
    return table.x + float(rng.uniform(-wide, wide)), float(rng.uniform(nearest + radius, far))


def _free(
    spot: tuple[float, float], radius: float, height: float, kept: _Free, others: list[tuple[float, float, float]]
) -> bool:
    x, y = spot
    clearance = TALL_CLEARANCE if height > LOW else CLEARANCE
    (left, right), (near, far) = WORK
    if hypot(x - min(max(x, left), right), y - min(max(y, near), far)) < radius:
        return False
    if any(hypot(x - ox, y - oy) < radius + other + clearance for ox, oy, other in kept.circles):
        return False
    if any(_from_way(x, y, way[:4]) < radius + way[4] for way in kept.ways):
        return False
    return all(hypot(x - ox, y - oy) >= radius + other + GAP for ox, oy, other in others)


def _from_way(x: float, y: float, way: tuple[float, float, float, float]) -> float:
    """Return the distance of a point to a segment (x y x y)."""
    ax, ay, bx, by = way
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    t = min(max(((x - ax) * dx + (y - ay) * dy) / length, 0.0), 1.0) if length else 0.0
    return hypot(x - ax - t * dx, y - ay - t * dy)
