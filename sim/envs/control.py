"""Control modes: what an action means, and the joint targets that it comes to.

* `joint_position`: joint targets in radians and gripper openings, 0 closed to 1 open.
* `joint_delta`: by how much the joint targets change within a control step; grippers as above.
* `ee_delta`: by how much each tool's target moves (metres, world frame) and turns (rotation vector, radians, world
  frame) within a control step; one step of damped least squares makes joint targets of it; grippers as above.

Normalised, every entry lies in [-1, 1], which is mapped linearly to its range.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.model import Embodiment
from sim.registry import resolve_name
from sim.types import CONTROL_HZ, UserError

CONTROL_MODES = ("joint_position", "joint_delta", "ee_delta")
EE_SPEED_M_S, EE_SPEED_RAD_S = 0.5, 2.0  # the largest end-effector deltas, a second
EE_AXES = ("x", "y", "z", "rx", "ry", "rz")

Floats = NDArray[np.float64]


class Controller:
    """Turns actions (n d) of one control mode into joint targets (n d) of a robot."""

    def __init__(self, robot: Embodiment, mode: str = "joint_position", normalized: bool = False) -> None:
        self.robot, self.normalized = robot, normalized
        self.mode = resolve_name("control mode", mode, CONTROL_MODES)
        self._chains = [KinematicChain(arm) for arm in robot.arms]
        self.target_low, self.target_high = (np.array(side, float) for side in zip(*robot.action_limits, strict=True))
        names, low, high = self._describe()
        self.names: tuple[str, ...] = tuple(names)
        self._low, self._high = np.array(low), np.array(high)

    @property
    def low(self) -> Floats:
        """The least value of every entry of an action (d,)."""
        return np.full(len(self._low), -1.0) if self.normalized else self._low

    @property
    def high(self) -> Floats:
        """The largest value of every entry of an action (d,)."""
        return np.full(len(self._high), 1.0) if self.normalized else self._high

    def check_actions(self, actions: NDArray, n: int) -> Floats:
        """Return actions as floats (n k d); `UserError` says what their shape must be or which entry is not a number."""
        values = np.asarray(actions, float)
        if values.ndim != 3 or values.shape[0] != n or values.shape[2] != len(self.names):
            raise UserError(f"actions have shape {values.shape}; valid: ({n}, steps, {len(self.names)})")
        if not np.isfinite(values).all():
            world, step, entry = np.argwhere(~np.isfinite(values))[0].tolist()
            where = f"world {world}, step {step}"
            raise UserError(
                f"action of {self.names[entry]} is {values[world, step, entry]} ({where}); it must be finite"
            )
        return values

    def joint_targets(self, actions: Floats, command: Floats) -> Floats:
        """Return joint targets (n d) of actions (n d), given the command (n d) that the robot holds."""
        if self.normalized:
            actions = self._low + (np.clip(actions, -1.0, 1.0) + 1.0) / 2 * (self._high - self._low)
        if self.mode == "joint_position":
            return actions
        actions = np.clip(actions, self._low, self._high)
        if self.mode == "joint_delta":
            gripper = np.array([name.endswith("/gripper") for name in self.names])
            return np.clip(np.where(gripper, actions, command + actions), self.target_low, self.target_high)
        return self._move_tools(actions, command)

    def _move_tools(self, actions: Floats, command: Floats) -> Floats:
        targets, first, entry = command.copy(), 0, 0
        for chain in self._chains:
            joints = slice(first, first + chain.joint_count)
            delta, opening = actions[:, entry : entry + 6], actions[:, entry + 6]
            targets[:, joints] = chain.step_tool(command[:, joints], delta[:, :3], delta[:, 3:])
            targets[:, first + chain.joint_count] = opening
            first, entry = first + chain.joint_count + 1, entry + 7
        return targets

    def _describe(self) -> tuple[list[str], list[float], list[float]]:
        """Return names, low and high ends of the entries of an action."""
        if self.mode == "joint_position":
            low, high = zip(*self.robot.action_limits, strict=True)
            return list(self.robot.action_names), list(low), list(high)
        names: list[str] = []
        reach: list[float] = []
        for arm in self.robot.arms:
            if self.mode == "joint_delta":
                names += [f"{arm.name}/joint{i}" for i in range(len(arm.links))]
                reach += [link.max_speed / CONTROL_HZ for link in arm.links]
            else:
                names += [f"{arm.name}/ee_{axis}" for axis in EE_AXES]
                reach += [EE_SPEED_M_S / CONTROL_HZ] * 3 + [EE_SPEED_RAD_S / CONTROL_HZ] * 3
            names.append(f"{arm.name}/gripper")
            reach.append(np.nan)
        low = [0.0 if np.isnan(r) else -r for r in reach]
        high = [1.0 if np.isnan(r) else r for r in reach]
        return names, low, high
