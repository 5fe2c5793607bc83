"""Recording: run the expert on a batch of seeds and write down everything, the raw material of a dataset."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.embodiment.model import Embodiment
from sim.envs.env import Env, camera_intrinsics
from sim.episodes import events, value_maps
from sim.episodes.provenance import collect_provenance
from sim.expert.perturb import sample_perturbations
from sim.expert.policy import ExpertPolicy
from sim.task.spec import Task, to_json
from sim.types import CONTACT_DTYPE, STEPS_PER_IMAGE, AttemptFailure, Episode, FailedAttempt
from sim.world.protocol import WorldState


class EpisodeRecorder:
    """Records worlds of an environment that start together, row by row: one before every action, one after the last.

    A world's last row is the first that is captured after it has ended; every `STEPS_PER_IMAGE`-th row has an image,
    the last one included, so worlds are to end at a multiple of it. A world whose physics failed has no more rows.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self._open = np.array([scene is not None for scene in env.scenes.scenes])  # worlds that get another row
        self._rows = np.zeros(env.n, int)
        self._states: list[_Row] = []
        self._actions: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []  # by row: wanted and executed (n d)
        self._contacts: list[NDArray[np.void]] = []  # by row, of all worlds
        self._physics: list[list[NDArray[np.float64]]] = [[] for _ in range(env.n)]
        self._images: list[_CameraStreams] = [_CameraStreams(env.cameras) for _ in range(env.n)]

    def capture_row(self) -> None:
        """Capture the state of all worlds that run or have just ended, with images where it is the row's turn."""
        env, row = self._env, len(self._states)
        self._open &= np.array([not failure for failure in env.failure])
        worlds = np.flatnonzero(self._open).tolist()
        self._states.append(_Row.copy_of(env.world.state()))
        self._contacts.append(env.world.contacts(worlds).copy())
        for i, snapshot in env.world.save(worlds).items():
            self._physics[i].append(snapshot.physics)
        if row % STEPS_PER_IMAGE == 0 and env.cameras and worlds:
            images, depths = env.world.render(env.cameras, env.size, env.has_depth, worlds)
            poses = env.world.camera_poses(env.cameras, worlds)
            for k, i in enumerate(worlds):
                for name in env.cameras:
                    self._images[i].append(name, images[name][k], poses[name][k], depths[name][k] if depths else None)
        self._rows[worlds] += 1
        self._open &= ~env.done

    def capture_action(self, actions: NDArray[np.float32], executed: NDArray[np.float32]) -> None:
        """Capture the actions (n d) that were wanted after the last row, and the commands (n d) that are sent."""
        assert len(self._actions) == len(self._states) - 1, "a row before every action"
        self._actions.append((actions, executed))

    def build_episode(self, i: int, success: bool, failure: AttemptFailure | None = None) -> Episode:
        """Return what world `i` did as an episode, with its events and value maps; its physics must not have failed."""
        env, robot, rows = self._env, self._env.robot, int(self._rows[i])
        assert rows > 0 and (rows - 1) % STEPS_PER_IMAGE == 0, f"world {i} ended after {rows - 1} actions"
        scene, names = env.scenes.scene(i), env.scenes.names
        states, taken = self._states[:rows], self._actions[: rows - 1]
        actions, executed = (
            np.stack([pair[k][i] for pair in taken]) if taken else np.zeros((0, len(robot.action_names)), np.float32)
            for k in range(2)
        )
        present = self._present_bodies(i)
        bodies = tuple(names.bodies[column] for column in present)
        has_joint = [column for column, name in enumerate(names.joints) if name.partition(".")[0] in scene.models]
        joints = tuple(names.joints[column] for column in has_joint)
        body_pose = np.stack([state.body_pose[i] for state in states])[:, present]
        joint = np.stack([state.joint[i] for state in states])[:, has_joint]
        contacts = self._convert_contacts(i, present, rows)
        gripper_columns = env.scenes.gripper_entries
        found = events.find_events(
            contacts, bodies, body_pose, joints, joint, actions[:, gripper_columns],
            [arm.name for arm in robot.arms], env.scenes.body_types(i),
        )  # fmt: skip
        intrinsics = camera_intrinsics(robot, env.cameras, env.size)
        streams = self._images[i]
        extrinsics = {name: np.stack(poses) for name, poses in streams.extrinsics.items()}
        depth = {name: np.stack(depths) for name, depths in streams.depths.items() if depths}
        maps, visible = value_maps.render_value_maps(
            found, body_pose[::STEPS_PER_IMAGE], bodies, intrinsics, extrinsics,
            dict.fromkeys(env.cameras, env.size), depth,
        )  # fmt: skip
        return Episode(
            task=to_json(env.task),
            robot=robot.name,
            seed=scene.seed,
            success=success,
            failure=failure,
            instruction=scene.instruction,
            images={name: np.stack(images) for name, images in streams.images.items()},
            maps=maps,
            visible=visible,
            depth=depth,
            intrinsics=intrinsics,
            extrinsics=extrinsics,
            state=np.stack([state.proprio[i] for state in states]),
            action=actions,
            executed=executed,
            tool_pose=np.stack([state.ee_pose[i] for state in states]),
            bodies=bodies,
            body_pose=body_pose,
            joints=joints,
            joint=joint,
            sim_state=np.stack(self._physics[i]),
            contacts=contacts,
            events=found,
            provenance=collect_provenance(rendered=bool(env.cameras)),
            variation=scene.variation,
            redraws=scene.attempt,
        )

    def _present_bodies(self, i: int) -> NDArray[np.int64]:
        """Return the columns of the bodies that stand in the scene of world `i`."""
        return np.flatnonzero(np.isfinite(self._env.scenes.initial_body_pose[i, :, 0]))

    def _convert_contacts(self, i: int, present: NDArray[np.int64], num_rows: int) -> NDArray[np.void]:
        """Return the contacts of world `i` as rows of CONTACT_DTYPE, bodies counted among those present."""
        place = np.full(len(self._env.scenes.names.bodies), -1)
        place[present] = np.arange(len(present))
        own = [rows[rows["world"] == i] for rows in self._contacts[:num_rows]]
        rows = np.concatenate(own)
        converted = np.empty(len(rows), CONTACT_DTYPE)
        converted["step"] = np.repeat(np.arange(num_rows), [len(part) for part in own])
        converted["a"], converted["b"] = place[rows["a"]], place[rows["b"]]
        converted["pos"], converted["force"] = rows["pos"], rows["force"]
        return converted


