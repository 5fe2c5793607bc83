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

from sim.geometry import conjugate, invert, multiply, rotate, transform_points
from sim.registry import FunctionRegistry
from sim.task.spec import SpecError, Task, Value

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
MIN_OPEN_FRACTION, MAX_CLOSED_FRACTION = 0.8, 0.2  # commanded openings that count as open and as closed
UNBOUNDED_M = 9.0  # no limit


class SceneState(Protocol):
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


PREDICATES: FunctionRegistry[Callable[..., Flags]] = FunctionRegistry("predicate", "predicates")


def register_predicate(function: Callable[..., Flags]) -> Callable[..., Flags]:
    """Register a predicate under its function's name."""
    return PREDICATES.register(function)


def evaluate_success(task: Task, view: SceneState, latched: NDArray[np.bool_]) -> tuple[Flags, NDArray[np.bool_]]:
    """Return success (n,) and the latches (n terms) after this step; `SpecError` names an unknown term or keyword."""
    columns = []
    for i, predicate in enumerate(task.success):
        if predicate.name not in PREDICATES:
            raise SpecError(
                f"task {task.name!r}: unknown term {predicate.name!r}; valid: {', '.join(sorted(PREDICATES))}"
            )
        try:
            satisfied = PREDICATES[predicate.name](view, **predicate.args)
        except TypeError as error:
            raise SpecError(f"task {task.name!r}: term {predicate.name!r}: {error}") from error
        satisfied = satisfied | _mentions_absent_object(task, view, predicate.args)
        columns.append(satisfied | latched[:, i] if predicate.latch else satisfied)
    next_latched = np.stack(columns, axis=1)
    return np.all(next_latched, axis=1), next_latched


def evaluate_object_predicates(task: Task, view: SceneState, obj: str) -> Flags:
    """Return whether (n,) all terms that speak of an object hold, and there are any."""
    relevant = tuple(
        predicate
        for predicate in task.success
        if any(_mentions_object(value, obj) for value in predicate.args.values())
    )
    latched = np.zeros((len(view.origin()), len(relevant)), bool)
    if not relevant:
        return np.zeros(len(view.origin()), bool)
    return evaluate_success(dataclasses.replace(task, success=relevant), view, latched)[0]


def _mentions_object(value: Value, obj: str) -> bool:
    names = value if isinstance(value, tuple) else (value,)
    return any(isinstance(name, str) and name.partition(".")[0] == obj for name in names)


def _mentions_absent_object(task: Task, view: SceneState, args: dict[str, Value]) -> Flags:
    """Return where (n,) an object that a term names is not in the scene."""
    optional = {task_object.name for task_object in task.objects if task_object.spawn.optional}
    mentioned = [str(value) for value in args.values() if str(value).partition(".")[0] in optional]
    return np.any([~view.present(name) for name in mentioned], axis=0) if mentioned else np.zeros(1, bool)


@register_predicate
def near(
    view: SceneState,
    a: str,
    b: str | tuple[str, ...],
    x: float = np.inf,
    y: float = np.inf,
    z: float = np.inf,
    xy: float = np.inf,
    total: float = np.inf,
) -> Flags:
    """Point `a` is within x, y, z (each axis), xy (planar) and total (sum of axes) of point `b`, or of one of them."""
    found = np.zeros(len(view.point(a)), bool)
    for other in (b,) if isinstance(b, str) else b:
        gap = view.point(a) - view.point(other)
        inside = (np.abs(gap) < (x, y, z)).all(axis=1) & (np.abs(gap).sum(axis=1) < total)
        found |= inside & (np.hypot(gap[:, 0], gap[:, 1]) < xy)
    return found


@register_predicate
def above(view: SceneState, a: str, b: str, height: float, x: float, y: float, z: float) -> Flags:
    """Point `a` is `height` over point `b`, within x, y, z."""
    gap = view.point(a) - view.point(b) - (0.0, 0.0, height)
    return np.all(np.abs(gap) < (x, y, z), axis=1)


@register_predicate
def over(view: SceneState, a: str, b: str, by: float = 0.0) -> Flags:
    """Point `a` is higher than point `b` by more than `by`."""
    return view.point(a)[:, 2] - view.point(b)[:, 2] > by


@register_predicate
def within(
    view: SceneState,
    point: str,
    x: tuple[float, float] = (-UNBOUNDED_M, UNBOUNDED_M),
    y: tuple[float, float] = (-UNBOUNDED_M, UNBOUNDED_M),
    z: tuple[float, float] = (-UNBOUNDED_M, UNBOUNDED_M),
    mirror: str = "",
) -> Flags:
    """A point lies in a box; with `mirror` the box is given for the right side and mirrored where that role is left."""
    place = view.point(point) - view.origin()
    if mirror:
        place[:, 0] *= view.side(mirror)
    low, high = zip(x, y, z, strict=True)
    return np.all((place > low) & (place < high), axis=1)


@register_predicate
def outside(view: SceneState, point: str, x: float) -> Flags:
    """A point is farther than `x` from the table's middle line, on either side."""
    return np.abs(view.point(point)[:, 0]) > x


