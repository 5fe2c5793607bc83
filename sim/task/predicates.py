"""Success predicates: array algebra over n worlds, each with a margin that grades how far it is from holding.

A predicate returns its slack (n,): the signed distance from its nearest bound in units of its margin, positive where it
holds (the robustness degree of Fainekos and Pappas, 2009). Conjunctions are minima, alternatives maxima. `tolerance`
turns a slack into a score in [0, 1]: 1 where the predicate holds, 0.1 one margin away from it (in the manner of
dm_control's function of that name).

Lengths in metres, angles in radians; x and y in the world frame, heights above the table's top. `arm` names a role, or
says "all" (every arm) or "any" (at least one). A predicate about an object that is absent from a scene holds.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.geometry import conjugate, invert, multiply, rotate, transform_points
from sim.registry import FunctionRegistry
from sim.task.values import (
    UNBOUNDED,
    Bound,
    Direction,
    Length,
    Limit,
    LimitInterval,
    MaxAngle,
    MinItems,
)

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Slack = Floats

MIN_OPEN, MAX_CLOSED = 0.8, 0.2  # commanded gripper openings that count as open and as closed
LENGTH_MARGIN_M, ANGLE_MARGIN_RAD, FRACTION_MARGIN = 0.1, 0.5, 0.3
SCORE_AT_MARGIN = 0.1
HOLDS, FAILS = 1.0, -1.0  # slack of what is only true or false
SMALLEST = np.finfo(float).tiny  # slack of a bound that is met exactly


class PredicateView(Protocol):
    """What a predicate may read; see `sim.world.state.StateView`."""

    def present(self, name: str) -> Mask: ...
    def pose(self, name: str) -> Floats: ...
    def position(self, name: str) -> Floats: ...
    def prefetch(self, names: tuple[str, ...]) -> None: ...
    def initial_pose(self, name: str) -> Floats: ...
    def table_origin(self) -> Floats: ...
    def joint_fraction(self, name: str) -> Floats: ...
    def initial_joint_fraction(self, name: str) -> Floats: ...
    def part_of_joint(self, name: str) -> str: ...
    def side_sign(self, role: str) -> Floats: ...
    def arm_of_role(self, role: str) -> NDArray[np.int64]: ...
    def tool_positions(self, arm: str) -> Floats: ...
    def gripper_openings(self, arm: str) -> Floats: ...
    def gripper_contacts(self, arm: str, obj: str) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]: ...
    def touching(self, a: str, b: str) -> Mask: ...
    def bounds(self, body: str) -> tuple[Floats, Floats]: ...


PREDICATES: FunctionRegistry[Callable[..., Slack]] = FunctionRegistry("predicate", "predicates")


def predicate(function: Callable[..., Slack]) -> Callable[..., Slack]:
    """Register a predicate under its function's name."""
    return PREDICATES.register(function)


def tolerance(slack: Slack) -> Floats:
    """Return scores (n,): 1 where a predicate holds, falling off as 1 / (1 + 9 s²) with the distance s in margins."""
    beyond = np.where(slack > 0.0, 0.0, np.nan_to_num(slack, nan=-np.inf))
    return 1.0 / (1.0 + (1.0 / SCORE_AT_MARGIN - 1.0) * beyond * beyond)


def _below(value: Floats, bound: float | Floats, margin: float = LENGTH_MARGIN_M) -> Slack:
    """Return the slack of value < bound."""
    return (bound - value) / margin


def _at_least(value: Floats, bound: float, margin: float) -> Slack:
    """Return the slack of value >= bound, which holds where both are equal."""
    return np.where(value >= bound, np.maximum(value - bound, SMALLEST), value - bound) / margin


def _between(value: Floats, low: float | Floats, high: float | Floats, margin: float = LENGTH_MARGIN_M) -> Slack:
    """Return the slack of low < value < high."""
    return np.minimum(value - low, high - value) / margin


def _per_arm(arm: str, slack: NDArray[np.float64]) -> Slack:
    """Return the slack (n,) over the arms (n a) of `arm`: the least for "all" and a role, the largest for "any"."""
    return slack.max(axis=1) if arm == "any" else slack.min(axis=1)


@predicate
def near(
    view: PredicateView,
    a: str,
    b: str | tuple[str, ...],
    x: Limit = np.inf,
    y: Limit = np.inf,
    z: Limit = np.inf,
    xy: Limit = np.inf,
    total: Limit = np.inf,
) -> Slack:
    """Frame `a` is within x, y, z (each axis), xy (planar) and total (sum of axes) of frame `b`, or of one of them."""
    slacks = []
    for other in (b,) if isinstance(b, str) else b:
        gap = view.position(a) - view.position(other)
        distance = np.abs(gap)
        inside = _below(distance, np.array((x, y, z))).min(axis=1)
        inside = np.minimum(inside, _below(distance.sum(axis=1), total))
        slacks.append(np.minimum(inside, _below(np.hypot(gap[:, 0], gap[:, 1]), xy)))
    return np.maximum.reduce(slacks)


