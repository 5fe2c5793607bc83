"""Task, Object, Term, Skill: what a task *is*, as frozen values that travel to JSON and back.

A task says what stands on the table, what counts as success and which skills reach it. It holds no
simulator call and no code; scenes, experts and success tests are functions of it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.types import UserError

Range = tuple[float, float]
Value = str | float | int | bool | tuple["Value", ...]


class SpecError(UserError):
    """A task, robot or object says something the vocabulary does not know."""


@dataclass(frozen=True)
class ObjectSpec:
    """A parametric object: a family of `sim.objects`, its numbers (metres, radians), its look and its names."""

    family: str
    params: Mapping[str, Value] = field(default_factory=dict)
    kind: str = ""  # what it is called in `sim.catalogue`: the word that clutter must not repeat
    colour: str = "grey"  # a name of `sim.objects.palette`
    nouns: tuple[str, ...] = ()  # how seen instructions call it, without colour or article; kind if left out
    unseen: tuple[str, ...] = ()  # nouns kept for evaluation


@dataclass(frozen=True)
class Spawn:
    """Where an object may appear: ranges of its base centre (metres, radians), x and y in the world frame.

    A draw that breaks one of the rules is drawn again, together with all other objects of the task.
    """

    x: Range
    y: Range
    z: float = 0.001  # above the table's top; above the floor where `floor` is set
    yaw: Range = (0.0, 0.0)
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rotation vector applied before yaw: lays a thing on its side
    floor: bool = False
    within: str = ""  # an object placed before: x, y, z and yaw are counted from its base
    min_abs_x: float = 0.0
    # x changes sign, and `tilt` is mirrored with it: "" never, "coin" half of the time, NAME to take its side, "-NAME"
    # the other side
    mirror: str = ""
    when_right: tuple[str, Range] | tuple[()] = ()  # (NAME, range of x that holds instead where NAME stands at x > 0)
    behind: float = 0.0  # where |x| is less than this, y must be negative
    clear: tuple[tuple[float, float, float], ...] = ()  # (x, y, least distance)
    apart: tuple[tuple[str, float], ...] = ()  # least planar distance to objects placed before
    apart_y: tuple[tuple[str, float], ...] = ()  # least distance in y alone
    optional: bool = False  # left out of the scene where the first draw breaks `apart`


@dataclass(frozen=True)
class TaskObject:
    """One thing of a task; the seed draws one of `variants`, and one of `colours` where there are any."""

    name: str
    variants: tuple[ObjectSpec, ...]
    spawn: Spawn
    colours: tuple[str, ...] = ()  # names of `sim.objects.palette`; none: the variant's own
    fixed: bool = False
    mass: float = 0.05
    like: str = ""  # an object placed before whose variant (by number) this one shares
    unlike: str = ""  # an object placed before whose kind this one must not share; of one kind, whose variant


@dataclass(frozen=True)
class ObjectOrder:
    """Objects of equal spawn rules that trade places at reset, so that the first is the least `by`.

    "y": nearest the robot first; "side": those at x < 0 first, each side by y.
    """

    names: tuple[str, ...]
    by: str = "y"


@dataclass(frozen=True)
class TablePlacement:
    """How the table stands: its centre along x and the height of its top (metres, world)."""

    x: float = 0.0
    top: float = 0.74


@dataclass(frozen=True)
class ArmRole:
    """A role ("a", "b") and the rule that gives it an arm.

    `rule` is "left" or "right"; "side:NAME", the side of the table object NAME stands on at reset;
    "facing:NAME", the side that the front of NAME is turned to; or "other:ROLE". A robot with one arm plays
    every role of a task that has neither an "other" nor both fixed arms.
    """

    role: str
    rule: str


@dataclass(frozen=True)
class Predicate:
    """A predicate of `sim.task.predicates` with its keywords; a latched one stays true once it was."""

    name: str
    args: dict[str, Value] = field(default_factory=dict)
    latch: bool = False


@dataclass(frozen=True)
class Skill:
    """A motion of `sim.expert.skills` with its keywords; `alongside` runs others at the same time.

    With `when` it is done in those scenes only where two roles have the same arm ("a=b") or not ("a!=b").
    """

    name: str
    args: dict[str, Value] = field(default_factory=dict)
    alongside: tuple[Skill, ...] = ()
    when: str = ""


@dataclass(frozen=True)
class Task:
    """All there is to say about a task. `horizon` counts control steps (20 ms each).

    Slots of instructions: {NAME} is a description of that object, {NAME.colour} its colour, {ROLE} "the left arm".
    An instruction that names an absent object is not drawn in that scene; terms and skills of absent objects are
    left out.
    """

    name: str
    instructions: tuple[str, ...]
    objects: tuple[TaskObject, ...]
    arms: tuple[ArmRole, ...]
    success: tuple[Predicate, ...]
    plan: tuple[Skill, ...]
    horizon: int
    unseen: tuple[str, ...] = ()  # instructions kept for evaluation
    suite: str = ""
    table: TablePlacement = field(default_factory=TablePlacement)
    order: tuple[ObjectOrder, ...] = ()

    def find_object(self, name: str) -> TaskObject:
        """Return the object called `name`."""
        for task_object in self.objects:
            if task_object.name == name:
                return task_object
        raise SpecError(f"task {self.name!r} has no object {name!r}; it has {', '.join(o.name for o in self.objects)}")

    @property
    def arms_needed(self) -> int:
        """How many arms a robot must have."""
        rules = {arm.rule for arm in self.arms}
        return 2 if {"left", "right"} <= rules or any(rule.startswith("other:") for rule in rules) else 1


def describe_item(item: Predicate | Skill) -> str:
    """Return a predicate or skill as one phrase: its name and the names that it speaks of, "near cup.bottom coaster.top"."""
    words = [word for value in item.args.values() for word in (value if isinstance(value, tuple) else (value,))]
    return " ".join([item.name, *(word for word in words if isinstance(word, str) and word)])


def to_json(task: Task) -> str:
    """Return the task as one line of JSON."""
    return json.dumps(dataclasses.asdict(task), sort_keys=True)


def from_json(text: str) -> Task:
    """Return the task that `to_json` wrote; `SpecError` where a key is missing or unknown."""
    try:
        raw = _freeze_mapping(json.loads(text))
        nested = {
            "objects": tuple(_parse_object(o) for o in raw["objects"]),
            "arms": tuple(ArmRole(**a) for a in raw["arms"]),
            "success": tuple(Predicate(**t) for t in raw["success"]),
            "plan": tuple(_parse_skill(s) for s in raw["plan"]),
            "table": TablePlacement(**raw.get("table", {})),
            "order": tuple(ObjectOrder(**o) for o in raw.get("order", ())),
        }
        return Task(**{**raw, **nested})
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise SpecError(f"not a task: {error}") from error


def _parse_object(raw: dict[str, Any]) -> TaskObject:
    return TaskObject(
        **{**raw, "variants": tuple(ObjectSpec(**s) for s in raw["variants"]), "spawn": Spawn(**raw["spawn"])}
    )


def _parse_skill(raw: dict[str, Any]) -> Skill:
    return Skill(**{**raw, "alongside": tuple(_parse_skill(s) for s in raw.get("alongside", ()))})


def _freeze_mapping(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: _freeze_value(value) for key, value in raw.items()}


def _freeze_value(value: Any) -> Any:  # noqa: ANN401 - JSON has no narrower type
    if isinstance(value, list):
        return tuple(_freeze_value(v) for v in value)
    return _freeze_mapping(value) if isinstance(value, dict) else value
