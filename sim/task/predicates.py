"""Predicates of success: pure functions of facts, batched over copies, each returning bool (n,).

Lengths in metres, angles in radians; x and y in the world, heights above the table's top. A term about an
absent object holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from math import pi
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.geometry import apply, conjugate, invert, multiply, rotate
from sim.task.spec import SpecError, Task, Value

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
OPEN, CLOSED = 0.8, 0.2  # commanded openings that count as open and as closed
FAR = 9.0  # no limit


class View(Protocol):
    """What a term may read; see `sim.world.state`."""

    def present(self, name: str) -> Flags: ...
    def pose(self, name: str) -> Floats: ...
    def point(self, name: str) -> Floats: ...
    def start(self, name: str) -> Floats: ...
    def origin(self) -> Floats: ...
    def joint_fraction(self, name: str) -> Floats: ...
    def side(self, role: str) -> Floats: ...
    def tool(self, role: str) -> Floats: ...
    def gripper(self, role: str) -> Floats: ...
    def gripper_contacts(self, role: str, thing: str) -> list[Floats]: ...
    def touching(self, a: str, b: str) -> Flags: ...


TERMS: dict[str, Callable[..., Flags]] = {}


def term(function: Callable[..., Flags]) -> Callable[..., Flags]:
    """Register a predicate under its function's name."""
    TERMS[function.__name__] = function
    return function


def evaluate(task: Task, view: View, latched: NDArray[np.bool_]) -> tuple[Flags, NDArray[np.bool_]]:
    """Return success (n,) and the latches (n terms) after this step; `SpecError` names an unknown term or keyword."""
    columns = []
    for i, item in enumerate(task.success):
        if item.name not in TERMS:
            raise SpecError(f"task {task.name!r}: unknown term {item.name!r}; valid: {', '.join(sorted(TERMS))}")
        try:
            now = TERMS[item.name](view, **item.args)
        except TypeError as error:
            raise SpecError(f"task {task.name!r}: term {item.name!r}: {error}") from error
        now = now | _absent(task, view, item.args)
        columns.append(now | latched[:, i] if item.latch else now)
    flags = np.stack(columns, axis=1)
    return np.all(flags, axis=1), flags


def holds_for(task: Task, view: View, obj: str) -> Flags:
    """Return whether (n,) all terms that speak of an object hold, and there are any."""
    about = tuple(item for item in task.success if any(_names(value, obj) for value in item.args.values()))
    latched = np.zeros((len(view.origin()), len(about)), bool)
    if not about:
        return np.zeros(len(view.origin()), bool)
    return evaluate(dataclasses.replace(task, success=about), view, latched)[0]


def _names(value: Value, obj: str) -> bool:
    words = value if isinstance(value, tuple) else (value,)
    return any(isinstance(word, str) and word.partition(".")[0] == obj for word in words)


def _absent(task: Task, view: View, args: dict[str, Value]) -> Flags:
    """Return where (n,) an object that a term names is not in the scene."""
    optional = {thing.name for thing in task.objects if thing.spawn.optional}
    named = [str(value) for value in args.values() if str(value).partition(".")[0] in optional]
    return np.any([~view.present(name) for name in named], axis=0) if named else np.zeros(1, bool)


@term
def near(
    view: View, a: str, b: str | tuple[str, ...], x: float = np.inf, y: float = np.inf, z: float = np.inf,
    xy: float = np.inf, total: float = np.inf,
) -> Flags:
    """Point `a` is within x, y, z (each axis), xy (planar) and total (sum of axes) of point `b`, or of one of them."""
    found = np.zeros(len(view.point(a)), bool)
    for other in (b,) if isinstance(b, str) else b:
        gap = view.point(a) - view.point(other)
        inside = (np.abs(gap) < (x, y, z)).all(axis=1) & (np.abs(gap).sum(axis=1) < total)
        found |= inside & (np.hypot(gap[:, 0], gap[:, 1]) < xy)
    return found


@term
def above(view: View, a: str, b: str, height: float, x: float, y: float, z: float) -> Flags:
    """Point `a` is `height` over point `b`, within x, y, z."""
    gap = view.point(a) - view.point(b) - (0.0, 0.0, height)
    return np.all(np.abs(gap) < (x, y, z), axis=1)


@term
def over(view: View, a: str, b: str, by: float = 0.0) -> Flags:
    """Point `a` is higher than point `b` by more than `by`."""
    return view.point(a)[:, 2] - view.point(b)[:, 2] > by


@term
def within(
    view: View, point: str, x: tuple[float, float] = (-FAR, FAR), y: tuple[float, float] = (-FAR, FAR),
    z: tuple[float, float] = (-FAR, FAR), mirror: str = "",
) -> Flags:
    """A point lies in a box; with `mirror` the box is given for the right side and mirrored where that role is left."""
    place = view.point(point) - view.origin()
    if mirror:
        place[:, 0] *= view.side(mirror)
    low, high = zip(x, y, z, strict=True)
    return np.all((place > low) & (place < high), axis=1)


@term
def outside(view: View, point: str, x: float) -> Flags:
    """A point is farther than `x` from the table's middle line, on either side."""
    return np.abs(view.point(point)[:, 0]) > x


@term
def risen(view: View, obj: str, low: float, high: float = FAR) -> Flags:
    """A body is higher than at reset by more than `low` and less than `high`."""
    by = view.point(obj)[:, 2] - view.start(obj)[:, 2]
    return (by > low) & (by < high)


