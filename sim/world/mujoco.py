"""MuJoCo on the CPU: n models and states of one task, stepped by threads (native stepping releases the GIL).

State is gathered for all worlds at once: the state arrays of all worlds are joined into one buffer, from which
precomputed indices pick what a `WorldState` holds. The per-world cost of Python is one control write, one step call and
one kinematics call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
from sim.world.protocol import WORLD_CONTACT, Floats, Mask, WorldNames, WorldSnapshot, WorldState
from sim.world.render import get_renderer
from sim.world.state import world_names
from sim.world.threads import StepThreads

SUBSTEPS = PHYSICS_HZ // CONTROL_HZ
SETTLE_STEPS = PHYSICS_HZ // 10
PHYSICS_STATE = mujoco.mjtState.mjSTATE_INTEGRATION
DIVERGENCE_WARNINGS = {
    int(mujoco.mjtWarning.mjWARN_BADQPOS): "position",
    int(mujoco.mjtWarning.mjWARN_BADQVEL): "velocity",
    int(mujoco.mjtWarning.mjWARN_BADQACC): "acceleration",
    int(mujoco.mjtWarning.mjWARN_BADCTRL): "control",
}

WARNING_COLUMNS = np.array(list(DIVERGENCE_WARNINGS))

# divergence is reported as a failure of its world; MuJoCo's own handler would write MUJOCO_LOG.TXT where it runs
mujoco.set_mju_user_warning(lambda message: None)


@dataclass(frozen=True)
class _Instance:
    """One world: model, data, and the indices that lead from names to MuJoCo's arrays."""

    model: mujoco.MjModel
    data: mujoco.MjData
    body_ids: NDArray[np.int64]  # (b,) of `WorldNames.bodies`, -1: absent
    joint_qpos: NDArray[np.int64]  # (j,) addresses in qpos, -1: absent
    free_dof: NDArray[np.int64]  # (b,) first address in qvel of a free joint, -1: none
    proprio_qpos: NDArray[np.int64]  # (d 2) the one or two joints that an entry of an action drives
    proprio_dof: NDArray[np.int64]  # (d 2)
    tool_sites: NDArray[np.int64]  # (a,)
    geom_body: NDArray[np.int64]  # (geoms,) index into `WorldNames.bodies`, -1: of none


class MujocoWorld:
    """n MuJoCo worlds of one task on one robot; see `sim.world.protocol.World`."""

    def __init__(self, task: Task, robot: Embodiment, n: int, threads: int = 1) -> None:
        self.task, self.robot, self.n = task, robot, n
        self.names: WorldNames = world_names(task, robot)
        self._worlds: list[_Instance | None] = [None] * n
        self._threads = min(threads, n)
        self._pool = StepThreads(self._threads - 1) if self._threads > 1 else None
        self._low, self._high = (np.array(side) for side in zip(*robot.action_limits, strict=True))
        # servo target of an actuator = entry of the command * gain - offset
        self._entry_of_actuator, self._gain, self._offset = _servo_map(robot)
        self._command = np.tile(np.array(robot.home_action, float), (n, 1))
        self._reached = self._servo_targets(self._command)  # (n actuators) where the last command has led the targets
        self._rate = np.zeros_like(self._reached)
        self._contacts: dict[int, NDArray[np.void]] = {}  # by world, read from MuJoCo or kept by a snapshot
        self._all_contacts: NDArray[np.void] | None = None  # of all worlds, joined
        self._state: GatheredState | None = None
        self._gather: _Gather | None = None

    def compile_scene(self, scene: SceneSample) -> mujoco.MjModel:
        """Return the scene's model."""
        return compile_model(self.task, self.robot, scene)

    def load(self, scenes: Mapping[int, SceneSample], compiled: Mapping[int, mujoco.MjModel] | None = None) -> None:
        """Put scenes into some worlds, robot at home; see `World.load`."""
        home = np.array(self.robot.home_action, float)
        for i, scene in scenes.items():
            model = compiled[i] if compiled and i in compiled else self.compile_scene(scene)
            world = _index_model(model, scene, self.names, self.robot)
            self._command[i] = home
            self._reached[i] = self._servo_targets(home[None])[0]
            _place_robot(world, self.robot, scene, self._reached[i])
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
            together, apart = _read_contacts(unread)
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
        return {i: _describe_divergence(numbers[i]) for i in np.flatnonzero(numbers.any(axis=1)).tolist()}

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
            _update_cameras(world)
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
                _update_cameras(world)
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

    def _loaded(self, i: int) -> _Instance:
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

    def _gathered(self) -> _Gather:
        if self._gather is None:
            self._gather = _Gather(self._worlds, self.names, self.robot)
        return self._gather


