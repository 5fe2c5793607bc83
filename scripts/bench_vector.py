"""Control steps a second of an auto-resetting vector, and the share of its time that resets take.

`python scripts/bench_vector.py` compares scenes made in place with scenes prepared ahead by one worker process.
"""

from __future__ import annotations

import argparse
import pickle
import time
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sim.envs.env import Env
from sim.envs.gym import TaskVectorEnv, load_values
from sim.envs.settle import settle_scenes


class Stopwatch:
    """Adds up wall time and this process's own processor time over several laps; waiting is in the former alone."""

    def __init__(self) -> None:
        self.wall = self.processor = 0.0

    def __enter__(self) -> Self:
        self._begun = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter() - self._begun[0]
        self.processor += time.process_time() - self._begun[1]


class TimedVectorEnv(TaskVectorEnv):
    """A vector that measures its resets, from asking for scenes to having asked for the next ones."""

    def __init__(self, num_envs: int, task: str, **options: Any) -> None:  # noqa: ANN401 - those of TaskVectorEnv
        super().__init__(num_envs, task, **options)
        self.resets, self.reset_count = Stopwatch(), 0

    def begin_scenes(self, mask: NDArray[np.bool_]) -> None:
        """Reset as the vector does, and measure."""
        with self.resets:
            super().begin_scenes(mask)
        self.reset_count += int(mask.sum())


def measure(options: argparse.Namespace, workers: int) -> None:
    """Print the figures of one vector."""
    envs = TimedVectorEnv(
        options.worlds, options.task, robot=options.robot, cameras=(), variation=options.variation,
        threads=options.threads, max_episode_steps=options.episode, scene_workers=workers,
    )  # fmt: skip
    envs.reset(seed=0)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(64)]
    # episodes of one length would all end together: shorter first ones spread the resets, as in training
    for i in range(options.worlds):
        envs.env.steps[i] = i * options.episode // options.worlds
    # the first episode is not measured: the workers start, and scenes of episodes cut short are needed at once
    for step in range(options.episode):
        envs.step(actions[step % len(actions)])
    envs.resets, envs.reset_count = Stopwatch(), 0
    with Stopwatch() as whole:
        for step in range(options.steps):
            envs.step(actions[step % len(actions)])
    envs.close()
    resets = envs.resets
    print(
        f"{workers} scene workers: {options.worlds * options.steps / whole.wall:6.0f} control steps/s; "
        f"{envs.reset_count} resets take {resets.wall / whole.wall:.1%} of {whole.wall:.1f} s "
        f"and {resets.processor / whole.processor:.1%} "
        f"of {whole.processor:.1f} s of processor time ({1e3 * resets.processor / envs.reset_count:.1f} ms each)",
        flush=True,
    )


def print_payload(options: argparse.Namespace) -> None:
    """Print what is sent for a scene."""
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
