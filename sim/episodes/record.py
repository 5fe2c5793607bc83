"""Runs the expert on a batch of seeds and writes down everything: the raw material of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from sim.camera import camera_from_world
from sim.embodiment.model import Embodiment
from sim.envs.env import Env, pinholes
from sim.episodes import events
from sim.episodes import value_maps as annotate
from sim.expert.perturb import pushes
from sim.expert.policy import Expert
from sim.task.spec import Task, to_json
from sim.types import CONTACT, STEPS_PER_PICTURE, Episode
from sim.world.mujoco import Copy
from sim.world.render_gl import Size


class Tape:
    """What one copy did, row by row: a row before every action, a row after the last; a picture every fourth row."""

    def __init__(self, copy: Copy, cameras: Sequence[str], size: Size, depth: bool) -> None:
        self.copy, self.cameras, self.size, self.with_depth = copy, cameras, size, depth
        self.rows: dict[str, list[NDArray]] = {
            name: [] for name in ("state", "action", "tool_pose", "body_pose", "joint", "sim_state", "contacts")
        }
        self.pictures: dict[str, list[NDArray]] = {name: [] for name in cameras}
        self.depths: dict[str, list[NDArray]] = {name: [] for name in cameras}
        self.poses: dict[str, list[NDArray]] = {name: [] for name in cameras}

    def look(self) -> None:
        """Write down the present state, and the pictures where it is their turn."""
        copy, row = self.copy, len(self.rows["state"])
        self.rows["state"].append(copy.state())
        self.rows["tool_pose"].append(copy.tools())
        self.rows["body_pose"].append(copy.body_poses())
        self.rows["joint"].append(copy.joint_values())
        self.rows["sim_state"].append(copy.sim_state())
        self.rows["contacts"].append(copy.contacts(row))
        if row % STEPS_PER_PICTURE == 0:
            images, depths = copy.render(self.cameras, self.size, self.with_depth)
            for i, name in enumerate(self.cameras):
                self.pictures[name].append(images[i])
                self.poses[name].append(camera_from_world(*copy.camera_pose(name)))
                if depths is not None:
                    self.depths[name].append(depths[i])

    def act(self, action: NDArray) -> None:
        """Write down the action that is about to be applied."""
        self.rows["action"].append(np.asarray(action, np.float32))

    def episode(self, seed: int, success: bool) -> Episode:
        """Return all of it as an episode, with its events and value maps."""
        copy, robot = self.copy, self.copy.robot
        table = {name: np.stack(rows) for name, rows in self.rows.items() if name != "contacts"}
        contacts = np.concatenate(self.rows["contacts"]).astype(CONTACT)
        grips = [robot.action_names.index(f"{arm.name}/gripper") for arm in robot.arms]
        body_pose, joint = table["body_pose"].astype(np.float32), table["joint"].astype(np.float32)
        found = events.find_events(
            contacts, copy.bodies, body_pose, copy.joints, joint,
            table["action"][:, grips], [arm.name for arm in robot.arms], copy.kinds,
        )
        lenses = pinholes(robot, self.cameras, self.size)
        poses = {name: np.stack(rows) for name, rows in self.poses.items()}
        depth = {name: np.stack(rows) for name, rows in self.depths.items() if rows}
        maps, visible = annotate.value_maps(
            found, body_pose[::STEPS_PER_PICTURE], copy.bodies, lenses, poses,
            dict.fromkeys(self.cameras, self.size), depth,
        )
        return Episode(
            task=to_json(copy.task), robot=robot.name, seed=seed, success=success,
            instruction=copy.layout.instruction,
            images={name: np.stack(rows) for name, rows in self.pictures.items()},
            maps=maps, visible=visible, depth=depth, intrinsics=lenses, extrinsics=poses,
            state=table["state"], action=table["action"], tool_pose=table["tool_pose"].astype(np.float32),
            bodies=copy.bodies, body_pose=body_pose, joints=copy.joints, joint=joint,
            sim_state=table["sim_state"], contacts=contacts, events=found, versions=versions(),
            variation=copy.variation, redraws=copy.redraws,
        )


def versions() -> dict[str, str]:
    """Return the versions that an episode depends on."""
    return {"aim": version("aim-world-action"), "mujoco": version("mujoco"), "numpy": version("numpy")}


def record(
    task: Task, robot: Embodiment, seeds: Sequence[int], cameras: Sequence[str] | None = None,
    size: Size = (128, 128), depth: bool = False, variation: str = "clean", push: float = 0.0,
) -> Iterator[Episode]:
    """Run the expert once on every seed, as copies of one batch, and yield the episodes in the order of `seeds`.

    A run ends when the plan has ended or the horizon is reached; failed runs are yielded too, with success False.
    With `push`, in radians, the joints are pushed off their targets (`sim.expert.perturb`); the actions are what was
    wanted.
    """
    env = Env(task, robot, len(seeds), cameras, size, stop_at_success=False, variation=variation)
    env.reset(seeds)
    expert = Expert(env)
    pushed = np.stack([pushes(task, robot, seed, push) for seed in seeds])
    tapes = [Tape(copy, env.cameras, size, depth) for copy in env.world.copies]
    for step in range(task.horizon + 1):
        if step % STEPS_PER_PICTURE == 0:
            env.done |= expert.finished
        running = [i for i in range(env.n) if not env.done[i]]
        actions = expert.act().actions
        for i in running:
            tapes[i].look()
            tapes[i].act(actions[i, 0])
        if not running:
            break
        env.advance(actions + pushed[:, step : step + 1])
    for i, (tape, seed) in enumerate(zip(tapes, seeds, strict=True)):
        tape.look()
        yield tape.episode(seed, bool(env.success[i]))
    env.close()
