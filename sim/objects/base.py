"""Parametric objects: a family turns a few numbers into bodies, named frames and grasp candidates.

Every object model stands with its base centre at the origin, z up and its front towards -y. A named frame is a
pose in the frame of its body, its z axis the way that it faces (out of a surface that is pushed, up from
one that objects are set on, up through the body from its "bottom"). Lengths in metres, angles in radians.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from sim.embodiment.model import Geom, Vector
from sim.geometry import Array, make_pose
from sim.registry import FunctionRegistry
from sim.task.spec import ObjectSpec, SpecError, Value


@dataclass(frozen=True)
class Grasp:
    """Parallel-jaw grasp candidate: a pose (7,) in its body's frame, z the approach, y from finger to finger.

    The origin lies midway between the contacts. A grasp knows of no gripper: `sim.expert.grasps` leaves out what a
    gripper is too small for, and moves its tool off the origin, as far as its pads allow, where its palm would meet
    the object or its fingers what is under them.
    """

    pose: Array
    width_m: float  # of what is held, from finger to finger
    opening_m: float = inf  # between the fingers on the approach; inf: as wide as the gripper opens
    cost: float = 0.0  # radians of joint movement that the expert would rather make than take this grasp
    depth_m: float = 0.0  # how far the object reaches from the origin back towards the palm
    min_reach_m: float = 0.0  # how far beyond the origin fingertips must reach; below 0: they may end before it
    floor_m: float = -inf  # height in the body's frame that fingers stay above: what the object has under the grasp


@dataclass(frozen=True)
class ObjectPart:
    """Body with one joint to the base: it turns about `axis` through `pos`, or slides along it if `prismatic` is set.

    `joint_range` and `initial_value` in radians or metres; geoms, frames and grasps are those at joint value 0.
    """

    name: str
    joint: str
    pos: Vector
    axis: Vector
    joint_range: tuple[float, float]
    initial_value: float
    geoms: tuple[Geom, ...]
    damping: float  # N·m·s/rad or N·s/m
    friction_loss: float = 0.0  # N·m or N that hold it where it is
    prismatic: bool = False


@dataclass(frozen=True)
class ObjectModel:
    """Object as its family built it: geoms of the base, named frames and grasps, each with its part ("": the base)."""

    geoms: tuple[Geom, ...]
    frames: dict[str, tuple[str, Array]]
    grasps: dict[str, tuple[str, tuple[Grasp, ...]]] = field(default_factory=dict)
    parts: tuple[ObjectPart, ...] = ()
    yaw_symmetry: int = 1  # how many equal turns about z leave the object as it is; 0: every turn does


ObjectBuilder = Callable[..., ObjectModel]
FAMILIES: FunctionRegistry[ObjectBuilder] = FunctionRegistry("object family", "objects", "sim.objects")


def register_family(builder: ObjectBuilder) -> ObjectBuilder:
    """Register a family under its function's name."""
    return FAMILIES.register(builder)


def build_object(spec: ObjectSpec) -> ObjectModel:
    """Object model of a spec, built once; `SpecError` where the family or one of its parameters is unknown."""
    builder = FAMILIES.find(spec.family)
    try:
        return _build_cached(builder, tuple(sorted(spec.params.items())))
    except TypeError as error:
        raise SpecError(f"object family {spec.family!r}: {error}") from error


@functools.lru_cache(maxsize=1024)
def _build_cached(builder: ObjectBuilder, params: tuple[tuple[str, Value], ...]) -> ObjectModel:
    return builder(**dict(params))


def frame_at_height(z: float) -> tuple[str, Array]:
    """Frame of the base body, upright, at height z above its base centre."""
    return "", make_pose((0, 0, z))
