"""Every predicate of success, on both sides of each of its thresholds."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import pi
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from sim.geometry import make_pose, quat_from_axis_angle
from sim.task.condition import SuccessCondition
from sim.task.predicates import MAX_CLOSED, MIN_OPEN, PREDICATES, PredicateView, tolerance
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Spawn, SpecError, Task, TaskObject, Value
from sim.task.values import resolve_hints

MARGIN = 1e-6
FREE = {"along", "axis", "both", "yaw", "turns"}  # numbers of a term that are no thresholds
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class State:
    """What terms read of one copy, as it is written down here; poses (7,) and places (3,) of points by name."""

    points: dict[str, Any] = field(default_factory=dict)
    starts: dict[str, Any] = field(default_factory=dict)
    joints: dict[str, float] = field(default_factory=dict)
    sides: dict[str, float] = field(default_factory=dict)
    tools: dict[str, Any] = field(default_factory=dict)
    grippers: dict[str, float] = field(default_factory=dict)
    contacts: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    touches: frozenset[tuple[str, str]] = frozenset()
    top: float = 0.74
    arms: tuple[str, ...] = ("r",)
    halves: dict[str, Any] = field(default_factory=dict)  # half lengths of bounding boxes of bodies, centred on them


@dataclass(frozen=True)
class States:
    """A view of such states, a copy each."""

    states: Sequence[State]

    def present(self, name: str) -> NDArray[np.bool_]:
        thing = name.partition(".")[0]
        return np.array([thing in {point.partition(".")[0] for point in s.points} for s in self.states])

    def pose(self, name: str) -> Floats:
        return np.stack([_pose(s.points[name]) for s in self.states])

    def position(self, name: str) -> Floats:
        return self.pose(name)[:, :3]

    def prefetch(self, names: tuple[str, ...]) -> None:
        pass

    def initial_pose(self, name: str) -> Floats:
        return np.stack([_pose(s.starts[name]) for s in self.states])

    def table_origin(self) -> Floats:
        return np.array([(0.0, 0.0, s.top) for s in self.states])

    def joint_fraction(self, name: str) -> Floats:
        return np.array([s.joints[name] for s in self.states])

    def initial_joint_fraction(self, name: str) -> Floats:
        return np.zeros(len(self.states))

    def part_of_joint(self, name: str) -> str:
        return name.partition(".")[0]

    def side_sign(self, role: str) -> Floats:
        return np.array([s.sides[role] for s in self.states])

    def arm_of_role(self, role: str) -> NDArray[np.int64]:
        return np.zeros(len(self.states), int)

    def tool_positions(self, arm: str) -> Floats:
        return np.stack([[_pose(s.tools.get(name, FAR_AWAY))[:3] for name in _arms(s, arm)] for s in self.states])

    def gripper_openings(self, arm: str) -> Floats:
        return np.array([[s.grippers.get(name, 1.0) for name in _arms(s, arm)] for s in self.states])

    def gripper_contacts(self, arm: str, obj: str) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        rows = [
            (world, k, spot)
            for world, s in enumerate(self.states)
            for k, name in enumerate(_arms(s, arm))
            for spot in s.contacts.get((name, obj), [])
        ]
        world, arms, spots = zip(*rows, strict=True) if rows else ((), (), ())
        return np.array(world, int), np.array(arms, int), np.array(spots, float).reshape(-1, 3)

    def touching(self, a: str, b: str) -> NDArray[np.bool_]:
        return np.array([(a, b) in s.touches for s in self.states])

    def bounds(self, body: str) -> tuple[Floats, Floats]:
        half = np.array([s.halves[body] for s in self.states])
        return -half, half


FAR_AWAY = (9.0, 9.0, 9.0)


def _arms(state: State, arm: str) -> tuple[str, ...]:
    return state.arms if arm in ("all", "any") else (arm,)


def _pose(value: ArrayLike) -> Floats:
    found = np.asarray(value, float)
    return found if len(found) == 7 else make_pose(found)


At = Callable[[float], State]
Case = tuple[str, str, dict[str, Value], State, State]  # term, threshold, keywords, a state inside, one outside


def between(name: str, what: str, args: dict[str, Value], limit: float, state: At, below: bool = True) -> Case:
    """Return the case in which `state`(value) holds just below a limit and not just above it, or the reverse."""
    inside, outside = limit - MARGIN, limit + MARGIN
    return name, what, args, state(inside if below else outside), state(outside if below else inside)


def apart_by(gap: Sequence[float]) -> State:
    """Return a state where the point a.p is off the point b.p by a vector."""
    origin = np.array((0.1, -0.2, 0.8))
    return State({"a.p": origin + gap, "b.p": origin})


def along(axis: int, rest: Sequence[float] = (0.0, 0.0, 0.0)) -> At:
    """Return the function from a gap along one axis to a state."""
    return lambda value: apart_by(np.array(rest) + value * np.eye(3)[axis])


def placed(axis: int, side: float = 1.0) -> At:
    """Return the function from a place along one axis (height above the table) to a state."""
    return lambda value: State({"a.p": (0.0, 0.0, 0.74) + value * np.eye(3)[axis]}, sides={"r": side})


def turned(angle: float, of: str = "a.p", axis: Sequence[float] = (0.0, 0.0, 1.0)) -> State:
    """Return a state where a point is turned about an axis, while b.p has a yaw of 0.5."""
    return State(
        {
            of: make_pose((0, 0, 0.8), quat_from_axis_angle(axis, angle)),
            "b.p": make_pose((0, 0, 0), quat_from_axis_angle((0, 0, 1), 0.5)),
        }
    )


def ahead(gap: Sequence[float]) -> State:
    """Return a state where b.p is at `gap` in the frame of a.p, whose z axis looks along the world's x."""
    x, y, z = gap
    return State(
        {"a.p": make_pose((0.1, 0.2, 0.8), quat_from_axis_angle((0, 1, 0), pi / 2)), "b.p": (0.1 + z, 0.2 + y, 0.8 - x)}
    )


