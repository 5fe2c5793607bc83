"""What a seed decides: which variants, where they stand, which arm plays which role, how it looks, what is said."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass

import numpy as np

from sim.embodiment.model import Embodiment, Vector
from sim.geometry import Array, about, compose, multiply, pose, rotate
from sim.objects import Form, form_of
from sim.objects.bounds import lowest
from sim.objects.palette import PALETTE
from sim.scene import instructions as speech
from sim.scene import randomize as variation
from sim.scene.randomize import Look
from sim.task.spec import Object, Order, Shape, Spawn, SpecError, Table, Task
from sim.types import UserError

TRIES = 2000
SCENE, SPEECH, LOOK, CLUTTER, PUSH = range(5)  # independent streams of random numbers


@dataclass(frozen=True)
class Layout:
    """One draw. What is keyed by object names holds the objects that are present, poses (7,) in the world.

    `arms` says which arm plays a role, `sides` on which side of the table ("left", "right") the role acts.
    """

    shapes: dict[str, Shape]
    forms: dict[str, Form]
    colours: dict[str, Vector]
    poses: dict[str, Array]
    arms: dict[str, str]
    sides: dict[str, str]
    table: Table
    look: Look
    instruction: str


def generator(task: Task, seed: int, stream: int, attempt: int = 0) -> np.random.Generator:
    """Return the random numbers of one seed of one task; streams and attempts are independent of each other."""
    return np.random.default_rng((zlib.crc32(task.name.encode()), seed, stream, attempt))


def draw(task: Task, robot: Embodiment, seed: int, kind: str = "clean", attempt: int = 0) -> Layout:
    """Return the layout of `seed` in a variation; `SpecError` where the spawn rules leave no place.

    The objects of the task stand alike in every variation; later attempts are for draws that do not stand still.
    """
    rng = generator(task, seed, SCENE, attempt)
    shapes = _shapes(task, rng)
    forms = {name: form_of(shape) for name, shape in shapes.items()}
    named = {thing.name: _colour(thing, shapes[thing.name], rng) for thing in task.objects}
    look = variation.look(kind, generator(task, seed, LOOK))
    table = dataclasses.replace(task.table, top=task.table.top - look.lower)
    poses = _place(task, table, forms, rng)
    forms = {name: forms[name] for name in poses}
    sides = _sides(task, poses)
    arms = {role: _arm(robot, side) for role, side in sides.items()}
    if kind != "clean":
        spots = generator(task, seed, CLUTTER, attempt)
        look = dataclasses.replace(look, clutter=variation.clutter(task, table, forms, poses, spots))
    names = {name: speech.Named(shapes[name], named[name], bool(task.object(name).colours)) for name in poses}
    words = {role: f"the {name} arm" if len(robot.arms) > 1 else "the arm" for role, name in arms.items()}
    instruction = speech.instruction(task, names, words, kind, generator(task, seed, SPEECH))
    colours = {name: PALETTE[named[name]] for name in poses}
    return Layout({n: shapes[n] for n in poses}, forms, colours, poses, arms, sides, table, look, instruction)


def check(task: Task, robot: Embodiment) -> None:
    """Raise `UserError` where the robot has too few arms for the task."""
    if task.arms_needed > len(robot.arms):
        raise UserError(f"task {task.name!r} needs {task.arms_needed} arms; robot {robot.name!r} has {len(robot.arms)}")


def _shapes(task: Task, rng: np.random.Generator) -> dict[str, Shape]:
    """Draw a variant an object."""
    numbers: dict[str, int] = {}
    shapes: dict[str, Shape] = {}
    for thing in task.objects:
        taken = shapes[thing.unlike] if thing.unlike else None
        one_kind = len({shape.kind for shape in thing.variants}) == 1
        allowed = [
            i
            for i, shape in enumerate(thing.variants)
            if not taken or (shape != taken if one_kind else shape.kind != taken.kind)
        ]
        if not allowed:
            raise SpecError(f"task {task.name!r}: every variant of {thing.name!r} is like {thing.unlike!r}")
        numbers[thing.name] = numbers[thing.like] if thing.like else allowed[rng.integers(len(allowed))]
        shapes[thing.name] = thing.variants[numbers[thing.name]]
    return shapes


def _colour(thing: Object, shape: Shape, rng: np.random.Generator) -> str:
    return thing.colours[rng.integers(len(thing.colours))] if thing.colours else shape.colour


def _place(task: Task, table: Table, forms: dict[str, Form], rng: np.random.Generator) -> dict[str, Array]:
    """Draw all objects together and start again whole when one has no place: order then biases nothing."""
    for _ in range(TRIES):
        poses: dict[str, Array] = {}
        for thing in task.objects:
            spot, crowded = _spot(thing, table, forms[thing.name], poses, rng)
            if spot is not None and not crowded:
                poses[thing.name] = spot
            elif not (crowded and thing.spawn.optional):
                break
        else:
            for order in task.order:
                poses |= _in_order(order, poses)
            return poses
    raise SpecError(f"task {task.name!r}: no layout in {TRIES} draws; its spawn regions leave no room")


def _spot(
    thing: Object, table: Table, form: Form, placed: dict[str, Array], rng: np.random.Generator
) -> tuple[Array | None, bool]:
    """Return a pose, None where a rule of its own is broken; and whether it is too near to another object."""
    spawn: Spawn = thing.spawn
    span = spawn.x
    if spawn.when_right and placed[spawn.when_right[0]][0] > 0:
        span = spawn.when_right[1]
    x, y, yaw = (rng.uniform(*one) for one in (span, spawn.y, spawn.yaw))
    sign = _mirrored(spawn.mirror, placed, rng)
    x *= sign
    # a mirror turns a rotation about any axis in its plane round, and leaves one about its normal
    turn = multiply(about((0, 0, 1), yaw), _tilted((spawn.tilt[0], sign * spawn.tilt[1], sign * spawn.tilt[2])))
    if spawn.within:
        inside = pose((x, y, spawn.z - lowest(form, turn)), turn)
        return compose(placed[spawn.within], inside), False
    if abs(x) < spawn.min_abs_x or (abs(x) < spawn.behind and y >= 0):
        return None, False
    if any(np.hypot(x - cx, y - cy) < gap for cx, cy, gap in spawn.clear):
        return None, False
    if any(abs(y - placed[other][1]) < gap for other, gap in spawn.apart_y if other in placed):
        return None, False
    height = (0.0 if spawn.floor else table.top) + spawn.z - lowest(form, turn)
    crowded = any(
        np.hypot(x - placed[other][0], y - placed[other][1]) < gap for other, gap in spawn.apart if other in placed
    )
    return pose((x, y, height), turn), crowded


def _mirrored(rule: str, placed: dict[str, Array], rng: np.random.Generator) -> float:
    """Return 1, or -1 where x changes sign."""
    if not rule:
        return 1.0
    if rule == "coin":
        return 1.0 if rng.integers(2) else -1.0
    side = float(np.sign(placed[rule.removeprefix("-")][0]))
    return -side if rule.startswith("-") else side


def _tilted(tilt: Vector) -> Array:
    angle = float(np.linalg.norm(tilt))
    return about(np.array(tilt) / angle, np.array(angle)) if angle else np.array([1.0, 0.0, 0.0, 0.0])


def _in_order(order: Order, poses: dict[str, Array]) -> dict[str, Array]:
    present = [name for name in order.names if name in poses]
    spots = [poses[name] for name in present]
    if order.by == "side":
        spots.sort(key=lambda p: (p[0] >= 0, p[1]))
    elif order.by == "y":
        spots.sort(key=lambda p: p[1])
    else:
        raise SpecError(f"unknown order {order.by!r}; valid: side, y")
    return dict(zip(present, spots, strict=True))


def _sides(task: Task, poses: dict[str, Array]) -> dict[str, str]:
    sides: dict[str, str] = {}
    for arm in task.arms:
        kind, _, name = arm.rule.partition(":")
        if kind in ("left", "right"):
            sides[arm.role] = kind
        elif kind == "side":
            sides[arm.role] = "left" if name in poses and poses[name][0] < 0 else "right"
        elif kind == "facing":
            sides[arm.role] = "left" if rotate(poses[name][3:], (0, -1, 0))[0] < 0 else "right"
        elif kind == "other":
            sides[arm.role] = "right" if sides[name] == "left" else "left"
        else:
            valid = "left, right, side:OBJECT, facing:OBJECT, other:ROLE"
            raise SpecError(f"unknown arm rule {arm.rule!r}; valid: {valid}")
    return sides


def _arm(robot: Embodiment, side: str) -> str:
    return robot.arms[0].name if len(robot.arms) == 1 else side


