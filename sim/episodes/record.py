"""Runs the expert on a batch of seeds and writes down everything: the raw material of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from sim.camera import compute_extrinsics
from sim.embodiment.model import Embodiment
from sim.envs.env import Env, pinholes
from sim.episodes import events, value_maps
from sim.expert.perturb import sample_perturbations
from sim.expert.policy import ExpertPolicy
from sim.task.spec import Task, to_json
from sim.types import CONTACT_DTYPE, STEPS_PER_IMAGE, Episode
from sim.world.mujoco import Copy
from sim.world.render_gl import ImageSize


class EpisodeRecorder:
    """What one copy did, row by row: a row before every action, a row after the last; a picture every fourth row."""

    def __init__(self, instance: Copy, cameras: Sequence[str], size: ImageSize, depth: bool) -> None:
        self.instance, self.cameras, self.size, self.with_depth = instance, cameras, size, depth
        self.rows: dict[str, list[NDArray]] = {
            name: [] for name in ("state", "action", "tool_pose", "body_pose", "joint", "sim_state", "contacts")
        }
        self.images: dict[str, list[NDArray]] = {name: [] for name in cameras}
        self.depth_images: dict[str, list[NDArray]] = {name: [] for name in cameras}
        self.camera_poses: dict[str, list[NDArray]] = {name: [] for name in cameras}

    def capture_observation(self) -> None:
        """Write down the present state, and the pictures where it is their turn."""
        instance, row = self.instance, len(self.rows["state"])
        self.rows["state"].append(instance.state())
        self.rows["tool_pose"].append(instance.tools())
        self.rows["body_pose"].append(instance.body_poses())
        self.rows["joint"].append(instance.joint_values())
        self.rows["sim_state"].append(instance.sim_state())
        self.rows["contacts"].append(instance.contacts(row))
        if row % STEPS_PER_IMAGE == 0:
            images, depths = instance.render(self.cameras, self.size, self.with_depth)
            for i, name in enumerate(self.cameras):
                self.images[name].append(images[i])
                self.camera_poses[name].append(compute_extrinsics(*instance.camera_pose(name)))
                if depths is not None:
                    self.depth_images[name].append(depths[i])

    def capture_action(self, action: NDArray) -> None:
        """Write down the action that is about to be applied."""
        self.rows["action"].append(np.asarray(action, np.float32))

    def build_episode(self, seed: int, success: bool) -> Episode:
        """Return all of it as an episode, with its events and value maps."""
        instance, robot = self.instance, self.instance.robot
        arrays = {name: np.stack(rows) for name, rows in self.rows.items() if name != "contacts"}
        contacts = np.concatenate(self.rows["contacts"]).astype(CONTACT_DTYPE)
        gripper_columns = [robot.action_names.index(f"{arm.name}/gripper") for arm in robot.arms]
        body_pose, joint = arrays["body_pose"].astype(np.float32), arrays["joint"].astype(np.float32)
        detected_events = events.find_events(
            contacts,
            instance.bodies,
            body_pose,
            instance.joints,
            joint,
            arrays["action"][:, gripper_columns],
            [arm.name for arm in robot.arms],
            instance.kinds,
        )
        intrinsics = pinholes(robot, self.cameras, self.size)
        extrinsics = {name: np.stack(rows) for name, rows in self.camera_poses.items()}
        depth = {name: np.stack(rows) for name, rows in self.depth_images.items() if rows}
        maps, visible = value_maps.render_value_maps(
            detected_events,
            body_pose[::STEPS_PER_IMAGE],
            instance.bodies,
            intrinsics,
            extrinsics,
            dict.fromkeys(self.cameras, self.size),
            depth,
        )
        return Episode(
            task=to_json(instance.task),
            robot=robot.name,
            seed=seed,
            success=success,
            instruction=instance.layout.instruction,
            images={name: np.stack(rows) for name, rows in self.images.items()},
            maps=maps,
            visible=visible,
            depth=depth,
            intrinsics=intrinsics,
            extrinsics=extrinsics,
            state=arrays["state"],
            action=arrays["action"],
            tool_pose=arrays["tool_pose"].astype(np.float32),
            bodies=instance.bodies,
            body_pose=body_pose,
            joints=instance.joints,
            joint=joint,
            sim_state=arrays["sim_state"],
            contacts=contacts,
            events=detected_events,
            versions=collect_versions(),
            variation=instance.variation,
            redraws=instance.redraws,
        )


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
) -> Iterator[Episode]:
    """Run the expert once on every seed, as copies of one batch, and yield the episodes in the order of `seeds`.

    A run ends when the plan has ended or the horizon is reached; failed runs are yielded too, with success False.
    With `perturbation_rad` the joints are pushed off their targets (`sim.expert.perturb`); the actions are what was
    wanted.
    """
    env = Env(task, robot, len(seeds), cameras, size, stop_at_success=False, variation=variation)
    env.reset(seeds)
    expert = ExpertPolicy(env)
    perturbations = np.stack([sample_perturbations(task, robot, seed, perturbation_rad) for seed in seeds])
    recorders = [EpisodeRecorder(instance, env.cameras, size, depth) for instance in env.world.copies]
    for step in range(task.horizon + 1):
        if step % STEPS_PER_IMAGE == 0:
            env.done |= expert.finished
        active = [i for i in range(env.n) if not env.done[i]]
        actions = expert.act().actions
        for i in active:
            recorders[i].capture_observation()
            recorders[i].capture_action(actions[i, 0])
        if not active:
            break
        env.advance(actions + perturbations[:, step : step + 1])
    for i, (recorder, seed) in enumerate(zip(recorders, seeds, strict=True)):
        recorder.capture_observation()
        yield recorder.build_episode(seed, bool(env.success[i]))
    env.close()
