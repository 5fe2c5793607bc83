"""Two speeds: physics steps and pictures a second, one thread each."""

from __future__ import annotations

import time

from sim.embodiment.model import Embodiment
from sim.envs.env import Env
from sim.expert.policy import ExpertPolicy
from sim.task.spec import Task
from sim.world.mujoco import SUBSTEPS, Copy
from sim.world.render_gl import ImageSize


def physics(task: Task, robot: Embodiment, seconds: float, variation: str = "clean") -> float:
    """Return physics steps a second of one thread playing the expert's motion, control and contacts included."""
    env = Env(task, robot, stop_at_success=False, variation=variation)
    env.reset([0])
    expert = ExpertPolicy(env)
    actions = []
    while not (expert.finished | env.done).all():
        actions.append(expert.act().actions[0, 0].copy())
        env.advance(actions[-1][None, None])
    copy, spent, steps = Copy(task, robot, 0, variation), 0.0, 0
    first = copy.sim_state()
    while spent < seconds:
        copy.set_sim_state(first)
        start = time.perf_counter()
        for action in actions:
            copy.command(action)
            copy.step()
        spent += time.perf_counter() - start
        steps += SUBSTEPS * len(actions)
    return steps / spent


def render(
    task: Task,
    robot: Embodiment,
    size: ImageSize,
    seconds: float,
    cameras: tuple[str, ...] = ("head",),
    variation: str = "clean",
) -> float:
    """Return pictures a second of one copy, read back to memory."""
    copy = Copy(task, robot, 0, variation)
    copy.render(cameras, size)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        copy.render(cameras, size)
        count += len(cameras)
    return count / spent
