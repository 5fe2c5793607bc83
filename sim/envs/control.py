"""Control modes: what an action means, and the joint targets that it comes to.

* `joint_position`: joint targets in radians and gripper openings, 0 closed to 1 open.
* `joint_delta`: by how much the joint targets change within a control step; grippers as above.
* `ee_delta`: by how much each tool's target moves (metres, world frame) and turns (rotation vector, radians, world
  frame) within a control step; one step of damped least squares makes joint targets of it, slowed down as a whole
  where a joint would exceed its greatest speed; grippers as above.

Deltas count from the command that the robot holds, not from where it has been measured: a delta of zero holds still.
Normalised, every entry lies in [-1, 1], which is mapped linearly to its range. Entries beyond their range are clipped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.model import Embodiment
from sim.registry import resolve_name
from sim.types import CONTROL_HZ, ActionChunk, UserError

CONTROL_MODES = ("joint_position", "joint_delta", "ee_delta")
MAX_EE_SPEED_M_S, MAX_EE_SPEED_RAD_S = 0.5, 2.0
EE_AXES = ("x", "y", "z", "rx", "ry", "rz")

Floats = NDArray[np.float64]


def check_chunk(chunk: object) -> ActionChunk:
    """Return what a policy answered; `UserError` where it is no chunk, or one that would not move the world on."""
    if not isinstance(chunk, ActionChunk):
        raise UserError(f"a policy answers with a sim.types.ActionChunk, not with {type(chunk).__name__}")
    shape, horizon = np.shape(chunk.actions), chunk.execution_horizon
    if len(shape) != 3 or not shape[1]:
        raise UserError(f"a policy answered with actions of shape {shape}; valid: (worlds, 1 or more steps, channels)")
    if not isinstance(horizon, int | np.integer) or horizon < 0:
        raise UserError(f"a policy answered with execution_horizon {horizon!r}; valid: 0, for all actions, or above")
    return chunk


class Controller:
    """Turns actions (n d) of one control mode into joint targets (n d) of a robot."""

    def __init__(self, robot: Embodiment, mode: str = "joint_position", normalized: bool = False) -> None:
        self.robot, self.normalized = robot, normalized
        self.mode = resolve_name("control mode", mode, CONTROL_MODES)
        self._chains = [KinematicChain(arm) for arm in robot.arms]
        self._target_low, self._target_high = (np.array(side, float) for side in zip(*robot.action_limits, strict=True))
        ranges = self._entry_ranges()
        self.names: tuple[str, ...] = tuple(ranges)
        self._low, self._high = np.array(list(ranges.values()), float).T
        self._is_gripper = np.array([entry for arm in robot.arms for entry in (*[False] * len(arm.links), True)])

    @property
    def low(self) -> Floats:
        """The least value of every entry of an action (d,)."""
        return np.full(len(self._low), -1.0) if self.normalized else self._low

    @property
    def high(self) -> Floats:
        """The largest value of every entry of an action (d,)."""
        return np.full(len(self._high), 1.0) if self.normalized else self._high

    def check_actions(self, actions: NDArray, n: int) -> Floats:
        """Return actions as floats (n k d); `UserError` says what shape they must have or which entry is not finite."""
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
            middle, reach = (self._high + self._low) / 2, (self._high - self._low) / 2
            actions = middle + np.clip(actions, -1.0, 1.0) * reach
        actions = np.minimum(np.maximum(actions, self._low), self._high)  # np.clip costs twice as much on small arrays
        match self.mode:
            case "joint_position":
                return actions
            case "joint_delta":
                moved = np.where(self._is_gripper, actions, command + actions)
                return np.clip(moved, self._target_low, self._target_high)
            case _:
                return self._move_tools(actions, command)

    def _move_tools(self, actions: Floats, command: Floats) -> Floats:
        """Return joint targets (n d) that move the tools by end-effector deltas."""
        targets, first, entry = command.copy(), 0, 0
        for chain in self._chains:
            joints, gripper = slice(first, first + chain.joint_count), first + chain.joint_count
            delta = actions[:, entry : entry + len(EE_AXES)]
            targets[:, joints] = chain.step_tool(command[:, joints], delta[:, :3], delta[:, 3:], 1 / CONTROL_HZ)
            targets[:, gripper] = actions[:, entry + len(EE_AXES)]
            first, entry = gripper + 1, entry + len(EE_AXES) + 1
        return targets

    def _entry_ranges(self) -> dict[str, tuple[float, float]]:
        """Return the least and the largest value of every entry of an action, by its name."""
        if self.mode == "joint_position":
            return dict(zip(self.robot.action_names, self.robot.action_limits, strict=True))
        ranges: dict[str, tuple[float, float]] = {}
        for arm in self.robot.arms:
            if self.mode == "joint_delta":
                reach = {f"joint{i}": link.max_speed / CONTROL_HZ for i, link in enumerate(arm.links)}
            else:
                speeds = [MAX_EE_SPEED_M_S] * 3 + [MAX_EE_SPEED_RAD_S] * 3
                reach = {f"ee_{axis}": speed / CONTROL_HZ for axis, speed in zip(EE_AXES, speeds, strict=True)}
            ranges |= {f"{arm.name}/{name}": (-most, most) for name, most in reach.items()}
            ranges[f"{arm.name}/gripper"] = (0.0, 1.0)
        return ranges
