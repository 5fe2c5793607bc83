"""What a seed decides: which variants, where they stand, which arm plays which role, what is said."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from sim.embodiment import Embodiment
from sim.geometry import Array, about, pose, rotate
from sim.scene.forms import Form, form_of
from sim.spec import Object, Shape, Spawn, SpecError, Task
from sim.types import UserError

TRIES = 2000


@dataclass(frozen=True)
class Layout:
    """One draw: `shape`, `form` and `pose` (7,) of every object by name, `arms` (role -> arm name), `instruction`."""

    shapes: dict[str, Shape]
    forms: dict[str, Form]
    poses: dict[str, Array]
    arms: dict[str, str]
    instruction: str


def generator(task: Task, seed: int, stream: int) -> np.random.Generator:
    """Return the random numbers of one seed of one task; streams are independent of each other."""
    return np.random.default_rng((zlib.crc32(task.name.encode()), seed, stream))


def draw(task: Task, robot: Embodiment, seed: int) -> Layout:
    """Return the layout of `seed`; `SpecError` where the spawn rules leave no place."""
    rng = generator(task, seed, 0)
    shapes = {thing.name: thing.variants[rng.integers(len(thing.variants))] for thing in task.objects}
    poses = _place(task, rng)
    arms = {arm.role: _arm(arm.rule, robot, poses) for arm in task.arms}
    speech = generator(task, seed, 1)
    template = task.instructions[speech.integers(len(task.instructions))]
    words = {role: f"the {name} arm" if len(robot.arms) > 1 else "the arm" for role, name in arms.items()}
    try:
        instruction = template.format(**words)
    except KeyError as error:
        valid = ", ".join(words)
        raise SpecError(f"task {task.name!r}: unknown slot {error} in {template!r}; valid: {valid}") from error
    forms = {name: form_of(shape) for name, shape in shapes.items()}
    return Layout(shapes, forms, poses, arms, instruction)


def check(task: Task, robot: Embodiment) -> None:
    """Raise `UserError` where the robot has too few arms for the task."""
    if task.arms_needed > len(robot.arms):
        raise UserError(f"task {task.name!r} needs {task.arms_needed} arms; robot {robot.name!r} has {len(robot.arms)}")


def _place(task: Task, rng: np.random.Generator) -> dict[str, Array]:
    """Draw all objects together and start again whole when one has no place: order then biases nothing."""
    for _ in range(TRIES):
        poses: dict[str, Array] = {}
        for thing in task.objects:
            spot = _spot(thing, poses, rng)
            if spot is None:
                break
            poses[thing.name] = spot
        else:
            return poses
    raise SpecError(f"task {task.name!r}: no layout in {TRIES} draws; its spawn regions leave no room")


def _spot(thing: Object, placed: dict[str, Array], rng: np.random.Generator) -> Array | None:
    spawn: Spawn = thing.spawn
    x, y, yaw = (rng.uniform(*span) for span in (spawn.x, spawn.y, spawn.yaw))
    if spawn.mirror == "coin":
        x = x if rng.integers(2) else -x
    elif spawn.mirror:
        x = x * np.sign(placed[spawn.mirror][0])
    if abs(x) < spawn.min_abs_x:
        return None
    if any(np.hypot(x - placed[other][0], y - placed[other][1]) < gap for other, gap in spawn.apart):
        return None
    return pose((x, y, spawn.z), about((0, 0, 1), yaw))


def _arm(rule: str, robot: Embodiment, poses: dict[str, Array]) -> str:
    if len(robot.arms) == 1:
        return robot.arms[0].name
    kind, _, name = rule.partition(":")
    if kind in ("left", "right"):
        return kind
    if kind == "side":
        return "left" if poses[name][0] < 0 else "right"
    if kind == "facing":
        return "left" if rotate(poses[name][3:], (0, -1, 0))[0] < 0 else "right"
    raise SpecError(f"unknown arm rule {rule!r}; valid: left, right, side:OBJECT, facing:OBJECT")
