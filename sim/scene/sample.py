"""What a seed decides: which variants, where they stand, which arm plays which role, how it looks, what is said."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass

import numpy as np

from sim.embodiment.model import Embodiment, Side, Vector
from sim.geometry import Array, compose, make_pose, multiply, quat_from_axis_angle, rotate
from sim.objects import ObjectModel, build_object
from sim.objects.bounds import compute_lowest_height
from sim.objects.palette import PALETTE
from sim.scene import instructions, randomize
from sim.scene.randomize import VisualParams
from sim.task.spec import ObjectOrder, ObjectSpec, Spawn, SpecError, TablePlacement, Task, TaskObject
from sim.types import UserError

MAX_SAMPLING_ATTEMPTS = 2000
# independent streams of random numbers
SCENE_STREAM, INSTRUCTION_STREAM, VISUALS_STREAM, DISTRACTOR_STREAM, PERTURBATION_STREAM, TAKEOVER_STREAM = range(6)


class NoRoom(SpecError):
    """The spawn rules of a task leave no place for its objects."""


@dataclass(frozen=True)
class SceneSample:
    """Scene sample: all that one draw of a seed decides. Poses (7,) are in the world frame.

    What is keyed by object names holds the objects that are present. `role_arms` says which arm plays a role,
    `role_sides` on which side of the table ("left", "right") the role acts.
    """

    seed: int
    variation: str
    attempt: int  # draws of the seed before this one that were not usable

    specs: dict[str, ObjectSpec]
    models: dict[str, ObjectModel]
    colours: dict[str, Vector]
    poses: dict[str, Array]
    role_arms: dict[str, str]
    role_sides: dict[str, Side]
    table: TablePlacement
    visuals: VisualParams
    instruction: str


def make_rng(task: Task, seed: int, stream: int, attempt: int = 0) -> np.random.Generator:
    """Random numbers of one seed of a task's scenes; streams and attempts are independent of each other."""
    return np.random.default_rng((zlib.crc32((task.scene_id or task.name).encode()), seed, stream, attempt))


def sample_scene(task: Task, robot: Embodiment, seed: int, variation: str = "clean", attempt: int = 0) -> SceneSample:
    """Sample the scene of a seed in a variation; `NoRoom` if the spawn rules leave no place.

    The objects of the task stand alike in every variation; later attempts are for draws that do not stand still.
    """
    rng = make_rng(task, seed, SCENE_STREAM, attempt)
    specs = _sample_variants(task, rng)
    models = {name: build_object(spec) for name, spec in specs.items()}
    colour_names = {
        task_object.name: _sample_colour(task_object, specs[task_object.name], rng) for task_object in task.objects
    }
    visuals = randomize.sample_visuals(variation, make_rng(task, seed, VISUALS_STREAM))
    table = dataclasses.replace(task.table, top=task.table.top - visuals.table_lowering)
    poses = _sample_poses(task, table, models, rng)
    models = {name: models[name] for name in poses}
    sides = _assign_sides(task, poses)
    # a scene without a robot, as of a task that is checked, has sides and no arms
    arms = {role: robot.select_arm(side).name for role, side in sides.items()} if robot.arms else {}
    if variation != "clean":
        distractor_rng = make_rng(task, seed, DISTRACTOR_STREAM, attempt)
        visuals = dataclasses.replace(
            visuals, distractors=randomize.sample_distractors(task, robot, table, models, poses, distractor_rng)
        )
    descriptions = {
        name: instructions.ObjectDescription(
            specs[name],
            colour_names[name],
            bool(task.find_object(name).colours),
            (float(pose[0]), float(pose[1])),
        )
        for name, pose in poses.items()
    }
    arm_phrases = {role: f"the {side} arm" if len(robot.arms) > 1 else "the arm" for role, side in sides.items()}
    instruction = instructions.sample_instruction(
        task, descriptions, arm_phrases, variation, make_rng(task, seed, INSTRUCTION_STREAM)
    )
    colours = {name: PALETTE[colour_names[name]] for name in poses}
    present = {name: specs[name] for name in poses}
    return SceneSample(
        seed, variation, attempt, present, models, colours, poses, arms, sides, table, visuals, instruction
    )


def check_arm_count(task: Task, robot: Embodiment) -> None:
    """Raise `UserError` where the robot has too few arms for the task."""
    if task.arms_needed > len(robot.arms):
        raise UserError(f"task {task.name!r} needs {task.arms_needed} arms; robot {robot.name!r} has {len(robot.arms)}")


def _sample_variants(task: Task, rng: np.random.Generator) -> dict[str, ObjectSpec]:
    """Draw a variant an object."""
    variant_indices: dict[str, int] = {}
    specs: dict[str, ObjectSpec] = {}
    for task_object in task.objects:
        excluded = specs[task_object.unlike] if task_object.unlike else None
        single_category = len({spec.category for spec in task_object.variants}) == 1
        allowed = [
            i
            for i, spec in enumerate(task_object.variants)
            if not excluded or (spec != excluded if single_category else spec.category != excluded.category)
        ]
        if not allowed:
            raise SpecError(f"task {task.name!r}: every variant of {task_object.name!r} is like {task_object.unlike!r}")
        variant_indices[task_object.name] = (
            variant_indices[task_object.like] if task_object.like else allowed[rng.integers(len(allowed))]
        )
        specs[task_object.name] = task_object.variants[variant_indices[task_object.name]]
    return specs