class GatheredState:
    """The state of all worlds at one step, each field gathered when it is first read; see `WorldState`."""

    def __init__(self, gather: _Gather, command: Floats) -> None:
        self._command = command
        self._gather: _Gather | None = gather
        self._fields: dict[str, Floats] = {}

    def expire(self) -> None:
        """Refuse to gather what has not been read yet: the worlds move on."""
        self._gather = None

    @property
    def command(self) -> Floats:
        """The last command (n d)."""
        return self._command

    @property
    def proprio(self) -> Floats:
        """Measured joints and gripper openings (n d)."""
        return self._read("proprio", _Gather.read_proprio)

    @property
    def proprio_velocity(self) -> Floats:
        """Rates of change of joints and gripper openings (n d)."""
        return self._read("proprio_velocity", _Gather.read_proprio_velocity)

    @property
    def ee_pose(self) -> Floats:
        """world_from_tool (n a 7)."""
        return self._read("ee_pose", _Gather.read_tool_poses)

    @property
    def body_pose(self) -> Floats:
        """world_from_body (n b 7)."""
        return self._read("body_pose", _Gather.read_body_poses)

    @property
    def body_velocity(self) -> Floats:
        """Linear velocity (n b 3) of free bodies."""
        return self._read("body_velocity", _Gather.read_body_velocities)

    @property
    def joint(self) -> Floats:
        """Joints of objects (n j)."""
        return self._read("joint", _Gather.read_joints)

    def _read(self, field: str, read: Callable[[_Gather], Floats]) -> Floats:
        if field not in self._fields:
            if self._gather is None:
                raise RuntimeError(f"{field} is of an earlier step; read it before the worlds are stepped on")
            self._fields[field] = read(self._gather)
        return self._fields[field]


