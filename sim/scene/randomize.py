"""How a scene looks besides its task: textures, light, the table's height, a nudged camera, things that lie about.

"clean" is one plain look. "random" draws one from the training textures, "random-eval" from those kept for
evaluation; who draws the instruction reads the name too: "random-eval" speaks in unseen words.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from typing import Literal

import numpy as np

from sim import catalogue
from sim.embodiment.model import Embodiment, Vector
from sim.geometry import Array, make_pose, quat_from_axis_angle
from sim.objects import ObjectModel, build_object
from sim.objects.bounds import compute_footprint
from sim.objects.palette import PALETTE
from sim.registry import resolve_name
from sim.scene import textures
from sim.task.spec import ObjectSpec, Skill, TablePlacement, Task

Variation = Literal["clean", "random", "random-eval"]
VARIATIONS: tuple[Variation, ...] = ("clean", "random", "random-eval")
TEXTURE_POOLS = {"random": "train", "random-eval": "eval"}  # which pool a variation draws from

PLAIN_PROBABILITY = 0.02  # how often the wall, the table or the whole clutter is left plain
MAX_TABLE_LOWERING_M = 0.03  # metres that the table may be lowered
MAX_CAMERA_SHIFT_M, MAX_CAMERA_ROTATION_RAD = 0.02, 0.02  # metres and radians that the head camera may be off
MAX_SUN_TILT_RAD = 0.7  # radians from straight down

MAX_DISTRACTORS, MAX_PLACEMENT_FAILURES = 10, 50  # clutter: how many things, how many misses before giving up
DISTRACTOR_AREA_HALF_M = (0.59, 0.34)  # half lengths of the table that a thing keeps within
MIN_DISTRACTOR_GAP_M = 0.005  # between two things
TASK_CLEARANCE_M = 0.10  # around what the task moves
MAX_FRONT_HEIGHT_M = 0.05  # a thing higher than this stands at the back only, and further from the task
MIN_TALL_Y_M, TALL_CLEARANCE_M = 0.05, 0.12
REACH_CORRIDOR_HALF_WIDTH_M = 0.06  # half width of the way from an object to the shoulder of the arm on its side
MIN_DISTRACTOR_Y_M = -0.28  # the strip along the robots' bases stays free
WORK_AREA_M = ((-0.12, 0.12), (-0.25, 0.0))  # and so does the middle, where things are brought to
DISTRACTOR_RADIUS_RANGE_M, MIN_DISTRACTOR_HEIGHT_M = (
    (0.015, 0.09),
    0.005,
)  # of things that lie about; what is flatter than this has no body


@dataclass(frozen=True)
class Distractor:
    """An object that no task speaks of; `pose` (7,) of its base in the world. A fixed one is part of the table."""

    spec: ObjectSpec
    model: ObjectModel
    colour: Vector
    pose: Array
    fixed: bool = True


@dataclass(frozen=True)
class VisualParams:
    """What one draw of a variation decided; colours are RGB, 0 to 1. The defaults are the clean look."""

    wall: str = ""  # and floor; names of `sim.scene.textures`, "" is plain
    table: str = ""
    sun_direction: Vector = (-0.15, 0.35, -1.0)  # the way that parallel light falls
    sun_colour: Vector = (0.42, 0.41, 0.40)
    lamp_colours: tuple[Vector, ...] = ()  # light of the lamps to the left and right of the table
    ambient_colour: Vector = (0.0, 0.0, 0.0)  # what falls on everything, besides the headlight's
    headlight: tuple[float, float] = (0.45, 0.30)  # ambient and diffuse light that comes with the camera
    table_lowering: float = 0.0  # metres by which the table is lowered
    head_camera_shift: Vector = (0.0, 0.0, 0.0)  # metres (world) by which the head camera is off
    head_camera_rotation: Vector = (0.0, 0.0, 0.0)  # rotation vector (world, radians) by which it is off
    distractors: tuple[Distractor, ...] = ()


CLEAN_VISUALS = VisualParams()


def sample_visuals(variation: str, rng: np.random.Generator) -> VisualParams:
    """Return a look, without clutter; "clean" draws nothing. `UserError` where there is no such variation."""
    if resolve_name("variation", variation, VARIATIONS) == "clean":
        return CLEAN_VISUALS
    pool = textures.list_pool(TEXTURE_POOLS[variation])
    wall, table = (_sample_texture(pool, rng) for _ in range(2))
    azimuth, tilt = rng.uniform(-pi, pi), rng.uniform(0.0, MAX_SUN_TILT_RAD)
    grey = float(rng.uniform(0.05, 0.20))
    return VisualParams(
        wall=wall,
        table=table,
        sun_direction=(sin(tilt) * cos(azimuth), sin(tilt) * sin(azimuth), -cos(tilt)),
        sun_colour=_sample_light_colour(rng, 0.55),
        lamp_colours=(_sample_light_colour(rng, 0.45), _sample_light_colour(rng, 0.45)),
        ambient_colour=(grey, grey, grey),
        headlight=(0.30, 0.14),
        table_lowering=float(rng.uniform(0.0, MAX_TABLE_LOWERING_M)),
        head_camera_shift=_sample_offset(rng, MAX_CAMERA_SHIFT_M),
        head_camera_rotation=_sample_offset(rng, MAX_CAMERA_ROTATION_RAD),
    )


def sample_distractors(
    task: Task,
    robot: Embodiment,
    table: TablePlacement,
    models: Mapping[str, ObjectModel],
    poses: Mapping[str, Array],
    rng: np.random.Generator,
) -> tuple[Distractor, ...]:
    """Return up to MAX_DISTRACTORS things on the table, clear of the task's objects and the ways to and between them.

    `models` and `poses` are those of the task's objects that are present. A thing is small, has no moving parts and is
    never of a category or a family that the task knows in any of its variants.
    """
    instances_by_category = catalogue.load_builtin_catalogue()
    task_categories = {
        label for task_object in task.objects for spec in task_object.variants for label in (spec.category, spec.family)
    }
    candidates = [
        name
        for name in sorted(instances_by_category)
        if not task_categories & {name, instances_by_category[name][0].family}
    ]
    if rng.random() < PLAIN_PROBABILITY or not candidates:
        return ()
    keep_out = _build_keep_out_zones(task, robot, table, models, poses)
    placed: list[Distractor] = []
    circles: list[tuple[float, float, float]] = []
    failures = 0
    while candidates and len(placed) < MAX_DISTRACTORS and failures < MAX_PLACEMENT_FAILURES:
        name = candidates[rng.integers(len(candidates))]
        spec, model, radius, height = _load_distractor_model(name, int(rng.integers(len(instances_by_category[name]))))
        if (
            model.parts
            or height < MIN_DISTRACTOR_HEIGHT_M
            or not DISTRACTOR_RADIUS_RANGE_M[0] < radius < DISTRACTOR_RADIUS_RANGE_M[1]
        ):
            candidates.remove(name)
            continue
        position = _sample_position(table, radius, height, rng)
        if not _is_free(position, radius, height, keep_out, circles):
            failures += 1
            continue
        circles.append((*position, radius))
        orientation = quat_from_axis_angle((0, 0, 1), rng.uniform(-pi, pi))
        placed.append(Distractor(spec, model, PALETTE[spec.colour], make_pose((*position, table.top), orientation)))
    return tuple(placed)


@functools.cache
def _load_distractor_model(category: str, instance: int) -> tuple[ObjectSpec, ObjectModel, float, float]:
    """Return a shape of the catalogue with its form, radius and height: grasps, which no clutter needs, take long."""
    spec = catalogue.load_builtin_catalogue()[category][instance]
    model = build_object(spec)
    return spec, model, *compute_footprint(model)


def _sample_texture(pool: tuple[str, ...], rng: np.random.Generator) -> str:
    name = pool[rng.integers(len(pool))]
    return "" if rng.random() < PLAIN_PROBABILITY else name


def _sample_light_colour(rng: np.random.Generator, strength: float) -> Vector:
    r, g, b = (strength * rng.random(3)).tolist()
    return r, g, b


def _sample_offset(rng: np.random.Generator, max_length: float) -> Vector:
    """Return a vector of random direction, 0 to `max_length` long."""
    direction = rng.standard_normal(3)
    x, y, z = (direction / np.linalg.norm(direction) * rng.uniform(0.0, max_length)).tolist()
    return x, y, z


@dataclass(frozen=True)
class _KeepOutZones:
    """What stays free: circles (x y radius) of objects, and ways (x y x y half width) that hands take."""

    circles: tuple[tuple[float, float, float], ...]
    corridors: tuple[tuple[float, float, float, float, float], ...]


def _build_keep_out_zones(
    task: Task,
    robot: Embodiment,
    table: TablePlacement,
    models: Mapping[str, ObjectModel],
    poses: Mapping[str, Array],
) -> _KeepOutZones:
    on_table = {
        name: object_pose for name, object_pose in poses.items() if object_pose[2] > table.top - MAX_FRONT_HEIGHT_M
    }
    circles = tuple(
        (float(object_pose[0]), float(object_pose[1]), compute_footprint(models[name], object_pose[3:])[0])
        for name, object_pose in on_table.items()
    )
    goals = tuple(_find_plan_positions(task.plan))
    object_positions = [(x, y) for x, y, _ in circles]
    corridors = [
        (*a, *b, TASK_CLEARANCE_M) for i, a in enumerate(object_positions) for b in (*object_positions[i + 1 :], *goals)
    ]
    corridors += [
        (x, y, *robot.select_arm("right" if x > 0 else "left").shoulder_pos[:2], REACH_CORRIDOR_HALF_WIDTH_M)
        for x, y in object_positions
    ]
    return _KeepOutZones(circles, tuple(corridors))


def _find_plan_positions(plan: tuple[Skill, ...]) -> Iterator[tuple[float, float]]:
    """Yield x and y of whatever a plan says in three numbers, on both sides: a place in the world, most likely."""
    for skill in plan:
        for value in skill.args.values():
            if isinstance(value, tuple) and len(value) == 3 and all(isinstance(v, int | float) for v in value):
                x, y = (float(v) for v in value[:2] if isinstance(v, int | float))
                yield from ((x, y), (-x, y))
        yield from _find_plan_positions(skill.alongside)


def _sample_position(
    table: TablePlacement, radius: float, height: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return a place (world x, y) on the part of the table where a thing of this size may stand."""
    min_y = MIN_TALL_Y_M if height > MAX_FRONT_HEIGHT_M else MIN_DISTRACTOR_Y_M
    max_x_offset, max_y = DISTRACTOR_AREA_HALF_M[0] - radius, DISTRACTOR_AREA_HALF_M[1] - radius
    return table.x + float(rng.uniform(-max_x_offset, max_x_offset)), float(rng.uniform(min_y + radius, max_y))


