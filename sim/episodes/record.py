"""Recording: run the expert on a batch of seeds and write down everything, the raw material of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.embodiment.model import Embodiment
from sim.envs.env import Env, camera_intrinsics
from sim.episodes import events, value_maps
from sim.expert.perturb import sample_perturbations
from sim.expert.policy import ExpertPolicy
from sim.task.spec import Task, to_json
from sim.types import CONTACT_DTYPE, STEPS_PER_IMAGE, Episode, FailedAttempt


class EpisodeRecorder:
    """Records the worlds of an environment row by row: a row before every action and one after the last.

    Every fourth row has an image. All worlds start together; each is recorded until it is no longer captured.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self._states: list[dict[str, NDArray]] = []  # by row, worlds first
        self._actions: list[tuple[NDArray, NDArray]] = []  # by row: what was wanted, what was executed
        self._physics: list[list[NDArray]] = [[] for _ in range(env.n)]
        self._contacts: list[list[NDArray]] = [[] for _ in range(env.n)]
        self._images: list[dict[str, list[NDArray]]] = [{name: [] for name in env.cameras} for _ in range(env.n)]
        self._depths: list[dict[str, list[NDArray]]] = [{name: [] for name in env.cameras} for _ in range(env.n)]
        self._extrinsics: list[dict[str, list[NDArray]]] = [{name: [] for name in env.cameras} for _ in range(env.n)]

    def capture_observation(self, worlds: Sequence[int]) -> None:
        """Write down the present state of worlds that run, and their images where it is the row's turn."""
        self._append_states()
        self._capture_worlds(worlds)

    def capture_final(self, worlds: Sequence[int]) -> None:
        """Write down the last row of worlds that have ended, each after the rows that it has."""
        row = max((len(self._physics[i]) for i in worlds), default=0)
        if row == len(self._states):
            self._append_states()
        for i in worlds:
            self._capture_worlds([i])

    def _append_states(self) -> None:
        state = self._env.world.state()
        self._states.append(
            {
                "state": state.proprio.astype(np.float32),
                "tool_pose": state.ee_pose.astype(np.float32),
                "body_pose": state.body_pose.astype(np.float32),
                "joint": state.joint.astype(np.float32),
            }
        )

    def _capture_worlds(self, worlds: Sequence[int]) -> None:
        """Write down physics, contacts and, where it is the row's turn, images of worlds that have equally many rows."""
        env, row = self._env, len(self._physics[worlds[0]])
        for i, snapshot in env.world.save(worlds).items():
            self._physics[i].append(snapshot.physics)
            self._contacts[i].append(self._convert_contacts(i, snapshot.contacts, row))
        if row % STEPS_PER_IMAGE:
            return
        images, depths = env.world.render(env.cameras, env.size, env.has_depth, worlds)
        poses = env.world.camera_poses(env.cameras, worlds)
        for k, i in enumerate(worlds):
            for name in env.cameras:
                self._images[i][name].append(images[name][k])
                self._extrinsics[i][name].append(poses[name][k])
                if env.has_depth:
                    self._depths[i][name].append(depths[name][k])

    def capture_action(self, actions: NDArray, executed: NDArray) -> None:
        """Write down the actions (n d) of the expert that are about to be applied, and the commands that are sent."""
        self._actions.append((np.asarray(actions, np.float32), np.asarray(executed, np.float32)))

    def build_episode(self, i: int, success: bool, failure: str = "") -> Episode:
        """Return what world `i` did as an episode, with its events and value maps."""
        env, robot = self._env, self._env.robot
        scene, names = env.scenes.scene(i), env.scenes.names
        rows = len(self._physics[i])
        arrays = {name: np.stack([state[name][i] for state in self._states[:rows]]) for name in self._states[0]}
        actions, executed = (
            np.stack([pair[k][i] for pair in self._actions[: rows - 1]])
            if rows > 1
            else np.zeros((0, len(robot.action_names)), np.float32)
            for k in range(2)
        )
        present = self._present_bodies(i)
        bodies = tuple(names.bodies[column] for column in present)
        has_joint = [column for column, name in enumerate(names.joints) if name.partition(".")[0] in scene.models]
        joints = tuple(names.joints[column] for column in has_joint)
        body_pose, joint = arrays["body_pose"][:, present], arrays["joint"][:, has_joint]
        contacts = np.concatenate(self._contacts[i])
        gripper_columns = env.scenes.gripper_entries
        found = events.find_events(
            contacts, bodies, body_pose, joints, joint, actions[:, gripper_columns],
            [arm.name for arm in robot.arms], env.scenes.body_types(i),
        )  # fmt: skip
        intrinsics = camera_intrinsics(robot, env.cameras, env.size)
        extrinsics = {name: np.stack(poses) for name, poses in self._extrinsics[i].items()}
        depth = {name: np.stack(values) for name, values in self._depths[i].items() if values}
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
            images={name: np.stack(images) for name, images in self._images[i].items()},
            maps=maps,
            visible=visible,
            depth=depth,
            intrinsics=intrinsics,
            extrinsics=extrinsics,
            state=arrays["state"],
            action=actions,
            executed=executed,
            tool_pose=arrays["tool_pose"],
            bodies=bodies,
            body_pose=body_pose,
            joints=joints,
            joint=joint,
            sim_state=np.stack(self._physics[i]),
            contacts=contacts,
            events=found,
            versions=collect_versions(),
            variation=scene.variation,
            redraws=scene.attempt,
        )

    def _present_bodies(self, i: int) -> NDArray[np.int64]:
        """Return the columns of the bodies that stand in the scene of world `i`."""
        return np.flatnonzero(np.isfinite(self._env.scenes.initial_body_pose[i, :, 0]))

    def _convert_contacts(self, i: int, rows: NDArray[np.void], step: int) -> NDArray[np.void]:
        """Return contacts as rows of CONTACT_DTYPE, bodies counted among those present."""
        present = self._present_bodies(i)
        place = np.full(len(self._env.scenes.names.bodies), -1)
        place[present] = np.arange(len(present))
        converted = np.zeros(len(rows), CONTACT_DTYPE)
        converted["step"] = step
        converted["a"], converted["b"] = place[rows["a"]], place[rows["b"]]
        converted["pos"], converted["force"] = rows["pos"], rows["force"]
        return converted