class _Gather:
    """Reads the state of all worlds at once: one joined buffer a field, then one indexing operation."""

    def __init__(self, worlds: Sequence[_Instance | None], names: WorldNames, robot: Embodiment) -> None:
        self._xpos = _Joined([w and w.data.xpos for w in worlds], 3)
        self._xquat = _Joined([w and w.data.xquat for w in worlds], 4)
        self._qpos = _Joined([w and w.data.qpos for w in worlds], 1)
        self._qvel = _Joined([w and w.data.qvel for w in worlds], 1)
        self._site_pos = _Joined([w and w.data.site_xpos for w in worlds], 3)
        self._site_mat = _Joined([w and w.data.site_xmat for w in worlds], 9)
        n, d, a = len(worlds), len(robot.action_limits), len(robot.arms)
        b, j = len(names.bodies), len(names.joints)
        self._body = np.full((n, b), self._xpos.absent)
        self._joint = np.full((n, j), self._qpos.absent)
        self._proprio = np.full((n, d, 2), self._qpos.absent)
        self._rate = np.full((n, d, 2), self._qvel.absent)
        self._free = np.full((n, b, 3), self._qvel.absent)
        self._unmoved = np.zeros((n, b), bool)
        self._tool = np.full((n, a), self._site_pos.absent)
        self._warning_views = {i: w.data.warning.number for i, w in enumerate(worlds) if w is not None}
        self._raised = np.zeros((n, len(WARNING_COLUMNS)), np.int64)
        self._scale = np.array([s for arm in robot.arms for s in (*[1.0] * len(arm.links), arm.gripper.stroke)])
        for i, world in enumerate(worlds):
            if world is not None:
                self._set_indices(i, world)

    def replace(self, i: int, world: _Instance) -> bool:
        """Read another instance as world i; False, and this gather is of no more use, where arrays differ in size."""
        data = world.data
        if not (
            self._xpos.replace(i, data.xpos) and self._xquat.replace(i, data.xquat)
            and self._qpos.replace(i, data.qpos) and self._qvel.replace(i, data.qvel)
            and self._site_pos.replace(i, data.site_xpos) and self._site_mat.replace(i, data.site_xmat)
        ):  # fmt: skip
            return False
        self._warning_views[i] = data.warning.number
        self._set_indices(i, world)
        return True

    def _set_indices(self, i: int, world: _Instance) -> None:
        free = world.free_dof
        self._body[i] = self._xpos.index(i, world.body_ids)
        self._joint[i] = self._qpos.index(i, world.joint_qpos)
        self._proprio[i] = self._qpos.index(i, world.proprio_qpos)
        self._rate[i] = self._qvel.index(i, world.proprio_dof)
        self._free[i] = self._qvel.index(i, np.where(free[:, None] < 0, -1, free[:, None] + np.arange(3)))
        self._unmoved[i] = (free < 0) & (world.body_ids >= 0)
        self._tool[i] = self._site_pos.index(i, world.tool_sites)

    def read_proprio(self) -> Floats:
        """Return measured joints and gripper openings (n d); a gripper's is the mean of its fingers'."""
        measured = self._qpos.read()[:, 0][self._proprio]
        return (measured[..., 0] + measured[..., 1]) / 2 / self._scale

    def read_proprio_velocity(self) -> Floats:
        """Return their rates of change (n d)."""
        rate = self._qvel.read()[:, 0][self._rate]
        return (rate[..., 0] + rate[..., 1]) / 2 / self._scale

    def read_body_poses(self) -> Floats:
        """Return world_from_body (n b 7)."""
        poses = np.empty((*self._body.shape, 7))
        poses[..., :3] = self._xpos.read()[self._body]
        poses[..., 3:] = self._xquat.read()[self._body]
        return poses

    def read_body_velocities(self) -> Floats:
        """Return linear velocities (n b 3) of free bodies, 0 of all others."""
        velocity = self._qvel.read()[:, 0][self._free]
        velocity[self._unmoved] = 0.0
        return velocity

    def read_joints(self) -> Floats:
        """Return joints of objects (n j)."""
        return self._qpos.read()[:, 0][self._joint]

    def read_tool_poses(self) -> Floats:
        """Return world_from_tool (n a 7)."""
        position, rotation = self._site_pos.read()[self._tool], self._site_mat.read()[self._tool]
        quats = np.empty((*self._tool.shape, 4))
        for row, flat in zip(quats.reshape(-1, 4), rotation.reshape(-1, 9), strict=True):
            mujoco.mju_mat2Quat(row, flat)
        return np.concatenate([position, quats], axis=-1)

    def read_warnings(self) -> NDArray[np.int64]:
        """Return how often each warning of DIVERGENCE_WARNINGS was raised (n kinds)."""
        if self._warning_views:
            numbers = np.concatenate(list(self._warning_views.values())).reshape(len(self._warning_views), -1)
            self._raised[list(self._warning_views)] = numbers[:, WARNING_COLUMNS]
        return self._raised


