"""Scenes prepared ahead: worker processes sample, compile and settle the scenes of seeds that will be asked for.

A prepared scene is the same, to the bit, as one that is prepared where it is needed; only the waiting is elsewhere.
Workers are spawned, so a script that uses them needs the usual `if __name__ == "__main__":`.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TYPE_CHECKING

from sim.envs.settle import SceneFailure, SettledScene, settle_scenes
from sim.world import make_world

if TYPE_CHECKING:
    from sim.embodiment.model import Embodiment
    from sim.envs.env import Env
    from sim.task.spec import Task
    from sim.world.protocol import World

_world: World | None = None  # a worker's own
_variation = ""


class SceneQueue:
    """Prepares scenes of an environment's task, robot and variation in worker processes."""

    def __init__(self, env: Env, workers: int) -> None:
        self._pool = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _start_worker,
            (env.task, env.robot, env.variation, env.engine),
        )  # fmt: skip
        self._waiting: dict[int, Future[SettledScene | SceneFailure]] = {}

    def prefetch(self, seeds: Sequence[int]) -> None:
        """Begin to prepare the scenes of some seeds."""
        for seed in seeds:
            if seed not in self._waiting:
                self._waiting[seed] = self._pool.submit(_settle_seed, seed)

    def take(self, wanted: Mapping[int, int]) -> dict[int, SettledScene | SceneFailure]:
        """Return, by world, the scenes of those of the wanted seeds (by world) that were begun, waiting for them."""
        begun = {i: seed for i, seed in wanted.items() if seed in self._waiting}
        ready = {seed: self._waiting.pop(seed).result() for seed in set(begun.values())}
        return {i: ready[seed] for i, seed in begun.items()}

    def close(self) -> None:
        """Shut the workers down; what they prepare is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(task: Task, robot: Embodiment, variation: str, engine: str) -> None:
    global _world, _variation
    _world, _variation = make_world(engine, task, robot, 1), variation


def _settle_seed(seed: int) -> SettledScene | SceneFailure:
    assert _world is not None
    return settle_scenes(_world, {0: seed}, _variation, keep_compiled=True)[0]