@predicate
def above_by(view: PredicateView, a: str, b: str, height: float, x: Length, y: Length, z: Length) -> Slack:
    """Frame `a` is `height` over frame `b`, within x, y, z."""
    gap = view.position(a) - view.position(b) - (0.0, 0.0, height)
    return _below(np.abs(gap), np.array((x, y, z))).min(axis=1)


@predicate
def higher_than(view: PredicateView, a: str, b: str, by: float = 0.0) -> Slack:
    """Frame `a` is higher than frame `b` by more than `by`."""
    return (view.position(a)[:, 2] - view.position(b)[:, 2] - by) / LENGTH_MARGIN_M


@predicate
def within(
    view: PredicateView,
    point: str,
    x: LimitInterval = (-UNBOUNDED, UNBOUNDED),
    y: LimitInterval = (-UNBOUNDED, UNBOUNDED),
    z: LimitInterval = (-UNBOUNDED, UNBOUNDED),
    mirror: str = "",
) -> Slack:
    """A frame lies in a box; with `mirror` the box is given for the right side and mirrored where that role is left."""
    position = view.position(point) - view.table_origin()
    if mirror:
        position[:, 0] *= view.side_sign(mirror)
    low, high = np.array([x, y, z]).T
    return _between(position, low, high).min(axis=1)


@predicate
def outside(view: PredicateView, point: str, x: Length) -> Slack:
    """A frame is farther than `x` from the table's middle line, on either side."""
    return (np.abs(view.position(point)[:, 0]) - x) / LENGTH_MARGIN_M


@predicate
def inside(view: PredicateView, obj: str, container: str) -> Slack:
    """The middle of an object lies within the bounding box of another, or of its part ("cabinet.drawer")."""
    low, high = view.bounds(obj)
    middle = transform_points(view.pose(obj), (low + high) / 2)
    low, high = view.bounds(container)
    return _between(transform_points(invert(view.pose(container)), middle), low, high).min(axis=1)


@predicate
def raised(
    view: PredicateView, obj: str, low: Annotated[float, Bound(ge=0.0, lt=UNBOUNDED)], high: float = UNBOUNDED
) -> Slack:
    """A body is higher than at reset by more than `low` and less than `high`."""
    return _between(view.position(obj)[:, 2] - view.initial_pose(obj)[:, 2], low, high)


@predicate
def apart(view: PredicateView, a: str, b: str, low: Annotated[float, Bound(ge=0.0)], high: Length) -> Slack:
    """Frames are between `low` and `high` apart in the plane."""
    gap = view.position(a) - view.position(b)
    return _between(np.hypot(gap[:, 0], gap[:, 1]), low, high)


@predicate
def left_of(view: PredicateView, a: str, b: str) -> Slack:
    """Frame `a` has the smaller x."""
    return _below(view.position(a)[:, 0], view.position(b)[:, 0])


@predicate
def same_side(view: PredicateView, a: str, b: str) -> Slack:
    """Body `a` is on the side of body `b` (in x) where it stood at reset."""
    offset = view.position(a)[:, 0] - view.position(b)[:, 0]
    return offset * np.sign(view.initial_pose(a)[:, 0] - view.initial_pose(b)[:, 0]) / LENGTH_MARGIN_M


@predicate
def pointing(
    view: PredicateView,
    point: str,
    along: Direction,
    angle: MaxAngle,
    axis: Direction = (0.0, 0.0, 1.0),
    both: bool = False,
) -> Slack:
    """An axis of a frame is within `angle` of a direction of the world; `both`: or of its opposite."""
    direction = np.array(along) / np.linalg.norm(along)
    cosine = rotate(view.pose(point)[:, 3:], axis) @ direction
    between = np.arccos(np.clip(np.abs(cosine) if both else cosine, -1.0, 1.0))
    return _below(between, angle, ANGLE_MARGIN_RAD)


@predicate
def oriented(
    view: PredicateView,
    a: str,
    angle: MaxAngle,
    b: str = "",
    yaw: float = 0.0,
    turns: Annotated[int, Bound(ge=1, le=24)] = 1,
) -> Slack:
    """The whole orientation of `a` is within `angle` of a heading `yaw` (or of the frame of `b` turned by it).

    With `turns` that many equal turns about the vertical are as good.
    """
    goal = view.pose(b)[:, 3:] if b else np.array([1.0, 0.0, 0.0, 0.0])
    now = view.pose(a)[:, 3:]
    smallest = np.full(len(now), np.inf)
    for k in range(turns):
        half = (yaw + 2 * pi * k / turns) / 2
        error = multiply(conjugate(multiply(goal, (np.cos(half), 0.0, 0.0, np.sin(half)))), now)
        smallest = np.minimum(smallest, 2 * np.arctan2(np.linalg.norm(error[:, 1:], axis=1), np.abs(error[:, 0])))
    return _below(np.where(np.isnan(now[:, 0]), np.nan, smallest), angle, ANGLE_MARGIN_RAD)


@predicate
def along_axis(view: PredicateView, a: str, b: str, low: float, high: float, x: Length, y: Length) -> Slack:
    """Frame `b` lies low to high ahead of frame `a` along its z axis, and off that axis by less than x and y."""
    local = transform_points(invert(view.pose(a)), view.position(b))
    return np.minimum(_below(np.abs(local[:, :2]), np.array((x, y))).min(axis=1), _between(local[:, 2], low, high))


