"""Task, TaskObject, Predicate, Skill: what a task *is*, as frozen values that travel to JSON and back.

A task says what stands on the table, what counts as success and which skills reach it. It holds no
simulator call and no code; scenes, experts and success tests are functions of it. Ranges of values stand in the
annotations (`sim.task.values`); `sim.task.validate` checks them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

from sim.task.values import Bound, list_values, resolve_hints, split_hint
from sim.types import STEPS_PER_IMAGE, UserError

Range = tuple[float, float]
NonNegative = Annotated[float, Bound(ge=0.0)]  # metres
MAX_HORIZON = 100_000  # control steps
TABLE_HEIGHT_M = 0.74  # of the table's top, unless a task says otherwise
TABLE_HALF_EXTENTS_M = (0.6, 0.35, 0.025)
DIGEST_LENGTH = 8  # hexadecimal digits of a task's digest in the names of files
Value = str | float | int | bool | tuple["Value", ...]


class SpecError(UserError):
    """A task, robot or object says something the vocabulary does not know."""


class DecodeError(SpecError):
    """A JSON value is not the task that it should be; `word` is what the text says in the wrong place, or lacks."""

    def __init__(self, message: str, word: str = "", line: int = 0) -> None:
        super().__init__(f"not a task: {message}")
        self.word, self.line = word, line


@dataclass(frozen=True)
class ObjectSpec:
    """A parametric object: a family of `sim.objects`, its numbers (metres, radians), its look and its names."""

    family: str
    params: Mapping[str, Value] = field(default_factory=dict)
    category: str = ""  # what it is called in `sim.catalogue`: the word that clutter must not repeat
    colour: str = "grey"  # a name of `sim.objects.palette`
    nouns: tuple[str, ...] = ()  # how seen instructions call it, without colour or article; category if left out
    unseen: tuple[str, ...] = ()  # nouns kept for evaluation


@dataclass(frozen=True)
class Spawn:
    """Where an object may appear: ranges of its base centre (metres, radians), x and y in the world frame.

    A draw that breaks one of the rules is drawn again, together with all other objects of the task.
    """

    x: Range
    y: Range
    z: Annotated[float, Bound(ge=-1.0, le=1.0)] = 0.001  # above the table's top; above the floor where `floor` is set
    yaw: Range = (0.0, 0.0)
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rotation vector applied before yaw: lays a thing on its side
    floor: bool = False
    within: str = ""  # an object placed before: x, y, z and yaw are counted from its base
    min_abs_x: NonNegative = 0.0
    # x changes sign, and `tilt` is mirrored with it: "" never, "coin" half of the time, NAME to take its side, "-NAME"
    # the other side
    mirror: str = ""
    when_right: tuple[str, Range] | tuple[()] = ()  # (NAME, range of x that holds instead where NAME stands at x > 0)
    behind: NonNegative = 0.0  # where |x| is less than this, y must be negative
    clear: tuple[tuple[float, float, NonNegative], ...] = ()  # (x, y, least distance)
    apart: tuple[tuple[str, NonNegative], ...] = ()  # least planar distance to objects placed before
    apart_y: tuple[tuple[str, NonNegative], ...] = ()  # least distance in y alone
    optional: bool = False  # left out of the scene where the first draw breaks `apart`


@dataclass(frozen=True)
class TaskObject:
    """One thing of a task; the seed draws one of `variants`, and one of `colours` where there are any."""

    name: str
    variants: tuple[ObjectSpec, ...]
    spawn: Spawn
    colours: tuple[str, ...] = ()  # names of `sim.objects.palette`; none: the variant's own
    fixed: bool = False
    mass: Annotated[float, Bound(ge=0.001, le=20.0)] = 0.05  # kg, of its base; parts weigh what their shapes do
    like: str = ""  # an object placed before whose variant (by number) this one shares
    unlike: str = ""  # an object placed before whose category this one must not share; of one category, whose variant


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

    x: Annotated[float, Bound(ge=-0.5, le=0.5)] = 0.0
    top: Annotated[float, Bound(ge=0.4, le=1.1)] = TABLE_HEIGHT_M


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

    def list_concurrent(self) -> tuple[Skill, ...]:
        """This skill and all that run at the same time, however deep they are nested, each by itself."""
        alone = Skill(self.name, self.args, when=self.when)
        return (alone, *(part for other in self.alongside for part in other.list_concurrent()))


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
    horizon: Annotated[int, Bound(ge=STEPS_PER_IMAGE, le=MAX_HORIZON, multiple_of=STEPS_PER_IMAGE)]
    unseen: tuple[str, ...] = ()  # instructions kept for evaluation
    suite: str = ""
    table: TablePlacement = field(default_factory=TablePlacement)
    order: tuple[ObjectOrder, ...] = ()
    scene_id: str = ""  # what its scenes are drawn by, with the seed: tasks of one id share scenes; "": the name

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
    """Return a predicate or skill as one phrase, its name and those it speaks of: "near cup.bottom coaster.top"."""
    words = [word for value in item.args.values() for word in list_values(value)]
    return " ".join([item.name, *(word for word in words if isinstance(word, str) and word)])


def to_json(task: Task) -> str:
    """Return the task as one line of JSON."""
    return json.dumps(dataclasses.asdict(task), sort_keys=True)


def compute_digest(task: Task) -> str:
    """SHA-256 of a task's JSON, hexadecimal."""
    return hashlib.sha256(to_json(task).encode()).hexdigest()