def pile(x: float = 0.0, y: float = 0.0, top: float = 0.0) -> State:
    """Return three bodies on each other, in no order, the middle one shifted by x and y, the last raised by `top`."""
    return State({"c": (0.1, 0.0, 0.80 + top), "a": (0.1, 0.0, 0.74), "b": (0.1 + x, y, 0.77)})


def grip(where: Sequence[float], opening: float = 0.0, thing: str = "bell") -> State:
    """Return a state where the gripper of r touches a thing at its point, off by a vector, and far from it."""
    button = np.array((0.1, 0.0, 0.79))
    spots = [button + np.array(shift) for shift in (where, (0.0, 0.3, 0.0))]
    return State({"bell.top": button}, contacts={("r", thing): spots}, grippers={"r": opening})


def boxed(shift: Sequence[float]) -> State:
    """Return a state where the middle of a can is off the middle of a turned bin by a vector in the bin's frame."""
    bin_pose = make_pose((0.3, 0.1, 0.8), quat_from_axis_angle((0, 0, 1), pi / 2))
    x, y, z = shift
    can = (0.3 - y, 0.1 + x, 0.8 + z)
    return State({"can": can, "bin": bin_pose}, halves={"can": (0.02, 0.02, 0.05), "bin": (0.1, 0.2, 0.3)})


A_B: dict[str, Value] = {"a": "a.p", "b": "b.p"}
BOX: dict[str, Value] = {"point": "a.p", "x": (0.1, 0.3), "y": (-0.2, 0.2), "z": (-0.1, 0.4)}
MIDDLE = (0.2, 0.0, 0.0)
ABOVE: dict[str, Value] = {**A_B, "height": 0.05, "x": 0.02, "y": 0.03, "z": 0.01}
AHEAD: dict[str, Value] = {**A_B, "low": 0.1, "high": 0.3, "x": 0.02, "y": 0.03}
PILE: dict[str, Value] = {"objs": ("a", "b", "c"), "x": 0.04, "y": 0.05, "heights": (0.01, 0.04, 0.07)}
BUTTON: dict[str, Value] = {"arm": "r", "point": "bell.top", "xy": 0.02, "z": 0.03}
PLACES = {"cup": (0, 0, 0), "bell": (0, 0, 0), "bell.top": (0, 0, 0)}
TOUCH = State(PLACES, contacts={("r", "cup"): [(0, 0, 0)]}, touches=frozenset({("cup", "table")}))
AWAY = State(PLACES, contacts={("r", "can"): [(0, 0, 0)]}, touches=frozenset({("can", "table")}))


