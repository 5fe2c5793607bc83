"""Parametric objects: a family turns a few numbers into bodies, named points and ways to grasp.

Every form stands with its base centre at the origin, z up and its front towards -y. A named point is a
pose in the frame of its body, its z axis the way the point faces (out of a surface that is pushed, up from
one that things are set on, up through the body from its "bottom"); a grasp is a tool pose (z approach,
y opening) in the frame of its body.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from sim.embodiment.model import Geom, Vector
from sim.geometry import Array, pose
from sim.task.spec import Shape, SpecError, Value


@dataclass(frozen=True)
class Grasp:
    """A tool pose (7,) in a body's frame, the finger opening to approach with (0 closed to 1 open), and a cost.

    Costs are radians of joint movement that the expert would rather make than take this grasp.
    """

    tool: Array
    opening: float = 1.0
    cost: float = 0.0


@dataclass(frozen=True)
class Part:
    """A body on the form's base: it turns about `axis` through `pos`, or slides along it where `slide` is set.

    `range` and `start` in radians or metres; the form is drawn at joint value 0.
    """

    name: str
    joint: str
    pos: Vector
    axis: Vector
    range: tuple[float, float]
    start: float
    geoms: tuple[Geom, ...]
    damping: float  # N·m·s/rad or N·s/m
    friction: float = 0.0  # N·m or N that hold it where it is
    slide: bool = False


@dataclass(frozen=True)
class Form:
    """What a family built. Keys of `points` and `grasps` are names; values carry the body ("" is the base)."""

    geoms: tuple[Geom, ...]
    points: dict[str, tuple[str, Array]]
    grasps: dict[str, tuple[str, tuple[Grasp, ...]]] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    turns: int = 1  # yaw symmetry: how many equal turns leave the form as it is; 0 for every turn


Family = Callable[..., Form]
FAMILIES: dict[str, Family] = {}


def family(build: Family) -> Family:
    """Register a family under its function's name."""
    FAMILIES[build.__name__] = build
    return build


def form_of(shape: Shape) -> Form:
    """Return the form of a shape, built once; `SpecError` where the family or one of its parameters is unknown."""
    try:
        return _built(shape.family, tuple(sorted(shape.params.items())))
    except TypeError as error:
        raise SpecError(f"object family {shape.family!r}: {error}") from error


@functools.lru_cache(maxsize=1024)
def _built(family: str, params: tuple[tuple[str, Value], ...]) -> Form:
    if family not in FAMILIES:
        raise SpecError(f"unknown object family {family!r}; valid: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family](**dict(params))


def up(z: float) -> tuple[str, Array]:
    """Return the point at height z above the base centre of the main body."""
    return "", pose((0, 0, z))
