"""The recorder: everything that happens in the worlds of an environment, row by row, and episodes made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.envs.env import Env, camera_intrinsics
from sim.episodes import events, value_maps
from sim.episodes.provenance import collect_provenance
from sim.task.spec import to_json
from sim.types import CONTACT_DTYPE, STEPS_PER_IMAGE, AttemptFailure, Episode, Event
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
        self._first_imaged_row = np.zeros(env.n, int)
        self._events: dict[int, tuple[Event, ...]] = {}  # by world, once they have been asked for

    def capture_row(self, is_imaged: NDArray[np.bool_] | None = None) -> None:
        """Capture the state of all worlds that run or have just ended, with images where it is the row's turn.

        Where `is_imaged` (n,) is false no image is taken: of what comes before the first row that will be kept.
        """
        env, row = self._env, len(self._states)
        self._open &= np.array([not failure for failure in env.failure])
        worlds = np.flatnonzero(self._open).tolist()
        self._states.append(_Row.copy_of(env.world.state()))
        self._contacts.append(env.world.contacts(worlds).copy())
        for i, snapshot in env.world.save(worlds).items():
            self._physics[i].append(snapshot.physics)
        imaged = worlds if is_imaged is None else [i for i in worlds if is_imaged[i]]
        if row % STEPS_PER_IMAGE == 0 and env.cameras and imaged:
            images, depths = env.world.render(env.cameras, env.size, env.has_depth, imaged)
            poses = env.world.camera_poses(env.cameras, imaged)
            for k, i in enumerate(imaged):
                if not self._images[i].images[env.cameras[0]]:
                    self._first_imaged_row[i] = row
                for name in env.cameras:
                    self._images[i].append(name, images[name][k], poses[name][k], depths[name][k] if depths else None)
        self._rows[worlds] += 1
        self._open &= ~env.done

    def capture_action(self, actions: NDArray[np.float32], executed: NDArray[np.float32]) -> None:
        """Capture the actions (n d) that were wanted after the last row, and the commands (n d) that are sent."""
        assert len(self._actions) == len(self._states) - 1, "a row before every action"
        self._actions.append((actions, executed))

    def collect_actions(self, i: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what was wanted (A d) and what was executed (A d) in world `i`, from the start of its run."""
        taken = self._actions[: self._rows[i] - 1]
        channels = len(self._env.robot.action_names)
        wanted, executed = (
            np.stack([pair[k][i] for pair in taken]) if taken else np.zeros((0, channels), np.float32) for k in range(2)
        )
        return wanted, executed

    def find_events(self, i: int) -> tuple[Event, ...]:
        """Return the events of world `i`, from the start of its run."""
        if i not in self._events:
            env, rows = self._env, int(self._rows[i])
            actions, _ = self.collect_actions(i)
            bodies, body_pose = self._collect_bodies(i)
            joints, joint = self._collect_joints(i)
            self._events[i] = events.find_events(
                self._convert_contacts(i, rows), bodies, body_pose, joints, joint,
                actions[:, env.scenes.gripper_entries], [arm.name for arm in env.robot.arms], env.scenes.body_types(i),
            )  # fmt: skip
        return self._events[i]

    def build_episode(
        self, i: int, success: bool, failure: AttemptFailure | None = None, first_row: int = 0
    ) -> Episode:
        """Return what world `i` did from `first_row` on as an episode; its physics must not have failed.

        Events are those of the whole run, for what is in a hand at `first_row` was grasped before. Those before it are
        left out, which changes no value map after it: an event is shown until its own step alone. Left out too is the
        landing of what had been let go before: who acts from `first_row` on did not mean it.
        """
        env, robot, rows = self._env, self._env.robot, int(self._rows[i])
        assert rows > 0 and (rows - 1) % STEPS_PER_IMAGE == 0, f"world {i} ended after {rows - 1} actions"
        assert first_row % STEPS_PER_IMAGE == 0 and first_row < rows, f"row {first_row} begins no episode of {rows}"
        scene, kept = env.scenes.scene(i), self._states[first_row:rows]
        actions, executed = self.collect_actions(i)
        bodies, body_pose = self._collect_bodies(i)
        joints, joint = self._collect_joints(i)
        body_pose, joint = body_pose[first_row:], joint[first_row:]
        contacts = self._convert_contacts(i, rows)
        contacts = contacts[contacts["step"] >= first_row]
        contacts["step"] -= first_row
        state = np.stack([row.proprio[i] for row in kept])
        found = self.find_events(i)
        if first_row:
            found = self._cut_events(i, first_row, contacts, executed[first_row:] < state[:-1])
        intrinsics = camera_intrinsics(robot, env.cameras, env.size)
        streams = self._images[i].drop_images((first_row - int(self._first_imaged_row[i])) // STEPS_PER_IMAGE)
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
            state=state,
            action=actions[first_row:],
            executed=executed[first_row:],
            tool_pose=np.stack([row.ee_pose[i] for row in kept]),
            bodies=bodies,
            body_pose=body_pose,
            joints=joints,
            joint=joint,
            sim_state=np.stack(self._physics[i][first_row:]),
            contacts=contacts,
            events=found,
            provenance=collect_provenance(rendered=bool(env.cameras)),
            variation=scene.variation,
            redraws=scene.attempt,
            first_command=executed[first_row - 1] if first_row else np.zeros(0, np.float32),
        )

    def _cut_events(
        self, i: int, first_row: int, contacts: NDArray[np.void], is_tighter: NDArray[np.bool_]
    ) -> tuple[Event, ...]:
        """Return the events of world `i` from `first_row` on, without mere landings, their steps counted from there.

        `contacts` and `is_tighter` (A d), where a command asks for less than was measured, begin there, too.
        """
        scenes, arms = self._env.scenes, [arm.name for arm in self._env.robot.arms]
        bodies, _ = self._collect_bodies(i)
        is_squeezing = dict(zip(arms, is_tighter.T[scenes.gripper_entries], strict=True))
        later = [
            replace(event, step=event.step - first_row) for event in self.find_events(i) if event.step >= first_row
        ]
        return tuple(
            event
            for event in later
            if not _is_mere_landing(event, contacts, bodies, scenes.body_types(i), is_squeezing[event.arm])
        )

    def _collect_bodies(self, i: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Return names and poses (A+1 b 7) of the bodies that stand in the scene of world `i`."""
        present = self._present_bodies(i)
        names = tuple(self._env.scenes.names.bodies[column] for column in present)
        return names, np.stack([state.body_pose[i] for state in self._states[: self._rows[i]]])[:, present]

    def _collect_joints(self, i: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """Return names and values (A+1 j) of the joints of the things in the scene of world `i`."""
        names, models = self._env.scenes.names.joints, self._env.scenes.scene(i).models
        present = [column for column, name in enumerate(names) if name.partition(".")[0] in models]
        values = np.stack([state.joint[i] for state in self._states[: self._rows[i]]])[:, present]
        return tuple(names[column] for column in present), values

    def _present_bodies(self, i: int) -> NDArray[np.int64]:
        """Return the columns of the bodies that stand in the scene of world `i`."""
        return np.flatnonzero(np.isfinite(self._env.scenes.initial_body_pose[i, :, 0]))

    def _convert_contacts(self, i: int, num_rows: int) -> NDArray[np.void]:
        """Return the contacts of world `i` as rows of CONTACT_DTYPE, bodies counted among those present."""
        present = self._present_bodies(i)
        place = np.full(len(self._env.scenes.names.bodies), -1)
        place[present] = np.arange(len(present))
        own = [rows[rows["world"] == i] for rows in self._contacts[:num_rows]]
        rows = np.concatenate(own)
        converted = np.empty(len(rows), CONTACT_DTYPE)
        converted["step"] = np.repeat(np.arange(num_rows), [len(part) for part in own])
        converted["a"], converted["b"] = place[rows["a"]], place[rows["b"]]
        converted["pos"], converted["force"] = rows["pos"], rows["force"]
        return converted


def _is_mere_landing(
    event: Event, contacts: NDArray[np.void], bodies: Sequence[str], body_types: Mapping[str, str],
    is_squeezing: NDArray[np.bool_],
) -> bool:  # fmt: skip
    """Return whether a thing comes to rest that the arm has not held in any of the rows of `contacts` before.

    To hold is to squeeze (A,) what both fingers touch: the command is tighter than the gripper is.
    """
    if event.kind != "place":
        return False
    free = [k for k, name in enumerate(bodies) if body_types.get(name) == "free"]
    touched = np.zeros((2, len(bodies), event.step + 1), bool)  # finger, body, row
    before = contacts[contacts["step"] <= event.step]
    for number in range(2):
        finger = bodies.index(f"{event.arm}/finger{number}")
        for one, other in (("a", "b"), ("b", "a")):
            rows = before[before[one] == finger]
            touched[number, rows[other], rows["step"]] = True
    pinched = (touched[0] & touched[1])[free].any(axis=0)[: len(is_squeezing)]
    return not np.any(pinched & is_squeezing[: len(pinched)])


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

    def drop_images(self, count: int) -> _CameraStreams:
        """Return the streams without the first `count` images."""
        assert count >= 0, "images that are kept were taken"
        later = _CameraStreams(())
        for name in ("images", "extrinsics", "depths"):
            setattr(later, name, {camera: values[count:] for camera, values in vars(self)[name].items()})
        return later

    def append(
        self, camera: str, image: NDArray[np.uint8], extrinsics: NDArray[np.float64], depth: NDArray[np.float32] | None
    ) -> None:
        self.images[camera].append(image)
        self.extrinsics[camera].append(extrinsics)
        if depth is not None:
            self.depths[camera].append(depth)