def format_digest_label(name: str, digest: str) -> str:
    """NAME-1a2b3c4d: what a task that is not the project's is called in files and tables."""
    return f"{name}-{digest[:DIGEST_LENGTH]}"


def from_json(text: str) -> Task:
    """Return the task that `to_json` wrote; `DecodeError` where a key is missing or unknown."""
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise DecodeError(str(error), line=error.lineno) from error
    except RecursionError as error:
        raise DecodeError("lists or objects are nested too deeply") from error
    return _decode_dataclass(raw, Task, "task")


def _decode_dataclass(raw: object, kind: type, where: str) -> Any:  # noqa: ANN401 - an instance of `kind`
    """Build a dataclass from a JSON object; types of plain values are left to `sim.task.validate`."""
    names = tuple(field.name for field in dataclasses.fields(kind))
    if not isinstance(raw, dict):
        raise DecodeError(f"{where} is {json.dumps(raw)[:40]}; valid: an object with {', '.join(names)}")
    for name in raw:
        if name not in names:
            raise DecodeError(f"unknown field {name!r} of {where}; valid: {', '.join(names)}", name)
    for item in dataclasses.fields(kind):
        has_default = item.default is not dataclasses.MISSING or item.default_factory is not dataclasses.MISSING
        if not has_default and item.name not in raw:
            raise DecodeError(f"{where} lacks {item.name!r}; valid: {', '.join(names)}", where)
    hints = resolve_hints(kind)
    return kind(**{name: _decode_value(value, hints[name], name) for name, value in raw.items()})


def _decode_value(raw: object, hint: Any, where: str) -> Any:  # noqa: ANN401 - of the type that the hint names
    base = split_hint(hint)[0]
    if dataclasses.is_dataclass(base) and isinstance(base, type):
        return _decode_dataclass(raw, base, where)
    item = get_args(base)[0] if get_origin(base) is tuple and get_args(base)[-1:] == (...,) else None
    if dataclasses.is_dataclass(item) and isinstance(item, type):
        if not isinstance(raw, list):
            raise DecodeError(f"{where} is {json.dumps(raw)[:40]}; valid: a list", where)
        return tuple(_decode_dataclass(value, item, where) for value in raw)
    return _freeze_value(raw)


def _freeze_value(value: Any) -> Any:  # noqa: ANN401 - JSON has no narrower type
    if isinstance(value, list):
        return tuple(_freeze_value(v) for v in value)
    return {key: _freeze_value(v) for key, v in value.items()} if isinstance(value, dict) else value