@predicate
def stacked(
    view: PredicateView,
    objs: Annotated[tuple[str, ...], MinItems(2)],
    x: Length,
    y: Length,
    heights: tuple[Length, ...],
) -> Slack:
    """Bodies sorted by height: neighbours within x and y of each other, the k-th no higher than heights[k]."""
    places = np.stack([view.position(obj) - view.table_origin() for obj in objs], axis=1)  # n k 3
    rows = np.arange(len(places))[:, None]
    places = places[rows, np.argsort(places[:, :, 2], axis=1)]
    gaps = np.abs(np.diff(places[:, :, :2], axis=1))
    low_enough = _at_least(np.array(heights) - places[:, :, 2], 0.0, LENGTH_MARGIN_M)
    return np.minimum(_below(gaps, np.array((x, y))).min(axis=(1, 2)), low_enough.min(axis=1))


@predicate
def in_contact(view: PredicateView, a: str, b: str) -> Slack:
    """Objects `a` and `b` touch ("table" is one)."""
    return np.where(view.touching(a, b), HOLDS, FAILS)


@predicate
def not_in_contact(view: PredicateView, a: str, b: str) -> Slack:
    """Objects `a` and `b` do not touch."""
    return np.where(view.touching(a, b), FAILS, HOLDS)


@predicate
def gripper_touching(view: PredicateView, arm: str, obj: str) -> Slack:
    """The gripper of `arm` touches an object; with less slack the farther the tool is from it."""
    return _per_arm(arm, _touching(view, arm, obj))


@predicate
def gripper_not_touching(view: PredicateView, arm: str, obj: str) -> Slack:
    """The gripper of `arm` does not touch an object."""
    touches = _touching(view, arm, obj) > 0
    return _per_arm(arm, np.where(touches, FAILS, HOLDS))


def _touching(view: PredicateView, arm: str, obj: str) -> NDArray[np.float64]:
    """Return the slack (n a) of each arm that `arm` names touching an object."""
    away = np.linalg.norm(view.tool_positions(arm) - view.position(obj)[:, None], axis=-1)
    slack = -away / LENGTH_MARGIN_M - SMALLEST
    world, index, _ = view.gripper_contacts(arm, obj)
    slack[world, index] = HOLDS
    return slack


@predicate
def gripper_touching_at(view: PredicateView, arm: str, point: str, xy: Length, z: Length) -> Slack:
    """The gripper of `arm` touches the object within |dx|, |dy| < xy and |dz| < z of its frame."""
    return _per_arm(arm, _touching_at(view, arm, point, xy, z))


def _touching_at(view: PredicateView, arm: str, point: str, xy: float, z: float) -> NDArray[np.float64]:
    target = view.position(point)
    away = np.linalg.norm(view.tool_positions(arm) - target[:, None], axis=-1)
    slack = -away / LENGTH_MARGIN_M - SMALLEST
    world, index, position = view.gripper_contacts(arm, point.partition(".")[0])
    close = (np.abs(position - target[world]) < (xy, xy, z)).all(axis=1)
    slack[world[close], index[close]] = HOLDS
    return slack


@predicate
def pressed(view: PredicateView, arm: str, point: str, xy: Length, z: Length) -> Slack:
    """The gripper of `arm` touches the object near its frame, and is closed itself."""
    return _per_arm(arm, np.minimum(_touching_at(view, arm, point, xy, z), _closed(view, arm)))


@predicate
def opened(view: PredicateView, joint: str, fraction: Annotated[float, Bound(gt=0.0, le=1.0)]) -> Slack:
    """An object's joint has come at least `fraction` of its range."""
    return _at_least(view.joint_fraction(joint), fraction, FRACTION_MARGIN)


@predicate
def shut(view: PredicateView, joint: str, fraction: Annotated[float, Bound(ge=0.0, lt=1.0)] = 0.15) -> Slack:
    """An object's joint has come back to at most `fraction` of its range."""
    return _at_least(-view.joint_fraction(joint), -fraction, FRACTION_MARGIN)


@predicate
def tool_near(view: PredicateView, arm: str, point: str, distance: Length) -> Slack:
    """The tool of `arm` is within `distance` of a frame."""
    away = np.linalg.norm(view.tool_positions(arm) - view.position(point)[:, None], axis=-1)
    return _per_arm(arm, _below(away, distance))


@predicate
def gripper_open(view: PredicateView, arm: str) -> Slack:
    """The gripper of `arm` is commanded open."""
    return _per_arm(arm, (view.gripper_openings(arm) - MIN_OPEN) / FRACTION_MARGIN)


@predicate
def gripper_closed(view: PredicateView, arm: str) -> Slack:
    """The gripper of `arm` is commanded closed."""
    return _per_arm(arm, _closed(view, arm))


def _closed(view: PredicateView, arm: str) -> NDArray[np.float64]:
    return _below(view.gripper_openings(arm), MAX_CLOSED, FRACTION_MARGIN)