def _sample_colour(task_object: TaskObject, spec: ObjectSpec, rng: np.random.Generator) -> str:
    return task_object.colours[rng.integers(len(task_object.colours))] if task_object.colours else spec.colour


def _sample_poses(
    task: Task, table: TablePlacement, models: dict[str, ObjectModel], rng: np.random.Generator
) -> dict[str, Array]:
    """Draw all objects together and start again whole when one has no place: order then biases nothing."""
    for _ in range(MAX_SAMPLING_ATTEMPTS):
        poses: dict[str, Array] = {}
        for task_object in task.objects:
            object_pose, crowded = _sample_pose(task_object, table, models[task_object.name], poses, rng)
            if object_pose is not None and not crowded:
                poses[task_object.name] = object_pose
            elif not (crowded and task_object.spawn.optional):
                break
        else:
            for order in task.order:
                poses |= _sort_poses(order, poses)
            return poses
    raise NoRoom(f"task {task.name!r}: no layout in {MAX_SAMPLING_ATTEMPTS} draws; its spawn regions leave no room")


def _sample_pose(
    task_object: TaskObject,
    table: TablePlacement,
    model: ObjectModel,
    placed_poses: dict[str, Array],
    rng: np.random.Generator,
) -> tuple[Array | None, bool]:
    """Return a pose, None where a rule of its own is broken; and whether it is too near to another object."""
    spawn: Spawn = task_object.spawn
    x_range = spawn.x
    if spawn.when_right and placed_poses[spawn.when_right[0]][0] > 0:
        x_range = spawn.when_right[1]
    x, y, yaw = (rng.uniform(*bounds) for bounds in (x_range, spawn.y, spawn.yaw))
    sign = _sample_mirror_sign(spawn.mirror, placed_poses, rng)
    x *= sign
    # a mirror turns a rotation about any axis in its plane round, and leaves one about its normal
    orientation = multiply(
        quat_from_axis_angle((0, 0, 1), yaw),
        _tilt_to_quaternion((spawn.tilt[0], sign * spawn.tilt[1], sign * spawn.tilt[2])),
    )
    if spawn.within:
        relative_pose = make_pose((x, y, spawn.z - compute_lowest_height(model, orientation)), orientation)
        return compose(placed_poses[spawn.within], relative_pose), False
    if abs(x) < spawn.min_abs_x or (abs(x) < spawn.behind and y >= 0):
        return None, False
    if any(np.hypot(x - cx, y - cy) < min_distance for cx, cy, min_distance in spawn.clear):
        return None, False
    if any(
        abs(y - placed_poses[other][1]) < min_distance for other, min_distance in spawn.apart_y if other in placed_poses
    ):
        return None, False
    height = (0.0 if spawn.floor else table.top) + spawn.z - compute_lowest_height(model, orientation)
    crowded = any(
        np.hypot(x - placed_poses[other][0], y - placed_poses[other][1]) < min_distance
        for other, min_distance in spawn.apart
        if other in placed_poses
    )
    return make_pose((x, y, height), orientation), crowded


def _sample_mirror_sign(rule: str, placed_poses: dict[str, Array], rng: np.random.Generator) -> float:
    """Return 1, or -1 where x changes sign."""
    if not rule:
        return 1.0
    if rule == "coin":
        return 1.0 if rng.integers(2) else -1.0
    side = float(np.sign(placed_poses[rule.removeprefix("-")][0]))
    return -side if rule.startswith("-") else side


def _tilt_to_quaternion(tilt: Vector) -> Array:
    angle = float(np.linalg.norm(tilt))
    return quat_from_axis_angle(np.array(tilt) / angle, np.array(angle)) if angle else np.array([1.0, 0.0, 0.0, 0.0])


def _sort_poses(order: ObjectOrder, poses: dict[str, Array]) -> dict[str, Array]:
    present = [name for name in order.names if name in poses]
    sorted_poses = [poses[name] for name in present]
    if order.by == "side":
        sorted_poses.sort(key=lambda p: (p[0] >= 0, p[1]))
    elif order.by == "y":
        sorted_poses.sort(key=lambda p: p[1])
    else:
        raise SpecError(f"unknown order {order.by!r}; valid: side, y")
    return dict(zip(present, sorted_poses, strict=True))


def _assign_sides(task: Task, poses: dict[str, Array]) -> dict[str, Side]:
    sides: dict[str, Side] = {}
    for arm in task.arms:
        rule_kind, _, name = arm.rule.partition(":")
        if rule_kind == "left" or rule_kind == "right":
            sides[arm.role] = rule_kind
        elif rule_kind == "side":
            sides[arm.role] = "left" if name in poses and poses[name][0] < 0 else "right"
        elif rule_kind == "facing":
            sides[arm.role] = "left" if rotate(poses[name][3:], (0, -1, 0))[0] < 0 else "right"
        elif rule_kind == "other":
            sides[arm.role] = "right" if sides[name] == "left" else "left"
        else:
            valid = "left, right, side:OBJECT, facing:OBJECT, other:ROLE"
            raise SpecError(f"unknown arm rule {arm.rule!r}; valid: {valid}")
    return sides