def inside_box(axis: int, side: float = 1.0) -> At:
    """Return the function from a coordinate along one axis to a state whose others lie inside the box."""

    def state(value: float) -> State:
        place = np.array((0.0, 0.0, 0.74)) + np.where(np.eye(3)[axis] > 0, value, MIDDLE) * (side, 1, 1)
        return State({"a.p": place}, sides={"r": side})

    return state  # fmt: skip


CASES: list[Case] = [
    *(between("near", key, {**A_B, key: 0.03}, 0.03, along(k)) for k, key in enumerate("xyz")),
    *(between("near", key, {**A_B, key: 0.03}, -0.03, along(k), below=False) for k, key in enumerate("xyz")),
    between("near", "xy", {**A_B, "xy": 0.05}, 0.03, along(0, (0.0, 0.04, 9.0))),
    between("near", "total", {**A_B, "total": 0.1}, 0.04, along(2, (0.03, -0.03, 0.0))),
    between("near", "x", {"a": "a.p", "b": ("far", "b.p"), "x": 0.03}, 0.03, lambda v: State(
        {**apart_by((v, 0, 0)).points, "far": (5, 5, 5)})),
    *(between("above_by", key, ABOVE, limit, along(k, (0, 0, 0.05)))
      for k, key, limit in ((0, "x", 0.02), (1, "y", 0.03), (2, "z", 0.01))),
    *(between("above_by", key, ABOVE, -limit, along(k, (0, 0, 0.05)), below=False)
      for k, key, limit in ((0, "x", 0.02), (1, "y", 0.03), (2, "z", 0.01))),
    between("above_by", "height", ABOVE, 0.06, along(2)),
    between("above_by", "height", ABOVE, 0.04, along(2), below=False),
    between("higher_than", "by", {**A_B, "by": 0.02}, 0.02, along(2), below=False),
    between("higher_than", "by", {**A_B}, 0.0, along(2), below=False),
    *(between("within", key, BOX, limits[1], inside_box(k))
      for k, (key, limits) in enumerate((("x", (0.1, 0.3)), ("y", (-0.2, 0.2)), ("z", (-0.1, 0.4))))),
    *(between("within", key, BOX, limits[0], inside_box(k), below=False)
      for k, (key, limits) in enumerate((("x", (0.1, 0.3)), ("y", (-0.2, 0.2)), ("z", (-0.1, 0.4))))),
    between("within", "x", {**BOX, "mirror": "r"}, 0.3, inside_box(0, -1.0)),
    between("within", "x", {**BOX, "mirror": "r"}, 0.3, inside_box(0, 1.0)),
    between("within", "x", {"point": "a.p", "x": (0.1, 0.3), "mirror": "r"}, -0.1, placed(0, -1.0)),
    between("outside", "x", {"point": "a.p", "x": 0.2}, 0.2, placed(0), below=False),
    between("outside", "x", {"point": "a.p", "x": 0.2}, -0.2, placed(0)),
    between("raised", "low", {"obj": "a.p", "low": 0.1}, 0.1, lambda v: State(
        {"a.p": (0, 0, 0.7 + v)}, {"a.p": (0, 0, 0.7)}), below=False),
    between("raised", "high", {"obj": "a.p", "low": 0.1, "high": 0.2}, 0.2, lambda v: State(
        {"a.p": (0, 0, 0.7 + v)}, {"a.p": (0, 0, 0.7)})),
    between("apart", "low", {**A_B, "low": 0.05, "high": 0.13}, 0.03, along(0, (0, 0.04, 9.0)), below=False),
    between("apart", "high", {**A_B, "low": 0.05, "high": 0.13}, 0.12, along(1, (0.05, 0, 9.0))),
    between("left_of", "", {**A_B}, 0.0, along(0)),
    between("same_side", "", {"a": "a.p", "b": "b.p"}, 0.0, lambda v: State(
        apart_by((v, 0, 0)).points, {"a.p": (0.3, 0, 0), "b.p": (0.2, 0, 0)}), below=False),
    between("same_side", "", {"a": "a.p", "b": "b.p"}, 0.0, lambda v: State(
        apart_by((v, 0, 0)).points, {"a.p": (-0.3, 0, 0), "b.p": (-0.2, 0, 0)})),
    between("pointing", "angle", {"point": "a.p", "along": (0, 0, 2), "angle": 0.2}, 0.2, lambda v: turned(
        v, axis=(1, 0, 0))),
    between("pointing", "angle", {"point": "a.p", "along": (0, 3, 0), "angle": 0.2, "axis": (1, 0, 0)},
            pi / 2 - 0.2, turned, below=False),
    between("pointing", "angle", {"point": "a.p", "along": (1, 0, 0), "angle": 0.2, "axis": (1, 0, 0), "both": True},
            pi - 0.2, turned, below=False),
    between("oriented", "angle", {"a": "a.p", "angle": 0.3, "yaw": 0.2}, 0.5, turned),
    between("oriented", "angle", {"a": "a.p", "angle": 0.3, "yaw": 0.2}, -0.1, turned, below=False),
    between("oriented", "angle", {"a": "a.p", "angle": 0.3, "b": "b.p", "yaw": 0.2}, 1.0, turned),
    between("oriented", "angle", {"a": "a.p", "angle": 0.3, "turns": 2}, pi + 0.3, turned),
    between("oriented", "angle", {"a": "a.p", "angle": 0.3}, 0.3, lambda v: turned(v, axis=(0.6, 0.8, 0))),
    *(between("along_axis", key, AHEAD, limit, lambda v, k=k: ahead(np.array((0, 0, 0.2)) + v * np.eye(3)[k]))
      for k, key, limit in ((0, "x", 0.02), (1, "y", 0.03))),
    between("along_axis", "low", AHEAD, 0.1, lambda v: ahead((0, 0, v)), below=False),
    between("along_axis", "high", AHEAD, 0.3, lambda v: ahead((0, 0, v))),
    between("stacked", "x", PILE, 0.04, lambda v: pile(x=v)),
    between("stacked", "y", PILE, -0.05, lambda v: pile(y=v), below=False),
    between("stacked", "heights", PILE, 0.01, lambda v: pile(top=v)),
    ("in_contact", "", {"a": "cup", "b": "table"}, TOUCH, AWAY),
    ("not_in_contact", "", {"a": "cup", "b": "table"}, AWAY, TOUCH),
    ("gripper_touching", "", {"arm": "r", "obj": "cup"}, TOUCH, AWAY),
    ("gripper_not_touching", "", {"arm": "r", "obj": "cup"}, AWAY, TOUCH),
    *(between(name, key, BUTTON, limit, lambda v, k=k: grip(v * np.eye(3)[k]))
      for name in ("gripper_touching_at", "pressed")
      for k, key, limit in ((0, "xy", 0.02), (1, "xy", 0.02), (2, "z", 0.03))),
    *(between(name, key, BUTTON, -limit, lambda v, k=k: grip(v * np.eye(3)[k]), below=False)
      for name in ("gripper_touching_at", "pressed")
      for k, key, limit in ((0, "xy", 0.02), (1, "xy", 0.02), (2, "z", 0.03))),
    ("gripper_touching_at", "", BUTTON, grip((0, 0, 0), opening=1.0), grip((0, 0, 0), thing="bowl")),
    between("pressed", "", BUTTON, MAX_CLOSED, lambda v: grip((0, 0, 0), opening=v)),
    ("shut", "fraction", {"joint": "a.hinge", "fraction": 0.4},
     State(joints={"a.hinge": 0.4}), State(joints={"a.hinge": 0.4 + MARGIN})),
    *(between("inside", "", {"obj": "can", "container": "bin"}, side * limit, lambda v, k=k: boxed(v * np.eye(3)[k]),
              below=side > 0)
      for side in (1, -1) for k, limit in enumerate((0.1, 0.2, 0.3))),
    ("opened", "fraction", {"joint": "a.hinge", "fraction": 0.4},
     State(joints={"a.hinge": 0.4}), State(joints={"a.hinge": 0.4 - MARGIN})),
    between("tool_near", "distance", {"arm": "r", "point": "a.p", "distance": 0.05}, 0.05, lambda v: State(
        {"a.p": (0.1, 0.2, 0.3)}, tools={"r": np.array((0.1, 0.2, 0.3)) + v * np.array((0.6, 0.0, 0.8))})),
    between("gripper_open", "", {"arm": "r"}, MIN_OPEN, lambda v: State(grippers={"r": v}), below=False),
    between("gripper_closed", "", {"arm": "r"}, MAX_CLOSED, lambda v: State(grippers={"r": v})),
]  # fmt: skip


