"""Control steps a second of an auto-resetting vector, and the share of its time that resets take.

`python scripts/bench_vector.py` compares scenes made in place with scenes prepared ahead by one worker process.
"""

from __future__ import annotations

import argparse
import pickle
import time

import numpy as np

from sim.envs.env import Env
from sim.envs.gym import TaskVectorEnv
from sim.envs.settle import settle_scenes


class TimedResets:
    """Adds up the time that an environment spends between asking for scenes and having reset to them."""

    def __init__(self, envs: TaskVectorEnv) -> None:
        self.seconds, self.worlds = 0.0, 0
        self._begin = envs._begin
        envs._begin = self.begin

    def begin(self, mask: np.ndarray) -> None:
        """Reset as the vector does."""
        begun = time.perf_counter()
        self._begin(mask)
        self.seconds += time.perf_counter() - begun
        self.worlds += int(mask.sum())


def measure(options: argparse.Namespace, workers: int) -> None:
    """Print the figures of one vector."""
    envs = TaskVectorEnv(
        options.worlds, options.task, options.robot, cameras=(), variation=options.variation, threads=options.threads,
        max_episode_steps=options.episode, scene_workers=workers,
    )  # fmt: skip
    envs.reset(seed=0)
    envs.action_space.seed(0)
    resets = TimedResets(envs)
    actions = [envs.action_space.sample() for _ in range(64)]
    # episodes of one length would all end together: shorter first ones spread the resets, as in training
    for i in range(options.worlds):
        envs.env.steps[i] = i * options.episode // options.worlds
    begun = time.perf_counter()
    for step in range(options.steps):
        envs.step(actions[step % len(actions)])
    seconds = time.perf_counter() - begun
    envs.close()
    print(
        f"{workers} scene workers: {options.worlds * options.steps / seconds:7.0f} control steps/s, "
        f"{resets.seconds / seconds:5.1%} of {seconds:.1f} s in {resets.worlds} resets "
        f"({1e3 * resets.seconds / max(resets.worlds, 1):.1f} ms each)",
        flush=True,
    )


def print_payload(options: argparse.Namespace) -> None:
    """Print what is sent for a scene."""
    from sim.envs.gym import load_values

    env = Env(*load_values(options.task, options.robot), cameras=(), variation=options.variation)
    sizes = [len(pickle.dumps(settle_scenes(env.world, {0: k}, options.variation, True)[0])) for k in range(8)]
    env.close()
    print(f"a prepared scene is {np.mean(sizes) / 1e3:.0f} kB")


def main() -> None:
    """Measure with and without workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="click_bell")
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--variation", default="clean")
    parser.add_argument("--worlds", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--episode", type=int, default=200)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    print_payload(options)
    for workers in options.workers:
        measure(options, workers)


if __name__ == "__main__":
    main()