def _is_free(
    position: tuple[float, float],
    radius: float,
    height: float,
    keep_out: _KeepOutZones,
    placed_circles: list[tuple[float, float, float]],
) -> bool:
    x, y = position
    clearance = TALL_CLEARANCE_M if height > MAX_FRONT_HEIGHT_M else TASK_CLEARANCE_M
    (left, right), (near, far) = WORK_AREA_M
    if hypot(x - min(max(x, left), right), y - min(max(y, near), far)) < radius:
        return False
    if any(hypot(x - ox, y - oy) < radius + other_radius + clearance for ox, oy, other_radius in keep_out.circles):
        return False
    if any(_distance_to_segment(x, y, corridor[:4]) < radius + corridor[4] for corridor in keep_out.corridors):
        return False
    return all(
        hypot(x - ox, y - oy) >= radius + other_radius + MIN_DISTRACTOR_GAP_M for ox, oy, other_radius in placed_circles
    )


def _distance_to_segment(x: float, y: float, segment: tuple[float, float, float, float]) -> float:
    """Return the distance of a point to a segment (x y x y)."""
    ax, ay, bx, by = segment
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    t = min(max(((x - ax) * dx + (y - ay) * dy) / length, 0.0), 1.0) if length else 0.0
    return hypot(x - ax - t * dx, y - ay - t * dy)
