"""Env: a task on a robot, n copies at once. Physics, success and pictures; whoever acts is outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.camera import compute_extrinsics, compute_intrinsics
from sim.embodiment.model import Embodiment
from sim.registry import resolve_name
from sim.scene.randomize import VARIATIONS
from sim.task.predicates import evaluate_success
from sim.task.spec import Task
from sim.types import CONTROL_HZ, Images, Observation
from sim.world.mujoco import World
from sim.world.render_gl import ImageSize, vertical_field


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
        size: ImageSize = (128, 128),
        threads: int = 1,
        stop_at_success: bool = True,
        variation: str = "clean",
        depth: bool = False,
    ) -> None:
        self.task, self.robot, self.n, self.size = task, robot, n, size
        self.cameras = tuple(resolve_name("camera", c, robot.camera_names) for c in cameras or robot.camera_names)
        self.world = World(task, robot, n, threads, resolve_name("variation", variation, VARIATIONS))
        self._stop, self._depth = stop_at_success, depth

        self.seeds: tuple[int, ...] = ()
        self.steps = np.zeros(n, int)
        self.success = np.zeros(n, bool)
        self.done = np.zeros(n, bool)
        self._latched = np.zeros((n, len(task.success)), bool)

    def reset(self, seeds: Sequence[int]) -> None:
        """Draw the scenes of `seeds`, one a copy."""
        self.restart(seeds, np.ones(self.n, bool))

    def restart(self, seeds: Sequence[int], mask: NDArray[np.bool_]) -> None:
        """Draw new scenes for the copies where `mask` (n,) is true; the others go on."""
        self.world.reset(seeds, mask)
        self.seeds = tuple(seeds)
        self.steps = np.where(mask, 0, self.steps)
        self.success &= ~mask
        self.done &= ~mask
        self._latched &= ~mask[:, None]

    @property
    def instruction(self) -> tuple[str, ...]:
        """What each copy is asked to do."""
        return tuple(copy.layout.instruction for copy in self.world.copies)

    def advance(self, actions: NDArray, hold: NDArray[np.bool_] | None = None) -> Step:
        """Apply `actions` (n k d), one every 20 ms, where `hold` (n,) is not set; copies stop where they are done."""
        for action in np.moveaxis(np.asarray(actions), 1, 0):
            active = ~self.done if hold is None else ~self.done & ~hold
            if not active.any():
                break
            self.world.step(action, active)
            self.steps += active
            now, flags = evaluate_success(self.task, self.world.facts(), self._latched)
            self._latched = np.where(active[:, None], flags, self._latched)
            self.success = np.where(active, now, self.success)
            self.done |= self.steps >= self.task.horizon
            if self._stop:
                self.done |= self.success
        return Step(self.success.copy(), self.done.copy(), self.steps / CONTROL_HZ)

    def observe(self) -> Observation:
        """Return pictures, measured state and instruction of all copies; with depth also what it takes to read it."""
        now = (self.world.state(), self.instruction, self.steps / CONTROL_HZ)
        if not self._depth:
            return Observation(self.world.render(self.cameras, self.size), *now)
        images, depth = self._drawn()
        poses = {c: [compute_extrinsics(*copy.camera_pose(c)) for copy in self.world.copies] for c in self.cameras}
        return Observation(
            images, *now, depth=depth, intrinsics=pinholes(self.robot, self.cameras, self.size),
            extrinsics={camera: np.stack(rows) for camera, rows in poses.items()},
        )  # fmt: skip

    def _drawn(self) -> tuple[Images, dict[str, NDArray[np.float32]]]:
        """Return pictures (n h w 3) and depths (n h w) of every camera, drawn together."""
        images, distances = [], []
        for copy in self.world.copies:
            image, depth = copy.render(self.cameras, self.size, depth=True)
            assert depth is not None
            images.append(image)
            distances.append(depth)
        seen, depths = ({c: a[:, i] for i, c in enumerate(self.cameras)} for a in map(np.stack, (images, distances)))
        return seen, depths

    def frames(self, camera: str, size: ImageSize) -> NDArray[np.uint8]:
        """Return pictures (n h w 3) of one camera at any size, for films."""
        images: Images = self.world.render((resolve_name("camera", camera, self.robot.camera_names),), size)
        return images[camera]

    def close(self) -> None:
        """Let the threads go."""
        self.world.close()


def pinholes(robot: Embodiment, cameras: Sequence[str], size: ImageSize) -> dict[str, NDArray[np.float64]]:
    """Return K (3 3) of the named cameras of a robot for pictures of a (height, width)."""
    fields = {camera.name: camera.fovx for camera in robot.cameras}
    return {name: compute_intrinsics(vertical_field(fields[name], size), size) for name in cameras}