def collect_versions() -> dict[str, str]:
    """Return the versions that an episode depends on."""
    return {"aim": version("aim-world-action"), "mujoco": version("mujoco"), "numpy": version("numpy")}


def record_episodes(
    task: Task,
    robot: Embodiment,
    seeds: Sequence[int],
    cameras: Sequence[str] | None = None,
    size: ImageSize = (128, 128),
    depth: bool = False,
    variation: str = "clean",
    perturbation_rad: float = 0.0,
) -> Iterator[Episode | FailedAttempt]:
    """Run the expert once on every seed, as worlds of one batch, and yield the episodes in the order of `seeds`.

    A run ends when the plan has ended or the horizon is reached; failed runs are yielded too, with success False and
    the reason in `failure`. A seed without a usable scene, or whose physics diverged, is a `FailedAttempt`.
    With `perturbation_rad` the joints are pushed off their targets (`sim.expert.perturb`); the actions are what was
    wanted.
    """
    env = Env(
        task, robot, len(seeds), cameras, size, stop_at_success=False, variation=variation, depth=depth,
        track_progress=True,
    )  # fmt: skip
    try:
        env.reset(seeds)
        expert = ExpertPolicy(env)
        perturbations = np.stack([sample_perturbations(task, robot, seed, perturbation_rad) for seed in seeds])
        recorder = EpisodeRecorder(env)
        for step in range(task.horizon + 1):
            if step % STEPS_PER_IMAGE == 0:
                env.end(expert.finished)
            active = np.flatnonzero(~env.done).tolist()
            if not active:
                break
            actions = expert.act().actions
            executed = actions[:, 0] + perturbations[:, step]
            recorder.capture_observation(active)
            recorder.capture_action(actions[:, 0], executed)
            env.step(executed[:, None])
        recorder.capture_final([i for i in range(env.n) if not env.failure[i]])
        for i, seed in enumerate(seeds):
            if env.failure[i]:
                yield FailedAttempt(seed, env.failure[i])
            else:
                yield recorder.build_episode(i, bool(env.success[i]), expert.describe_failure(i))
    finally:
        env.close()