def label(case: Case) -> str:
    return f"{case[0]}-{case[1]}"


def _is_view(view: States) -> PredicateView:
    return view


@pytest.mark.parametrize("case", CASES, ids=label)
def test_a_threshold_is_where_it_is_said_to_be(case: Case) -> None:
    name, _, args, inside, outside = case
    view = _is_view(States((inside, outside, inside)))
    slack = PREDICATES[name](view, **args)
    assert (slack > 0).tolist() == [True, False, True]
    score = tolerance(slack)
    assert score[0] == score[2] == 1.0 and 0.0 <= score[1] < 1.0


def thresholds(name: str) -> set[str]:
    """Return the keywords of a term that are lengths, angles or fractions to compare with; "" for one without."""
    hints = resolve_hints(PREDICATES[name])
    keywords = list(inspect.signature(PREDICATES[name]).parameters)[1:]
    return {key for key in keywords if "float" in str(hints[key]) and key not in FREE} or {""}


@pytest.mark.parametrize("name", PREDICATES)
def test_every_threshold_has_its_pair(name: str) -> None:
    assert thresholds(name) <= {what for term, what, *_ in CASES if term == name}


def test_every_pair_is_of_a_threshold_that_is_there() -> None:
    assert all(not what or what in thresholds(name) for name, what, *_ in CASES)


