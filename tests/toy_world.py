"""A toy engine for the contract tests: joints follow their targets at once, objects never move, nothing touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.model import Embodiment
from sim.scene.sample import SceneSample
from sim.task.spec import Task
from sim.types import Images
from sim.world.protocol import WORLD_CONTACT, ArrayWorldState, Floats, Mask, WorldSnapshot, WorldState
from sim.world.scene_table import world_names


class ToyWorld:
    """n worlds without dynamics."""

    def __init__(self, task: Task, robot: Embodiment, n: int, threads: int = 1) -> None:
        self.task, self.robot, self.n, self.names = task, robot, n, world_names(task, robot)
        self._chains = [KinematicChain(arm) for arm in robot.arms]
        self._command = np.tile(np.array(robot.home_action, float), (n, 1))
        self._body_pose = np.full((n, len(self.names.bodies), 7), np.nan)
        self._joint = np.full((n, len(self.names.joints)), np.nan)

    def compile_scene(self, scene: SceneSample) -> None:
        return None

    def load(self, scenes: Mapping[int, SceneSample], compiled: Mapping[int, Any] | None = None) -> None:
        for i, scene in scenes.items():
            self._command[i], self._body_pose[i], self._joint[i] = self.robot.home_action, np.nan, np.nan
            for name, pose in {"world": (0, 0, 0, 1, 0, 0, 0), **scene.poses}.items():
                self._body_pose[i, self.names.bodies.index(name)] = pose
            for name, model in scene.models.items():
                for part in model.parts:
                    self._joint[i, self.names.joints.index(f"{name}.{part.joint}")] = part.initial_value

    def step(self, targets: Floats, active: Mask) -> None:
        low, high = np.array(self.robot.action_limits).T
        self._command[active] = np.clip(targets[active], low, high)

    def settle(self, active: Mask) -> None:
        pass

    def state(self) -> WorldState:
        tools, first = [], 0
        for chain in self._chains:
            joints = self._command[:, first : first + chain.joint_count]
            tools.append(np.stack([chain.compute_tool_pose(q) for q in joints]))
            first += chain.joint_count + 1
        still = np.where(np.isnan(self._body_pose[..., :3]), np.nan, 0.0)
        return ArrayWorldState(
            self._command.copy(),
            np.zeros_like(self._command),
            self._command.copy(),
            np.stack(tools, axis=1),
            self._body_pose.copy(),
            still,
            self._joint.copy(),
        )

    def contacts(self, worlds: Sequence[int] | None = None) -> NDArray[np.void]:
        return np.zeros(0, WORLD_CONTACT)

    def failures(self) -> dict[int, str]:
        return {}

    def save(self, worlds: Sequence[int] | None = None) -> dict[int, WorldSnapshot]:
        chosen = range(self.n) if worlds is None else worlds
        return {i: WorldSnapshot(self._command[i].copy(), self._command[i].copy(), self.contacts()) for i in chosen}

    def restore(self, snapshots: Mapping[int, WorldSnapshot]) -> None:
        for i, snapshot in snapshots.items():
            self._command[i] = snapshot.command

    def render(
        self, cameras: Sequence[str], size: ImageSize, depth: bool = False, worlds: Sequence[int] | None = None
    ) -> tuple[Images, Mapping[str, NDArray[np.float32]]]:
        m = self.n if worlds is None else len(worlds)
        images = {name: np.zeros((m, *size, 3), np.uint8) for name in cameras}
        return images, {name: np.zeros((m, *size), np.float32) for name in cameras} if depth else {}

    def camera_poses(self, cameras: Sequence[str], worlds: Sequence[int] | None = None) -> dict[str, Floats]:
        return {name: np.tile(np.eye(4), (self.n if worlds is None else len(worlds), 1, 1)) for name in cameras}

    def close(self) -> None:
        pass
