"""Task, Object, Term, Skill: what a task *is*, as frozen values that travel to JSON and back.

A task says what stands on the table, what counts as success and which skills reach it. It holds no
simulator call and no code; scenes, experts and success tests are functions of it.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

Range = tuple[float, float]
Value = str | float | int | bool | tuple["Value", ...]


class SpecError(ValueError):
    """A task, robot or object says something the vocabulary does not know."""


@dataclass(frozen=True)
class Shape:
    """A parametric object: the name of a family of `sim.scene.objects` and its numbers (metres, radians)."""

    family: str
    params: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Spawn:
    """Where an object may appear: base-centre ranges in the world frame (metres, radians)."""

    x: Range
    y: Range
    z: float = 0.741
    yaw: Range = (0.0, 0.0)
    min_abs_x: float = 0.0
    mirror: str = ""  # "": as given; "coin": x changes sign half of the time; an object's name: x takes its side
    apart: tuple[tuple[str, float], ...] = ()  # least planar distance to objects that were placed before


@dataclass(frozen=True)
class Object:
    """One thing of a task; the seed draws one of `variants`."""

    name: str
    variants: tuple[Shape, ...]
    spawn: Spawn
    colour: tuple[float, float, float] = (0.7, 0.7, 0.7)
    fixed: bool = False
    mass: float = 0.05


@dataclass(frozen=True)
class Arm:
    """A role ("a", "b") and the rule that gives it an arm.

    `rule` is "left" or "right"; "side:NAME", the side of the table object NAME stands on at reset;
    or "facing:NAME", the side that the front of NAME is turned to. A robot with one arm
    plays any single role that is not a second one.
    """

    role: str
    rule: str


@dataclass(frozen=True)
class Term:
    """A predicate of `sim.terms` with its keywords; a latched one stays true once it was."""

    name: str
    args: dict[str, Value] = field(default_factory=dict)
    latch: bool = False


@dataclass(frozen=True)
class Skill:
    """A motion of `sim.skills` with its keywords; `alongside` runs others at the same time."""

    name: str
    args: dict[str, Value] = field(default_factory=dict)
    alongside: tuple[Skill, ...] = ()


@dataclass(frozen=True)
class Task:
    """All there is to say about a task. `horizon` counts control steps (20 ms each)."""

    name: str
    instructions: tuple[str, ...]
    objects: tuple[Object, ...]
    arms: tuple[Arm, ...]
    success: tuple[Term, ...]
    plan: tuple[Skill, ...]
    horizon: int

    def object(self, name: str) -> Object:
        """Return the object called `name`."""
        for thing in self.objects:
            if thing.name == name:
                return thing
        raise SpecError(f"task {self.name!r} has no object {name!r}; it has {', '.join(o.name for o in self.objects)}")

    @property
    def arms_needed(self) -> int:
        """How many arms a robot must have: the number of roles."""
        return len(self.arms)


def to_json(task: Task) -> str:
    """Return the task as one line of JSON."""
    return json.dumps(dataclasses.asdict(task), sort_keys=True)


def from_json(text: str) -> Task:
    """Return the task that `to_json` wrote; `SpecError` where a key is missing or unknown."""
    try:
        raw = json.loads(text)
        return Task(
            name=raw["name"],
            instructions=tuple(raw["instructions"]),
            objects=tuple(_object(o) for o in raw["objects"]),
            arms=tuple(Arm(**a) for a in raw["arms"]),
            success=tuple(Term(t["name"], _frozen(t["args"]), t["latch"]) for t in raw["success"]),
            plan=tuple(_skill(s) for s in raw["plan"]),
            horizon=raw["horizon"],
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise SpecError(f"not a task: {error}") from error


def _object(raw: dict[str, Any]) -> Object:
    spawn = {**_frozen(raw["spawn"])}
    shapes = tuple(Shape(s["family"], _frozen(s["params"])) for s in raw["variants"])
    rest = {k: _freeze(v) for k, v in raw.items() if k not in ("spawn", "variants")}
    return Object(variants=shapes, spawn=Spawn(**spawn), **rest)


def _skill(raw: dict[str, Any]) -> Skill:
    return Skill(raw["name"], _frozen(raw["args"]), tuple(_skill(s) for s in raw["alongside"]))


def _frozen(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: _freeze(value) for key, value in raw.items()}


def _freeze(value: Any) -> Any:  # noqa: ANN401 - JSON has no narrower type
    return tuple(_freeze(v) for v in value) if isinstance(value, list) else value