class _Joined:
    """State arrays (k_i c) of all worlds, joined into one buffer (sum k_i + 1, c) whose last row, `absent`, is NaN."""

    def __init__(self, arrays: Sequence[NDArray | None], columns: int) -> None:
        # views: MuJoCo writes into them
        self._views = {i: view.reshape(-1) for i, view in enumerate(arrays) if view is not None}
        counts = [0 if view is None else view.size // columns for view in arrays]
        self._starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
        self.absent = sum(counts)
        self._buffer = np.full((self.absent + 1, columns), np.nan)
        self._flat = self._buffer.reshape(-1)[: self.absent * columns]

    def index(self, i: int, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rows of the buffer for rows of world i's own array; -1, absent, is the row of NaN."""
        return np.where(local < 0, self.absent, self._starts[i] + local)

    def replace(self, i: int, array: NDArray) -> bool:
        """Read world i from another array; False where it is not of the same size."""
        if i not in self._views or self._views[i].size != array.size:
            return False
        self._views[i] = array.reshape(-1)
        return True

    def read(self) -> Floats:
        """Return the buffer, brought up to date."""
        if self._views:
            np.concatenate(list(self._views.values()), out=self._flat)
        return self._buffer


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


def _index_model(model: mujoco.MjModel, scene: SceneSample, names: WorldNames, robot: Embodiment) -> _Instance:
    data = mujoco.MjData(model)
    ids = {model.body(i).name: i for i in range(model.nbody)}
    joints = {model.joint(i).name: model.joint(i) for i in range(model.njnt)}
    body_ids = np.array([ids.get(name, -1) for name in names.bodies])
    interest = np.full(model.nbody, -1)
    interest[body_ids[body_ids >= 0]] = np.flatnonzero(body_ids >= 0)
    driven = [
        names_
        for arm in robot.arms
        for names_ in (
            *((f"{arm.name}/joint{i}",) * 2 for i in range(len(arm.links))),
            (f"{arm.name}/finger0", f"{arm.name}/finger1"),
        )
    ]
    free = [joints.get(f"{name}.free") for name in names.bodies]
    return _Instance(
        model, data, body_ids,
        joint_qpos=np.array([joints[name].qposadr[0] if name in joints else -1 for name in names.joints], int),
        free_dof=np.array([-1 if joint is None else joint.dofadr[0] for joint in free], int),
        proprio_qpos=np.array([[joints[name].qposadr[0] for name in pair] for pair in driven], int),
        proprio_dof=np.array([[joints[name].dofadr[0] for name in pair] for pair in driven], int),
        tool_sites=np.array([model.site(f"{arm.name}/tool").id for arm in robot.arms], int),
        geom_body=interest[model.geom_bodyid],
    )  # fmt: skip


def _place_robot(world: _Instance, robot: Embodiment, scene: SceneSample, target: Floats) -> None:
    """Set the joints of robot and objects to where they start."""
    model, data = world.model, world.data
    scale = [s for arm in robot.arms for s in (*[1.0] * len(arm.links), arm.gripper.stroke)]
    for value, addresses, factor in zip(robot.home_action, world.proprio_qpos, scale, strict=True):
        data.qpos[addresses] = value * factor
    for name, built in scene.models.items():
        for part in built.parts:
            data.qpos[model.joint(f"{name}.{part.joint}").qposadr[0]] = part.initial_value
    data.act[:] = target
    mujoco.mj_kinematics(model, data)


def _update_cameras(world: _Instance) -> None:
    """Bring the poses of cameras and lights up to the bodies', which are those of the integrated state."""
    mujoco.mj_comPos(world.model, world.data)
    mujoco.mj_camlight(world.model, world.data)


def _read_contacts(worlds: Mapping[int, _Instance]) -> tuple[NDArray[np.void], dict[int, NDArray[np.void]]]:
    """Return the contacts of some worlds (by index) between bodies that have names, all together and world by world."""
    instances, contacts = list(worlds.values()), [world.data.contact for world in worlds.values()]
    counts = np.array([world.data.ncon for world in instances])
    geom_body, first_geom = _join([world.geom_body for world in instances])
    efc_force, first_row = _join([world.data.efc_force for world in instances])
    geoms = np.concatenate([contact.geom for contact in contacts]) + np.repeat(first_geom, counts)[:, None]
    address = np.concatenate([contact.efc_address for contact in contacts])
    pairs = geom_body[geoms]
    keep = np.flatnonzero((pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1]) & (address >= 0))
    rows = np.zeros(len(keep), WORLD_CONTACT)
    rows["world"] = np.repeat(np.array(list(worlds)), counts)[keep]
    rows["a"], rows["b"] = pairs[keep].T
    rows["pos"] = np.concatenate([contact.pos for contact in contacts])[keep]
    rows["force"] = efc_force[(address + np.repeat(first_row, counts))[keep]]  # a contact's first row is its normal
    ends = np.searchsorted(keep, np.cumsum(counts)).tolist()
    return rows, {i: rows[start:end] for i, start, end in zip(worlds, [0, *ends[:-1]], ends, strict=True)}


def _join(arrays: Sequence[NDArray]) -> tuple[NDArray, NDArray[np.int64]]:
    """Return arrays joined into one, and where each begins in it."""
    return np.concatenate(arrays), np.cumsum([0, *(len(array) for array in arrays[:-1])])


def _describe_divergence(numbers: NDArray[np.int64]) -> str:
    kinds = [kind for number, kind in zip(numbers, DIVERGENCE_WARNINGS.values(), strict=True) if number]
    return f"physics diverged: {' and '.join(kinds)} not finite" if kinds else ""