@register_predicate
def risen(view: SceneState, obj: str, low: float, high: float = UNBOUNDED_M) -> Flags:
    """A body is higher than at reset by more than `low` and less than `high`."""
    by = view.point(obj)[:, 2] - view.start(obj)[:, 2]
    return (by > low) & (by < high)


@register_predicate
def apart(view: SceneState, a: str, b: str, low: float, high: float) -> Flags:
    """Points are between `low` and `high` apart in the plane."""
    gap = view.point(a) - view.point(b)
    distance = np.hypot(gap[:, 0], gap[:, 1])
    return (distance > low) & (distance < high)


@register_predicate
def left_of(view: SceneState, a: str, b: str) -> Flags:
    """Point `a` has the smaller x."""
    return view.point(a)[:, 0] < view.point(b)[:, 0]


@register_predicate
def same_side(view: SceneState, a: str, b: str) -> Flags:
    """Body `a` is on the side of body `b` (in x) where it stood at reset."""
    now = view.point(a)[:, 0] - view.point(b)[:, 0]
    return now * (view.start(a)[:, 0] - view.start(b)[:, 0]) > 0


@register_predicate
def pointing(
    view: SceneState,
    point: str,
    along: tuple[float, float, float],
    angle: float,
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0),
    both: bool = False,
) -> Flags:
    """An axis of a point's frame is within `angle` of a direction of the world; `both`: or of its opposite."""
    direction = np.array(along) / np.linalg.norm(along)
    cosine = rotate(view.pose(point)[:, 3:], axis) @ direction
    return (np.abs(cosine) if both else cosine) > np.cos(angle)


@register_predicate
def turned(view: SceneState, a: str, angle: float, b: str = "", yaw: float = 0.0, turns: int = 1) -> Flags:
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


@register_predicate
def ahead(view: SceneState, a: str, b: str, low: float, high: float, x: float, y: float) -> Flags:
    """Point `b` lies low to high ahead of point `a` along its z axis, and off that axis by less than x and y."""
    local = transform_points(invert(view.pose(a)), view.point(b))
    return (np.abs(local[:, :2]) < (x, y)).all(axis=1) & (local[:, 2] > low) & (local[:, 2] < high)


@register_predicate
def stacked(view: SceneState, objs: tuple[str, ...], x: float, y: float, heights: tuple[float, ...]) -> Flags:
    """Bodies sorted by height: neighbours within x and y of each other, the k-th no higher than heights[k]."""
    places = np.stack([view.point(obj) - view.origin() for obj in objs], axis=1)  # n k 3
    rows = np.arange(len(places))[:, None]
    places = places[rows, np.argsort(places[:, :, 2], axis=1)]
    gaps = np.abs(np.diff(places[:, :, :2], axis=1))
    return np.all(gaps < (x, y), axis=(1, 2)) & np.all(places[:, :, 2] <= heights, axis=1)


@register_predicate
def touching(view: SceneState, a: str, b: str) -> Flags:
    """Bodies `a` and `b` touch ("table" is one)."""
    return view.touching(a, b)


@register_predicate
def clear(view: SceneState, a: str, b: str) -> Flags:
    """Bodies `a` and `b` do not touch."""
    return ~view.touching(a, b)


@register_predicate
def held(view: SceneState, arm: str, obj: str) -> Flags:
    """The gripper of `arm` ("all": any gripper) touches an object."""
    return np.array([len(spots) > 0 for spots in view.gripper_contacts(arm, obj)])


@register_predicate
def loose(view: SceneState, arm: str, obj: str) -> Flags:
    """The gripper of `arm` ("all": every gripper) does not touch an object."""
    return ~held(view, arm, obj)


@register_predicate
def touched(view: SceneState, arm: str, point: str, xy: float, z: float) -> Flags:
    """The gripper of `arm` touches the object within |dx|, |dy| < xy and |dz| < z of its point."""
    spots = view.gripper_contacts(arm, point.partition(".")[0])
    return np.array(
        [
            bool((np.abs(where - target) < (xy, xy, z)).all(axis=1).any())
            for where, target in zip(spots, view.point(point), strict=True)
        ]
    )


@register_predicate
def pressed(view: SceneState, arm: str, point: str, xy: float, z: float) -> Flags:
    """The gripper of `arm` touches the object near its point, and is closed."""
    return touched(view, arm, point, xy, z) & closed(view, arm)


@register_predicate
def opened(view: SceneState, joint: str, fraction: float) -> Flags:
    """An object's joint has come at least `fraction` of its range."""
    return view.joint_fraction(joint) >= fraction


@register_predicate
def at(view: SceneState, arm: str, point: str, distance: float) -> Flags:
    """The tool of `arm` is within `distance` of a point."""
    return np.linalg.norm(view.tool(arm)[:, :3] - view.point(point), axis=1) < distance


@register_predicate
def open(view: SceneState, arm: str) -> Flags:
    """The gripper of `arm` ("all": every gripper) is commanded open."""
    return view.gripper(arm) > MIN_OPEN_FRACTION


@register_predicate
def closed(view: SceneState, arm: str) -> Flags:
    """The gripper of `arm` is commanded closed."""
    return view.gripper(arm) < MAX_CLOSED_FRACTION
