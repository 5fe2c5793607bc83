"""Speeds of the simulator: physics steps, environment steps and images a second."""

from __future__ import annotations

import time

import numpy as np

from sim.camera import ImageSize
from sim.embodiment.model import Embodiment
from sim.envs.env import Env
from sim.expert.policy import ExpertPolicy
from sim.task.spec import Task
from sim.types import CONTROL_HZ, PHYSICS_HZ

SUBSTEPS = PHYSICS_HZ // CONTROL_HZ


def measure_physics(task: Task, robot: Embodiment, seconds: float, variation: str = "clean") -> float:
    """Return physics steps a second of one thread playing the expert's motion, control and contacts included."""
    env = Env(task, robot, cameras=(), stop_at_success=False, variation=variation)
    env.reset([0])
    start = env.world.save()
    expert = ExpertPolicy(env)
    actions = []
    while not (expert.finished | env.done).all():
        actions.append(expert.act().actions[:, 0].astype(float))
        env.step(actions[-1][:, None])
    active, spent, steps = np.ones(1, bool), 0.0, 0
    while spent < seconds:
        env.world.restore(start)
        begun = time.perf_counter()
        for action in actions:
            env.world.step(action, active)
        spent += time.perf_counter() - begun
        steps += SUBSTEPS * len(actions)
    return steps / spent


def measure_rendering(
    task: Task,
    robot: Embodiment,
    size: ImageSize,
    seconds: float,
    cameras: tuple[str, ...] = ("head",),
    variation: str = "clean",
) -> float:
    """Return images a second of one world, read back to memory."""
    env = Env(task, robot, cameras=cameras, size=size, variation=variation)
    env.reset([0])
    env.world.render(cameras, size)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        env.world.render(cameras, size)
        count += len(cameras)
    return count / spent
