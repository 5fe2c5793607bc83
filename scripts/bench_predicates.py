"""Microseconds that success predicates take a world and control step: every task of the suite, 64 worlds of aloha."""

from __future__ import annotations

import time

import numpy as np

from sim import robots, tasks
from sim.envs.env import Env

WORLDS, STEPS = 64, 30
ACTION_SPREAD_RAD = 0.05  # of random joint targets about home


def measure(task: str) -> float:
    """Return the median time (microseconds a world) of evaluating a task's predicates, reading state and contacts."""
    robot = robots.load_robot("aloha")
    env = Env(tasks.load_task(task), robot, WORLDS, cameras=(), stop_at_success=False, max_steps=10**9)
    env.reset(range(WORLDS))
    home, rng = np.array(robot.home_action), np.random.default_rng(0)
    targets = home + rng.normal(0.0, ACTION_SPREAD_RAD, (WORLDS, len(home)))
    times = []
    for _ in range(STEPS):
        env.world.step(targets, np.ones(WORLDS, bool))
        start = time.perf_counter()
        env._condition.evaluate(env.view)
        times.append(time.perf_counter() - start)
    env.close()
    return float(np.median(times)) / WORLDS * 1e6


def main() -> None:
    """Print the tasks from the slowest to the fastest, and the median."""
    found = {name: measure(name) for name in tasks.list_suite_tasks("robotwin50")}
    for name in sorted(found, key=found.__getitem__, reverse=True):
        print(f"{name:28} {found[name]:6.1f} us")
    print(f"{'median':28} {np.median(list(found.values())):6.1f} us")


if __name__ == "__main__":
    main()
