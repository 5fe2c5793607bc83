"""Inverse kinematics of one arm: damped least squares with restarts, many problems at once.

Step: dq = Jᵀ (J Jᵀ + λ² I)⁻¹ e (Nakamura and Hanafusa 1986), e the pose error as position and rotation vector.
"""

from __future__ import annotations

import numpy as np

from sim.embodiment import ArmModel
from sim.geometry import Array, cross, from_matrix, matrix, pose

DAMPING = 0.02
LONGEST = 0.4  # radians a step and joint
POSITION, ROTATION = 5e-4, 5e-3  # metres and radians that count as reached
RESTARTS = 6
UNIT = np.eye(3)


class Chain:
    """The kinematics of an arm from the world to its tool frame."""

    def __init__(self, arm: ArmModel) -> None:
        self.joints = len(arm.links)
        base = matrix(arm.base_quat)
        self._base = (np.array(arm.base_pos, float), base)
        self._offset = [np.array(link.pos, float) for link in arm.links]
        self._turn = [matrix(link.quat) for link in arm.links]
        self._axis = [np.array(link.axis, float) for link in arm.links]
        self._cross = [_cross_matrix(axis) for axis in self._axis]
        self._square = [k @ k for k in self._cross]
        self._tool = pose(arm.tool_pos, arm.tool_quat)
        self._tool_turn = matrix(arm.tool_quat)
        self.low = np.array([link.range[0] for link in arm.links])
        self.high = np.array([link.range[1] for link in arm.links])
        self.home = np.array(arm.home)
        self.speed = np.array([link.speed for link in arm.links])
        rng = np.random.default_rng(0)
        spread = (self.high - self.low) * 0.35
        self._restarts = np.clip(self.home + rng.uniform(-1, 1, (RESTARTS, self.joints)) * spread, self.low, self.high)

    def forward(self, q: Array) -> tuple[Array, Array, Array]:
        """Return tool positions (m 3), rotations (m 3 3) and Jacobians (m 6 joints) in the world, at q (m joints)."""
        m = len(q)
        position = np.broadcast_to(self._base[0], (m, 3))
        turn = np.broadcast_to(self._base[1], (m, 3, 3))
        sine, cosine = np.sin(q), np.cos(q)
        origins, axes = [], []
        for i in range(self.joints):
            position = position + turn @ self._offset[i]
            turn = turn @ self._turn[i]
            origins.append(position)
            axes.append(turn @ self._axis[i])
            k = self._cross[i]
            turn = turn @ (UNIT + sine[:, i, None, None] * k + (1 - cosine[:, i, None, None]) * self._square[i])
        tip = position + turn @ self._tool[:3]
        axis = np.stack(axes, axis=1)  # m joints 3
        arm = tip[:, None] - np.stack(origins, axis=1)
        jacobian = np.swapaxes(np.concatenate([cross(axis, arm), axis], axis=2), 1, 2)
        return tip, turn @ self._tool_turn, jacobian

    def tool(self, q: Array) -> Array:
        """Return world_from_tool (7,) at joint values q (joints,)."""
        tip, turn, _ = self.forward(q[None])
        return pose(tip[0], from_matrix(turn[0]))

    def solve(self, goals: Array, starts: Array, iterations: int = 40) -> tuple[Array, Array]:
        """Return joint values (m joints) for tool poses `goals` (m 7), from `starts`, and which are reached (m,)."""
        q = np.clip(starts, self.low, self.high)
        reached = np.zeros(len(q), bool)
        target = matrix(goals[:, 3:])
        open_ = np.arange(len(q))  # the problems still unsolved
        for step in range(iterations + 1):
            tip, turn, jacobian = self.forward(q[open_])
            error = np.concatenate([goals[open_, :3] - tip, _rotation_error(turn, target[open_])], axis=1)
            near = np.linalg.norm(error[:, :3], axis=1) < POSITION
            near &= np.linalg.norm(error[:, 3:], axis=1) < ROTATION
            reached[open_] = near
            open_, error, jacobian = open_[~near], error[~near], jacobian[~near]
            if len(open_) == 0 or step == iterations:
                break
            q[open_] = np.clip(q[open_] + self._step(q[open_], error, jacobian), self.low, self.high)
        return q, reached

    def _step(self, q: Array, error: Array, jacobian: Array) -> Array:
        transposed = np.swapaxes(jacobian, 1, 2)
        square = jacobian @ transposed + DAMPING**2 * np.eye(6)
        move = (transposed @ np.linalg.solve(square, error[:, :, None]))[:, :, 0]
        if self.joints > 6:  # the spare freedom leans home
            lean = 0.1 * (self.home - q)
            move = move + lean - (transposed @ np.linalg.solve(square, jacobian @ lean[:, :, None]))[:, :, 0]
        largest = np.abs(move).max(axis=1, keepdims=True)
        return move * np.minimum(1.0, LONGEST / np.maximum(largest, 1e-9))

    def candidates(self, goals: Array, near: Array) -> tuple[Array, Array]:
        """Return, for each of `goals` (c 7), the solution nearest to `near` and its cost (c,), infinite where none is.

        The cost is the largest joint move in radians. Restarts are spent only where the two natural starts
        (from here, from home) reach nothing at all.
        """
        q, cost = self._nearest(goals, near, np.stack([near, self.home]))
        if not np.isfinite(cost).any():
            q, cost = self._nearest(goals, near, self._restarts)
        return q, cost

    def _nearest(self, goals: Array, near: Array, starts: Array) -> tuple[Array, Array]:
        tries = len(starts)
        q, reached = self.solve(np.repeat(goals, tries, axis=0), np.tile(starts, (len(goals), 1)))
        cost = np.where(reached, np.abs(q - near).max(axis=1), np.inf).reshape(len(goals), tries)
        best = cost.argmin(axis=1)
        rows = np.arange(len(goals))
        return q.reshape(len(goals), tries, -1)[rows, best], cost[rows, best]


def _cross_matrix(v: Array) -> Array:
    return np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def _rotation_error(turn: Array, target: Array) -> Array:
    """Return the world-frame rotation vectors (m 3) that carry `turn` to `target` (m 3 3)."""
    delta = target @ np.swapaxes(turn, 1, 2)
    trace = np.clip((np.trace(delta, axis1=1, axis2=2) - 1) / 2, -1.0, 1.0)
    angle = np.arccos(trace)
    skew = np.stack(
        [delta[:, 2, 1] - delta[:, 1, 2], delta[:, 0, 2] - delta[:, 2, 0], delta[:, 1, 0] - delta[:, 0, 1]], axis=1
    )
    length = np.linalg.norm(skew, axis=1, keepdims=True)
    near_pi = (angle > 3.1) & (length[:, 0] < 1e-6)
    direction = np.where(length > 1e-12, skew / np.maximum(length, 1e-12), 0.0)
    direction[near_pi] = (1.0, 0.0, 0.0)  # any axis leaves a half turn; the next step corrects it
    return direction * angle[:, None]
