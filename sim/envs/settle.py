"""Settling: bring sampled scenes to rest in an engine, and draw those again that were not stable or are solved already.

A seed may have no usable scene at all. That is a value, `SceneFailure`, never an exception: whoever runs seeds in
thousands records it as a failed attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Embodiment
from sim.geometry import rotate
from sim.scene.sample import NoRoom, SceneSample, check_arm_count, sample_scene
from sim.task.condition import SuccessCondition
from sim.task.spec import Task
from sim.world import make_world
from sim.world.protocol import Floats, Mask, World, WorldSnapshot
from sim.world.scene_table import SceneTable
from sim.world.state import StateView

MAX_SETTLE_PERIODS = 12  # of `World.settle`, 0.1 s each
MAX_REST_DISPLACEMENT_M = 0.004  # what may still move within a period
MAX_REST_TILT_RAD = 0.02
MAX_SETTLE_TILT_RAD = 0.1  # what tilts by more while it settles was sampled in an unstable pose
MAX_SETTLE_DISPLACEMENT_M = 0.01  # what is displaced by more, in the plane, was sampled in interpenetration
MAX_REDRAWS = 20


@dataclass(frozen=True)
class SettledScene:
    """A scene at rest: its sample (which says the draw), the state to begin from and the bodies' poses in it (b 7)."""

    scene: SceneSample
    snapshot: WorldSnapshot
    initial_body_pose: Floats
    initial_joint: Floats  # (j,)
    compiled: Any = None  # what the engine made of the scene, to be loaded by another process


@dataclass(frozen=True)
class SceneFailure:
    """A seed without a usable scene, and why."""

    seed: int
    reason: str


def settle_scenes(
    world: World, seeds: Mapping[int, int], variation: str, keep_compiled: bool = False
) -> dict[int, SettledScene | SceneFailure]:
    """Load the scenes of `seeds` (world index to seed) and bring them to rest; the worlds then stand ready.

    The result of a seed depends on nothing but the seed. A world whose seed fails is left with its last draw.
    With `keep_compiled` the results hold what the engine made of the scenes, for another process to load.
    """
    if not seeds:
        return {}
    task, robot = world.task, world.robot
    condition = SuccessCondition(task)
    results: dict[int, SettledScene | SceneFailure] = {}
    pending = dict(seeds)
    reasons = {i: "" for i in seeds}
    for draw in range(MAX_REDRAWS):
        scenes: dict[int, SceneSample] = {}
        for i, seed in list(pending.items()):
            try:
                scenes[i] = sample_scene(task, robot, seed, variation, draw)
            except NoRoom as error:
                results[i] = SceneFailure(seed, str(error))
                del pending[i]
        if not scenes:
            break
        compiled = {i: world.compile_scene(scene) for i, scene in scenes.items()}
        world.load(scenes, compiled)
        table = SceneTable(task, robot, world.n)
        for i, scene in scenes.items():
            table.set_scene(i, scene)
        unstable = _settle(world, table, scenes)
        view = StateView(table, world.state(), world.contacts)
        table.initial_body_pose[:], table.initial_joint[:] = view.state.body_pose, view.state.joint
        solved = condition.evaluate(view).success
        for i, scene in scenes.items():
            reasons[i] = unstable[i] or ("it is solved before anyone acts" if solved[i] else "")
            if not reasons[i]:
                results[i] = SettledScene(
                    scene, world.save([i])[i], view.state.body_pose[i].copy(), view.state.joint[i].copy(),
                    compiled[i] if keep_compiled else None,
                )  # fmt: skip
                del pending[i]
        if not pending:
            break
    for i, seed in pending.items():
        results[i] = SceneFailure(seed, f"no stable scene in {MAX_REDRAWS} draws; in the last {reasons[i]}")
    return results


def check_scenes(task: Task, robot: Embodiment, seeds: Sequence[int]) -> str:
    """Settle the scenes of some seeds and say what is wrong with the task, "" where nothing is.

    A task is refused where no seed has a stable scene, or where success holds in them before anyone acts.
    """
    check_arm_count(task, robot)
    world = make_world("mujoco", task, robot, len(seeds), 1)
    try:
        results = settle_scenes(world, dict(enumerate(seeds)), "clean")
    finally:
        world.close()
    failures = [result.reason for result in results.values() if isinstance(result, SceneFailure)]
    return f"none of {len(seeds)} seeds has a usable scene: {failures[0]}" if len(failures) == len(seeds) else ""


def _settle(world: World, table: SceneTable, scenes: Mapping[int, SceneSample]) -> dict[int, str]:
    """Step until everything rests, and return for each world what is wrong with its scene, "" where nothing is."""
    free, upright = _free_bodies(table, scenes)
    sampled = before = world.state().body_pose
    active = np.zeros(world.n, bool)
    active[list(scenes)] = True
    moving = active.copy()
    for _ in range(MAX_SETTLE_PERIODS):
        world.settle(moving)
        now = world.state().body_pose
        moving &= ~_at_rest(before, now, free, upright)
        if not moving.any():
            break
        before = now
    final = world.state().body_pose
    failures = world.failures()
    reasons: dict[int, str] = {}
    for i in scenes:
        tilted = upright[i] & (_tilt(sampled[i], final[i]) >= MAX_SETTLE_TILT_RAD)
        displaced = upright[i] & (
            np.linalg.norm(final[i, :, :2] - sampled[i, :, :2], axis=-1) >= MAX_SETTLE_DISPLACEMENT_M
        )
        bodies = np.array(table.names.bodies)
        if i in failures:
            reasons[i] = failures[i]
        elif moving[i]:
            reasons[i] = "something does not come to rest"
        elif tilted.any():
            reasons[i] = f"{', '.join(bodies[tilted])} tips over"
        elif displaced.any():
            reasons[i] = f"{', '.join(bodies[displaced])} is pushed aside"
        else:
            reasons[i] = ""
    return reasons


def _free_bodies(table: SceneTable, scenes: Mapping[int, SceneSample]) -> tuple[Mask, Mask]:
    """Return which bodies (n b) belong to objects, and which of these are free and not round, which roll anyway."""
    objects = np.zeros((table.n, len(table.names.bodies)), bool)
    upright = objects.copy()
    for i, scene in scenes.items():
        types = table.body_types(i)
        for name, kind in types.items():
            column = table.body_index(name)
            objects[i, column] = True
            upright[i, column] = kind == "free" and any(geom.type != "sphere" for geom in scene.models[name].geoms)
    return objects, upright


def _at_rest(before: Floats, now: Floats, objects: Mask, upright: Mask) -> Mask:
    """Return in which worlds (n,) no object has moved and none that stands has tilted."""
    moved = np.linalg.norm(now[..., :3] - before[..., :3], axis=-1) >= MAX_REST_DISPLACEMENT_M
    tilted = _tilt(before, now) >= MAX_REST_TILT_RAD
    return ~((objects & moved) | (upright & tilted)).any(axis=1)


def _tilt(before: NDArray[np.float64], now: NDArray[np.float64]) -> Floats:
    """Return by how much (...) the upward axes of poses (... 7) have turned, radians."""
    cosine = (rotate(before[..., 3:], (0, 0, 1)) * rotate(now[..., 3:], (0, 0, 1))).sum(axis=-1)
    return np.arccos(np.clip(cosine, -1.0, 1.0))