@term
def apart(view: View, a: str, b: str, low: float, high: float) -> Flags:
    """Points are between `low` and `high` apart in the plane."""
    gap = view.point(a) - view.point(b)
    distance = np.hypot(gap[:, 0], gap[:, 1])
    return (distance > low) & (distance < high)


@term
def left_of(view: View, a: str, b: str) -> Flags:
    """Point `a` has the smaller x."""
    return view.point(a)[:, 0] < view.point(b)[:, 0]


@term
def same_side(view: View, a: str, b: str) -> Flags:
    """Body `a` is on the side of body `b` (in x) where it stood at reset."""
    now = view.point(a)[:, 0] - view.point(b)[:, 0]
    return now * (view.start(a)[:, 0] - view.start(b)[:, 0]) > 0


@term
def pointing(
    view: View, point: str, along: tuple[float, float, float], angle: float,
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0), both: bool = False,
) -> Flags:
    """An axis of a point's frame is within `angle` of a direction of the world; `both`: or of its opposite."""
    direction = np.array(along) / np.linalg.norm(along)
    cosine = rotate(view.pose(point)[:, 3:], axis) @ direction
    return (np.abs(cosine) if both else cosine) > np.cos(angle)


@term
def turned(view: View, a: str, angle: float, b: str = "", yaw: float = 0.0, turns: int = 1) -> Flags:
    """The whole orientation of `a` is within `angle` of a heading `yaw` (or of the frame of `b` turned by it).

    With `turns` equal turns about the vertical are as good.
    """
    goal = view.pose(b)[:, 3:] if b else np.array([1.0, 0.0, 0.0, 0.0])
    best = np.full(len(view.pose(a)), np.inf)
    for k in range(turns):
        half = (yaw + 2 * pi * k / turns) / 2
        off = multiply(conjugate(multiply(goal, (np.cos(half), 0.0, 0.0, np.sin(half)))), view.pose(a)[:, 3:])
        best = np.minimum(best, 2 * np.arctan2(np.linalg.norm(off[:, 1:], axis=1), np.abs(off[:, 0])))
    return best < angle


@term
def ahead(view: View, a: str, b: str, low: float, high: float, x: float, y: float) -> Flags:
    """Point `b` lies low to high ahead of point `a` along its z axis, and off that axis by less than x and y."""
    local = apply(invert(view.pose(a)), view.point(b))
    return (np.abs(local[:, :2]) < (x, y)).all(axis=1) & (local[:, 2] > low) & (local[:, 2] < high)


@term
def stacked(view: View, objs: tuple[str, ...], x: float, y: float, heights: tuple[float, ...]) -> Flags:
    """Bodies sorted by height: neighbours within x and y of each other, the k-th no higher than heights[k]."""
    places = np.stack([view.point(obj) - view.origin() for obj in objs], axis=1)  # n k 3
    rows = np.arange(len(places))[:, None]
    places = places[rows, np.argsort(places[:, :, 2], axis=1)]
    gaps = np.abs(np.diff(places[:, :, :2], axis=1))
    return np.all(gaps < (x, y), axis=(1, 2)) & np.all(places[:, :, 2] <= heights, axis=1)


@term
def touching(view: View, a: str, b: str) -> Flags:
    """Bodies `a` and `b` touch ("table" is one)."""
    return view.touching(a, b)


@term
def clear(view: View, a: str, b: str) -> Flags:
    """Bodies `a` and `b` do not touch."""
    return ~view.touching(a, b)


@term
def held(view: View, arm: str, obj: str) -> Flags:
    """The gripper of `arm` ("all": any gripper) touches an object."""
    return np.array([len(spots) > 0 for spots in view.gripper_contacts(arm, obj)])


@term
def loose(view: View, arm: str, obj: str) -> Flags:
    """The gripper of `arm` ("all": every gripper) does not touch an object."""
    return ~held(view, arm, obj)


@term
def touched(view: View, arm: str, point: str, xy: float, z: float) -> Flags:
    """The gripper of `arm` touches the object within |dx|, |dy| < xy and |dz| < z of its point."""
    spots = view.gripper_contacts(arm, point.partition(".")[0])
    return np.array([
        bool((np.abs(where - target) < (xy, xy, z)).all(axis=1).any())
        for where, target in zip(spots, view.point(point), strict=True)
    ])


@term
def pressed(view: View, arm: str, point: str, xy: float, z: float) -> Flags:
    """The gripper of `arm` touches the object near its point, and is closed."""
    return touched(view, arm, point, xy, z) & closed(view, arm)


@term
def opened(view: View, joint: str, fraction: float) -> Flags:
    """An object's joint has come at least `fraction` of its range."""
    return view.joint_fraction(joint) >= fraction


@term
def at(view: View, arm: str, point: str, distance: float) -> Flags:
    """The tool of `arm` is within `distance` of a point."""
    return np.linalg.norm(view.tool(arm)[:, :3] - view.point(point), axis=1) < distance


@term
def open(view: View, arm: str) -> Flags:
    """The gripper of `arm` ("all": every gripper) is commanded open."""
    return view.gripper(arm) > OPEN


@term
def closed(view: View, arm: str) -> Flags:
    """The gripper of `arm` is commanded closed."""
    return view.gripper(arm) < CLOSED