ONE = Task(
    name="one",
    instructions=("go",),
    objects=(
        TaskObject("cup", (ObjectSpec("can", {"radius": 0.03, "height": 0.1}),), Spawn((0.0, 0.0), (0.0, 0.0))),
        TaskObject(
            "hat", (ObjectSpec("can", {"radius": 0.03, "height": 0.1}),), Spawn((0.0, 0.0), (0.0, 0.0), optional=True)
        ),
    ),
    arms=(ArmRole("r", "right"),),
    success=(
        Predicate("higher_than", {"a": "cup.top", "b": "cup.bottom"}, latch=True),
        Predicate("gripper_open", {"arm": "r"}),
    ),
    plan=(),
    horizon=10,
)


def lifted(height: float, opening: float) -> State:
    return State({"cup.top": (0, 0, height), "cup.bottom": (0, 0, 0)}, grippers={"r": opening})


def evaluate(task: Task, view: States, latched: NDArray[np.bool_]) -> tuple[list[bool], NDArray[np.bool_]]:
    found = SuccessCondition(task).evaluate(view, latched)
    return found.success.tolist(), found.holds


def test_success_is_all_terms_at_once_and_a_latch_remembers() -> None:
    fresh = np.zeros((3, 2), bool)
    done, latches = evaluate(ONE, States((lifted(1, 0), lifted(-1, 1), lifted(1, 1))), fresh)
    assert done == [False, False, True]
    assert latches.tolist() == [[True, False], [False, True], [True, True]]
    done, latches = evaluate(ONE, States((lifted(-1, 1), lifted(-1, 1), lifted(-1, 0))), latches)
    assert done == [True, False, False]
    assert latches.tolist() == [[True, True], [False, True], [True, False]]


def test_a_term_about_an_absent_object_holds() -> None:
    task = dataclasses.replace(ONE, success=(Predicate("higher_than", {"a": "hat.top", "b": "cup.bottom"}),))
    there = State({"hat.top": (0, 0, -1), "cup.bottom": (0, 0, 0)})
    nan = np.full(7, np.nan)

    class Absent(States):
        def present(self, name: str) -> NDArray[np.bool_]:
            return np.array([not name.startswith("hat") or s is there for s in self.states])

    gone = State({"hat.top": nan, "cup.bottom": (0, 0, 0)})
    done, _ = evaluate(task, Absent((there, gone)), np.zeros((2, 1), bool))
    assert done == [False, True]


