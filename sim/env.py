"""Env: a task on a robot, n copies at once. Physics, success and pictures; whoever acts is outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.discover import choose
from sim.embodiment import Embodiment
from sim.engine.mujoco import World
from sim.engine.render import Size
from sim.spec import Task
from sim.terms import evaluate
from sim.types import CONTROL_HZ, Images, Observation


@dataclass(frozen=True)
class Step:
    """What came of the last actions: `success` and `done` (n,), `time` (n,) seconds since reset."""

    success: NDArray[np.bool_]
    done: NDArray[np.bool_]
    time: NDArray[np.float64]


class Env:
    """n copies of a task. A copy that succeeded or ran out of time is done and stands still."""

    def __init__(
        self,
        task: Task,
        robot: Embodiment,
        n: int = 1,
        cameras: Sequence[str] | None = None,
        size: Size = (128, 128),
        threads: int = 1,
        stop_at_success: bool = True,
    ) -> None:
        self.task, self.robot, self.n, self.size = task, robot, n, size
        self.cameras = tuple(choose("camera", c, robot.camera_names) for c in cameras or robot.camera_names)
        self.world = World(task, robot, n, threads)
        self._stop = stop_at_success

    def reset(self, seeds: Sequence[int]) -> None:
        """Draw the scenes of `seeds`, one a copy."""
        self.world.reset(seeds)
        self.seeds = tuple(seeds)
        self.steps = np.zeros(self.n, int)
        self.success = np.zeros(self.n, bool)
        self.done = np.zeros(self.n, bool)
        self._latched = np.zeros((self.n, len(self.task.success)), bool)

    @property
    def instruction(self) -> tuple[str, ...]:
        """What each copy is asked to do."""
        return tuple(copy.layout.instruction for copy in self.world.copies)

    def advance(self, actions: NDArray) -> Step:
        """Apply `actions` (n k d), one every 20 ms; copies stop where they are done."""
        for action in np.moveaxis(np.asarray(actions), 1, 0):
            active = ~self.done
            if not active.any():
                break
            self.world.step(action, active)
            self.steps += active
            now, flags = evaluate(self.task, self.world, self._latched)
            self._latched = np.where(active[:, None], flags, self._latched)
            self.success = np.where(active, now, self.success)
            self.done |= self.steps >= self.task.horizon
            if self._stop:
                self.done |= self.success
        return Step(self.success.copy(), self.done.copy(), self.steps / CONTROL_HZ)

    def observe(self) -> Observation:
        """Return pictures, measured state and instruction of all copies."""
        images = self.world.render(self.cameras, self.size)
        return Observation(images, self.world.state(), self.instruction, self.steps / CONTROL_HZ)

    def frames(self, camera: str, size: Size) -> NDArray[np.uint8]:
        """Return pictures (n h w 3) of one camera at any size, for films."""
        images: Images = self.world.render((choose("camera", camera, self.robot.camera_names),), size)
        return images[camera]

    def close(self) -> None:
        """Let the threads go."""
        self.world.close()
