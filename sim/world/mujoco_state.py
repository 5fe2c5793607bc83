"""The state of all MuJoCo worlds at once.

The arrays of all worlds are joined into one buffer, from which precomputed indices pick what a `WorldState` holds: the
cost of Python is that of a few array operations, whatever the number of worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Embodiment
from sim.world.mujoco_instance import Instance
from sim.world.protocol import Floats, WorldNames

DIVERGENCE_WARNINGS = {
    int(mujoco.mjtWarning.mjWARN_BADQPOS): "position",
    int(mujoco.mjtWarning.mjWARN_BADQVEL): "velocity",
    int(mujoco.mjtWarning.mjWARN_BADQACC): "acceleration",
    int(mujoco.mjtWarning.mjWARN_BADCTRL): "control",
}
WARNING_COLUMNS = np.array(list(DIVERGENCE_WARNINGS))


class GatheredState:
    """The state of all worlds at one step, each field gathered when it is first read; see `WorldState`."""

    def __init__(self, gather: StateGather, command: Floats) -> None:
        self._command = command
        self._gather: StateGather | None = gather
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
        return self._read("proprio", StateGather.read_proprio)

    @property
    def proprio_velocity(self) -> Floats:
        """Rates of change of joints and gripper openings (n d)."""
        return self._read("proprio_velocity", StateGather.read_proprio_velocity)

    @property
    def ee_pose(self) -> Floats:
        """world_from_tool (n a 7)."""
        return self._read("ee_pose", StateGather.read_tool_poses)

    @property
    def body_pose(self) -> Floats:
        """world_from_body (n b 7)."""
        return self._read("body_pose", StateGather.read_body_poses)

    @property
    def body_velocity(self) -> Floats:
        """Linear velocity (n b 3) of free bodies."""
        return self._read("body_velocity", StateGather.read_body_velocities)

    @property
    def joint(self) -> Floats:
        """Joints of objects (n j)."""
        return self._read("joint", StateGather.read_joints)

    def _read(self, field: str, read: Callable[[StateGather], Floats]) -> Floats:
        if field not in self._fields:
            if self._gather is None:
                raise RuntimeError(f"{field} is of an earlier step; read it before the worlds are stepped on")
            self._fields[field] = read(self._gather)
        return self._fields[field]


class StateGather:
    """Reads the state of all worlds at once: one joined buffer a field, then one indexing operation."""

    def __init__(self, worlds: Sequence[Instance | None], names: WorldNames, robot: Embodiment) -> None:
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

    def replace(self, i: int, world: Instance) -> bool:
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

    def _set_indices(self, i: int, world: Instance) -> None:
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


def describe_divergence(numbers: NDArray[np.int64]) -> str:
    kinds = [kind for number, kind in zip(numbers, DIVERGENCE_WARNINGS.values(), strict=True) if number]
    return f"physics diverged: {' and '.join(kinds)} not finite" if kinds else ""
