"""MuJoCo on the CPU: n models and states of one task, stepped by threads (native stepping releases the GIL).

The per-world cost of Python is one control write, one step call and one kinematics call; state and contacts are
gathered for all worlds at once (`sim.world.mujoco_state`, `sim.world.mujoco_instance`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import degrees

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize, compute_extrinsics, vertical_field
from sim.embodiment.model import Embodiment
from sim.scene.compile import compile_model
from sim.scene.sample import SceneSample
from sim.task.spec import Task
from sim.types import CONTROL_HZ, PHYSICS_HZ, Images
from sim.world.mujoco_instance import Instance, index_model, place_robot, read_contacts, update_cameras
from sim.world.mujoco_state import GatheredState, StateGather, describe_divergence
from sim.world.protocol import WORLD_CONTACT, Floats, Mask, WorldNames, WorldSnapshot, WorldState
from sim.world.render import get_renderer
from sim.world.scene_table import world_names
from sim.world.threads import StepThreads

SUBSTEPS = PHYSICS_HZ // CONTROL_HZ
SETTLE_STEPS = PHYSICS_HZ // 10
PHYSICS_STATE = mujoco.mjtState.mjSTATE_INTEGRATION

# divergence is reported as a failure of its world; MuJoCo's own handler would write MUJOCO_LOG.TXT where it runs
mujoco.set_mju_user_warning(lambda message: None)


class MujocoWorld:
    """n MuJoCo worlds of one task on one robot; see `sim.world.protocol.World`."""

    def __init__(self, task: Task, robot: Embodiment, n: int, threads: int = 1) -> None:
        self.task, self.robot, self.n = task, robot, n
        self.names: WorldNames = world_names(task, robot)
        self._worlds: list[Instance | None] = [None] * n
        threads = min(threads, n)
        self._pool = StepThreads(threads - 1) if threads > 1 else None
        self._low, self._high = (np.array(side) for side in zip(*robot.action_limits, strict=True))
        # servo target of an actuator = entry of the command * gain - offset
        self._entry_of_actuator, self._gain, self._offset = _servo_map(robot)
        self._command = np.tile(np.array(robot.home_action, float), (n, 1))
        self._reached = self._servo_targets(self._command)  # (n actuators) where the last command has led the targets
        self._rate = np.zeros_like(self._reached)
        self._contacts: dict[int, NDArray[np.void]] = {}  # by world, read from MuJoCo or kept by a snapshot
        self._all_contacts: NDArray[np.void] | None = None  # of all worlds, joined
        self._state: GatheredState | None = None
        self._gather: StateGather | None = None

    def compile_scene(self, scene: SceneSample) -> mujoco.MjModel:
        """Return the scene's model."""
        return compile_model(self.task, self.robot, scene)

    def load(self, scenes: Mapping[int, SceneSample], compiled: Mapping[int, mujoco.MjModel] | None = None) -> None:
        """Put scenes into some worlds, robot at home; see `World.load`."""
        home = np.array(self.robot.home_action, float)
        for i, scene in scenes.items():
            model = compiled[i] if compiled and i in compiled else self.compile_scene(scene)
            world = index_model(model, self.names, self.robot)
            self._command[i] = home
            self._reached[i] = self._servo_targets(home[None])[0]
            place_robot(world, self.robot, scene, self._reached[i])
            self._worlds[i] = world
            self._contacts.pop(i, None)
            if self._gather is not None and not self._gather.replace(i, world):
                self._gather = None
        self._invalidate_state()

    def step(self, targets: Floats, active: Mask) -> None:
        """Advance the active worlds one control period (20 ms); see `World.step`."""
        moving = np.flatnonzero(active)
        self._command[moving] = np.minimum(np.maximum(targets[moving], self._low), self._high)
        reached = self._servo_targets(self._command)
        self._rate = (reached - self._reached) * (PHYSICS_HZ / SUBSTEPS)
        self._reached = reached
        self._advance(moving.tolist(), self._ramp)

    def settle(self, active: Mask) -> None:
        """Advance the active worlds 0.1 s under the command that they hold; see `World.settle`."""
        self._advance(np.flatnonzero(active).tolist(), self._hold)

    def state(self) -> WorldState:
        """Return the present state of all worlds; a field is gathered when it is first read."""
        if self._state is None:
            self._state = GatheredState(self._gathered(), self._command.copy())
        return self._state

    def contacts(self, worlds: Sequence[int] | None = None) -> NDArray[np.void]:
        """Return the contacts of the last physics step between bodies that have names."""
        if worlds is None:
            if self._all_contacts is None:
                self._all_contacts = self.contacts(range(self.n))
            return self._all_contacts
        unread = {i: world for i in worlds if i not in self._contacts and (world := self._worlds[i]) is not None}
        if unread:
            together, apart = read_contacts(unread)
            self._contacts |= apart
            if len(unread) == len(worlds):
                return together
        rows = [found for i in worlds if (found := self._contacts.get(i)) is not None and len(found)]
        if len(rows) < 2:
            return rows[0] if rows else np.zeros(0, WORLD_CONTACT)
        # joined as bytes: NumPy compares the fields of every pair of structured arrays that it joins
        return np.concatenate([contacts.view(np.uint8) for contacts in rows]).view(WORLD_CONTACT)

    def failures(self) -> dict[int, str]:
        """Return the worlds whose physics diverged, and why."""
        gather = self._gathered()
        numbers = gather.read_warnings()
        if not numbers.any():
            return {}
        return {i: describe_divergence(numbers[i]) for i in np.flatnonzero(numbers.any(axis=1)).tolist()}

    def save(self, worlds: Sequence[int] | None = None) -> dict[int, WorldSnapshot]:
        """Return snapshots of some worlds or of all."""
        saved = {}
        for i in range(self.n) if worlds is None else worlds:
            world = self._loaded(i)
            physics = np.empty(mujoco.mj_stateSize(world.model, PHYSICS_STATE))
            mujoco.mj_getState(world.model, world.data, physics, PHYSICS_STATE)
            saved[i] = WorldSnapshot(physics, self._command[i].copy(), self.contacts([i]).copy())
        return saved

    def restore(self, snapshots: Mapping[int, WorldSnapshot]) -> None:
        """Go back to snapshots of the scenes that are loaded."""
        for i, snapshot in snapshots.items():
            world = self._loaded(i)
            size = mujoco.mj_stateSize(world.model, PHYSICS_STATE)
            if len(snapshot.physics) != size:
                raise ValueError(f"world {i}: the snapshot has {len(snapshot.physics)} numbers, its scene {size}")
            for warning in world.data.warning:
                warning.number = 0
            mujoco.mj_setState(world.model, world.data, snapshot.physics, PHYSICS_STATE)
            mujoco.mj_kinematics(world.model, world.data)
            self._command[i] = snapshot.command
            self._contacts[i] = snapshot.contacts.copy()
            self._contacts[i]["world"] = i
        self._reached = self._servo_targets(self._command)
        self._invalidate_state()

    def render(
        self, cameras: Sequence[str], size: ImageSize, depth: bool = False, worlds: Sequence[int] | None = None
    ) -> tuple[Images, Mapping[str, NDArray[np.float32]]]:
        """Return images and depths of the named cameras; black where no scene is loaded."""
        chosen = range(self.n) if worlds is None else worlds
        images = {name: np.zeros((len(chosen), *size, 3), np.uint8) for name in cameras}
        depths = {name: np.zeros((len(chosen), *size), np.float32) for name in cameras} if depth else {}
        for row, i in enumerate(chosen):
            world = self._worlds[i]
            if world is None or not cameras:
                continue
            for camera in self.robot.cameras:
                world.model.cam_fovy[world.model.camera(camera.name).id] = degrees(vertical_field(camera.fovx, size))
            update_cameras(world)
            ids = [world.model.camera(name).id for name in cameras]
            colour, distance = get_renderer().render(world.model, world.data, ids, size, depth)
            for k, name in enumerate(cameras):
                images[name][row] = colour[k]
                if distance is not None:
                    depths[name][row] = distance[k]
        return images, depths

    def camera_poses(self, cameras: Sequence[str], worlds: Sequence[int] | None = None) -> dict[str, Floats]:
        """Return camera_from_world (m 4 4) of the named cameras."""
        chosen = range(self.n) if worlds is None else worlds
        poses: dict[str, Floats] = {name: np.full((len(chosen), 4, 4), np.nan) for name in cameras}
        for row, i in enumerate(chosen):
            world = self._worlds[i]
            if world is not None:
                update_cameras(world)
                for name in cameras:
                    camera = world.data.camera(name)
                    poses[name][row] = compute_extrinsics(camera.xpos, camera.xmat)
        return poses

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.close()

    def mujoco_pair(self, i: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """Return MuJoCo's own model and data of a world, for viewers and engine tests."""
        world = self._loaded(i)
        return world.model, world.data

    def invalidate(self) -> None:
        """Read state and contacts anew: somebody has written into MuJoCo's data."""
        self._invalidate_state()
        self._contacts.clear()

    def _invalidate_state(self) -> None:
        self._all_contacts = None
        if self._state is not None:
            self._state.expire()
            self._state = None

    def _loaded(self, i: int) -> Instance:
        world = self._worlds[i]
        if world is None:
            raise ValueError(f"world {i} holds no scene")
        return world

    def _servo_targets(self, command: Floats) -> Floats:
        return command[:, self._entry_of_actuator] * self._gain - self._offset

    def _advance(self, active: list[int], advance: Callable[[Iterable[int]], None]) -> None:
        if self._pool is None or len(active) < 2:
            advance(active)
        else:
            self._pool.run(advance, active)
        for i in active:
            self._contacts.pop(i, None)
        self._invalidate_state()

    def _ramp(self, worlds: Iterable[int]) -> None:
        """Step some worlds by a control period in which the servos' targets ramp from the last command to this one.

        Steps of the targets would jerk what is held out of the fingers; real controllers interpolate too.
        """
        for i in worlds:
            world = self._worlds[i]
            if world is not None:
                world.data.ctrl = self._rate[i]
                mujoco.mj_step(world.model, world.data, nstep=SUBSTEPS)
                mujoco.mj_kinematics(world.model, world.data)

    def _hold(self, worlds: Iterable[int]) -> None:
        """Step some worlds by the settling period, their servos' targets at rest."""
        for i in worlds:
            world = self._worlds[i]
            if world is not None:
                clock = world.data.time
                world.data.ctrl = 0.0
                mujoco.mj_step(world.model, world.data, nstep=SETTLE_STEPS)
                world.data.time = clock
                mujoco.mj_kinematics(world.model, world.data)

    def _gathered(self) -> StateGather:
        if self._gather is None:
            self._gather = StateGather(self._worlds, self.names, self.robot)
        return self._gather


def _servo_map(robot: Embodiment) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return for every actuator, in the order of the model, the entry of a command that drives it, gain and offset."""
    entry, gain, offset, at = [], [], [], 0
    for arm in robot.arms:
        for _ in arm.links:
            entry.append(at)
            gain.append(1.0)
            offset.append(0.0)
            at += 1
        grip = arm.gripper
        entry += [at, at]  # both fingers
        gain += [grip.stroke + grip.squeeze_margin] * 2
        offset += [grip.squeeze_margin] * 2
        at += 1
    return np.array(entry), np.array(gain), np.array(offset)