@pytest.mark.parametrize(("base", "holds"), [(-0.04, True), (-0.06, False), (0.14, True), (0.16, False)])
def test_a_body_is_inside_by_its_middle_not_by_its_base(base: float, holds: bool) -> None:
    class Standing(States):
        def bounds(self, body: str) -> tuple[Floats, Floats]:
            low, high = super().bounds(body)
            return low * (1, 1, 0), high * (1, 1, 2)

    state = State({"can": (0, 0, base), "bin": (0, 0, 0)}, halves={"can": (0.02, 0.02, 0.05), "bin": (0.1, 0.1, 0.1)})
    slack = PREDICATES["inside"](Standing((state,)), obj="can", container="bin")
    assert (slack > 0).tolist() == [holds]


def test_all_means_every_arm_and_any_at_least_one() -> None:
    """One meaning for every predicate that takes an arm."""
    one = State(
        {"cup": (0, 0, 0), "bell": (0, 0, 0), "bell.top": (0, 0, 0)},
        grippers={"r": 0.0, "l": 1.0},
        contacts={("r", "cup"): [(0, 0, 0)], ("r", "bell"): [(0, 0, 0)]},
        tools={"r": (0, 0, 0)},
        arms=("l", "r"),
    )
    args: dict[str, dict[str, Value]] = {
        "gripper_touching": {"obj": "cup"},
        "gripper_not_touching": {"obj": "cup"},
        "gripper_touching_at": {"point": "bell.top", "xy": 0.01, "z": 0.01},
        "pressed": {"point": "bell.top", "xy": 0.01, "z": 0.01},
        "tool_near": {"point": "bell.top", "distance": 0.1},
        "gripper_open": {},
        "gripper_closed": {},
    }
    takes_arm = {name for name, function in PREDICATES.items() if "arm" in inspect.signature(function).parameters}
    assert set(args) == takes_arm
    for name, rest in args.items():
        holds = [bool((PREDICATES[name](States((one,)), arm=arm, **rest) > 0)[0]) for arm in ("l", "r", "all", "any")]
        assert holds[2] == (holds[0] and holds[1]) and holds[3] == (holds[0] or holds[1]), name


def test_a_press_takes_one_gripper_that_touches_and_is_closed() -> None:
    """Contact of one arm and the closed gripper of another are no press."""
    mixed = State(
        {"bell": (0, 0, 0), "bell.top": (0, 0, 0)},
        grippers={"r": 1.0, "l": 0.0},
        contacts={("r", "bell"): [(0, 0, 0)]},
        arms=("l", "r"),
    )
    assert not (PREDICATES["pressed"](States((mixed,)), arm="any", point="bell.top", xy=0.1, z=0.1) > 0).any()


def test_scores_fall_with_the_distance_from_holding() -> None:
    gaps = (0.0, 0.05, 0.1, 0.2, 0.5)
    slack = PREDICATES["near"](States(tuple(apart_by((0.01 + gap, 0, 0)) for gap in gaps)), "a.p", "b.p", x=0.01)
    score = tolerance(slack - 1e-9)
    assert (np.diff(score) < 0).all() and score[0] == pytest.approx(1.0) and score[2] == pytest.approx(0.1, abs=1e-6)


def test_a_latch_of_an_object_predicate_does_not_hold_before_it_ever_did() -> None:
    task = dataclasses.replace(
        ONE, success=(Predicate("higher_than", {"a": "cup.top", "b": "cup.bottom"}, latch=True),)
    )
    condition = SuccessCondition(task, SuccessCondition(task).about("cup"))
    assert condition.predicates and not condition.evaluate(States((lifted(-1, 1),))).success.any()
    assert SuccessCondition(task).about("hat") == ()


def test_an_error_inside_a_predicate_is_not_blamed_on_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(view: PredicateView, arm: str) -> Floats:
        raise TypeError("inside")

    monkeypatch.setattr("sim.task.condition.PREDICATES", {**PREDICATES, "gripper_open": broken})
    condition = SuccessCondition(ONE)
    with pytest.raises(TypeError, match="inside"):
        condition.evaluate(States((lifted(1, 1),)))
    with pytest.raises(SpecError, match="task 'one': predicate 'gripper_open': missing a required argument: 'arm'"):
        SuccessCondition(dataclasses.replace(ONE, success=(Predicate("gripper_open", {"hand": "r"}),)))
