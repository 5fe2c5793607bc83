"""Control steps a second of one library's worlds: `ours TASK ROBOT THREADS` or `envpool ENV THREADS`.

A line is printed for every round that is asked for on standard input, so that a caller can let several processes take
turns on a machine whose speed drifts (`scripts/compare_envpool.sh`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

WORLDS, SECONDS = 16, 1.5
ACTION_SPREAD_RAD = 0.05  # of random joint targets about home


def make_ours(task: str, robot: str, threads: int) -> Callable[[], None]:
    """Return one control step of our worlds, success predicates included, with random targets about home."""
    from sim import robots, tasks
    from sim.envs.env import Env

    env = Env(
        tasks.load_task(task), robots.load_robot(robot), WORLDS, cameras=(), threads=threads, stop_at_success=False,
        max_steps=10**9,
    )  # fmt: skip
    env.reset(range(WORLDS))
    rng = np.random.default_rng(0)
    home = np.array(env.robot.home_action)
    actions = home + rng.normal(0.0, ACTION_SPREAD_RAD, (64, WORLDS, 1, len(home)))
    count = iter(range(10**12))
    return lambda: env.step(actions[next(count) % 64]) and None


def make_envpool(name: str, threads: int) -> Callable[[], None]:
    """Return one control step of EnvPool's worlds, with random actions."""
    import envpool  # pyright: ignore[reportMissingImports]

    env = envpool.make_gymnasium(name, num_envs=WORLDS, num_threads=threads, batch_size=WORLDS)
    env.reset()
    low, high = env.action_space.low, env.action_space.high
    actions = np.random.default_rng(0).uniform(low, high, (64, WORLDS, *low.shape))
    count = iter(range(10**12))
    return lambda: env.step(actions[next(count) % 64]) and None


def measure_rate(step: Callable[[], None]) -> float:
    """Return control steps a second, over all worlds."""
    start, steps = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < SECONDS:
        step()
        steps += WORLDS
    return steps / spent


def main(words: list[str]) -> None:
    """Measure one round for every line of standard input."""
    kind, *rest, threads = words
    step = (make_ours if kind == "ours" else make_envpool)(*rest, int(threads))  # pyright: ignore[reportCallIssue]
    measure_rate(step)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(round(measure_rate(step)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