@dataclass(frozen=True)
class _Row:
    """State of all worlds at one row, copied in the precision in which it is stored."""

    proprio: NDArray[np.float32]
    ee_pose: NDArray[np.float32]
    body_pose: NDArray[np.float32]
    joint: NDArray[np.float32]

    @classmethod
    def copy_of(cls, state: WorldState) -> _Row:
        return cls(*(a.astype(np.float32) for a in (state.proprio, state.ee_pose, state.body_pose, state.joint)))


class _CameraStreams:
    """What the cameras of one world saw, by camera, one entry an image."""

    def __init__(self, cameras: Sequence[str]) -> None:
        self.images: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in cameras}
        self.extrinsics: dict[str, list[NDArray[np.float64]]] = {name: [] for name in cameras}
        self.depths: dict[str, list[NDArray[np.float32]]] = {name: [] for name in cameras}

    def append(
        self, camera: str, image: NDArray[np.uint8], extrinsics: NDArray[np.float64], depth: NDArray[np.float32] | None
    ) -> None:
        self.images[camera].append(image)
        self.extrinsics[camera].append(extrinsics)
        if depth is not None:
            self.depths[camera].append(depth)


def record_episodes(
    task: Task,
    robot: Embodiment,
    seeds: Sequence[int],
    cameras: Sequence[str] | None = None,
    size: ImageSize = (128, 128),
    depth: bool = False,
    variation: str = "clean",
    perturbation_rad: float = 0.0,
) -> Generator[Episode | FailedAttempt, None, None]:
    """Run the expert once on every seed, as worlds of one batch, and yield the episodes in the order of `seeds`.

    A run ends when the plan has ended or the horizon is reached; failed runs are yielded too, with success False and
    the reason in `failure`. A seed without a usable scene, or whose physics diverged, is a `FailedAttempt`.
    With `perturbation_rad` the joints are pushed off their targets (`sim.expert.perturb`); the actions are what was
    wanted, `executed` what was sent, within the robot's limits.
    """
    env = Env(
        task, robot, len(seeds), cameras, size, stop_at_success=False, variation=variation, depth=depth,
        track_progress=True,
    )  # fmt: skip
    try:
        env.reset(seeds)
        expert = ExpertPolicy(env)
        perturbations = np.stack([sample_perturbations(task, robot, seed, perturbation_rad) for seed in seeds])
        low, high = np.array(robot.action_limits).T
        recorder = EpisodeRecorder(env)
        for step in range(task.horizon + 1):
            if step % STEPS_PER_IMAGE == 0:
                env.end(expert.finished)
            recorder.capture_row()
            if env.done.all():
                break
            actions = expert.act().actions[:, 0]
            # as kept: what is sent has the precision of what is stored, so that a replay is exact
            executed = np.clip(actions + perturbations[:, step], low, high).astype(np.float32)
            recorder.capture_action(actions, executed)
            env.step(executed[:, None])
        for i, seed in enumerate(seeds):
            scene, failure = env.scenes.scenes[i], expert.find_failure(i)
            if failure is not None and env.failure[i]:
                yield FailedAttempt(seed, failure, 0 if scene is None else scene.attempt)
            else:
                yield recorder.build_episode(i, bool(env.success[i]), failure)
    finally:
        env.close()
