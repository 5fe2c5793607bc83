"""Inverse kinematics of one arm: damped least squares with restarts, many problems at once.

Step: dq = Jᵀ (J Jᵀ + λ² I)⁻¹ e (Nakamura and Hanafusa 1986), e the pose error as position and rotation vector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.embodiment.model import ArmModel, Link
from sim.geometry import Array, cross, from_matrix, matrix, pose

DAMPING = 0.02
LONGEST = 0.4  # radians a step and joint
POSITION, ROTATION = 5e-4, 5e-3  # metres and radians that count as reached
RESTARTS = 6
ITERATIONS = 24  # nearly all that 60 steps solve is solved by then; what is out of reach costs all of them
UNIT = np.eye(3)

Flags = NDArray[np.bool_]


class Chain:
    """The kinematics of an arm from the world to its tool frame."""

    def __init__(self, arm: ArmModel) -> None:
        self.joints = len(arm.links)
        self._base = homogeneous(arm.base_pos, matrix(arm.base_quat))
        # the transform of link i is fixed + sin(q)·swing + cos(q)·level (Rodrigues' formula, its terms collected)
        links = [_terms(link) for link in arm.links]
        self._fixed, self._swing, self._level = (np.stack(term) for term in zip(*links, strict=True))
        self._axis = np.array([link.axis for link in arm.links], float)
        self._tool = homogeneous(arm.tool_pos, matrix(arm.tool_quat))
        self.low = np.array([link.range[0] for link in arm.links])
        self.high = np.array([link.range[1] for link in arm.links])
        self.home = np.array(arm.home)
        self.speed = np.array([link.speed for link in arm.links])
        rng = np.random.default_rng(0)
        spread = (self.high - self.low) * 0.35
        self._restarts = np.clip(self.home + rng.uniform(-1, 1, (RESTARTS, self.joints)) * spread, self.low, self.high)

    def forward(self, q: Array) -> tuple[Array, Array, Array]:
        """Return tool positions (m 3), rotations (m 3 3) and Jacobians (m 6 joints) in the world, at q (m joints)."""
        local = self._fixed + np.sin(q)[..., None, None] * self._swing + np.cos(q)[..., None, None] * self._level
        frames = np.empty((len(q), self.joints, 4, 4))
        frame = self._base
        for i in range(self.joints):
            frame = np.matmul(frame, local[:, i], out=frames[:, i])
        end = frame @ self._tool
        axis = (frames[..., :3, :3] @ self._axis[..., None])[..., 0]  # m joints 3
        arm = end[:, None, :3, 3] - frames[..., :3, 3]
        jacobian = np.swapaxes(np.concatenate([cross(axis, arm), axis], axis=2), 1, 2)
        return end[:, :3, 3], end[:, :3, :3], jacobian

    def tool(self, q: Array) -> Array:
        """Return world_from_tool (7,) at joint values q (joints,)."""
        tip, turn, _ = self.forward(q[None])
        return pose(tip[0], from_matrix(turn[0]))

    def solve(self, goals: Array, starts: Array, iterations: int = ITERATIONS) -> tuple[Array, Flags]:
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

        The cost is the length of the joint move in radians: the largest move alone leaves the other joints free, and
        like scenes would be solved in unlike ways, which nobody can learn from. Restarts are spent only
        where the two natural starts (from here, from home) reach nothing at all.
        """
        q, cost = self._nearest(goals, near, np.stack([near, self.home]))
        if not np.isfinite(cost).any():
            q, cost = self._nearest(goals, near, self._restarts)
        return q, cost

    def _nearest(self, goals: Array, near: Array, starts: Array) -> tuple[Array, Array]:
        tries = len(starts)
        q, reached = self.solve(np.repeat(goals, tries, axis=0), np.tile(starts, (len(goals), 1)))
        cost = np.where(reached, np.linalg.norm(q - near, axis=1), np.inf).reshape(len(goals), tries)
        best = cost.argmin(axis=1)
        rows = np.arange(len(goals))
        return q.reshape(len(goals), tries, -1)[rows, best], cost[rows, best]


def homogeneous(position: ArrayLike, turn: Array) -> Array:
    """Return the 4 4 matrix of a pose."""
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = turn, position
    return found


def _terms(link: Link) -> tuple[Array, Array, Array]:
    """Return what of a link's transform (4 4 each) is fixed, goes with sin(q), and goes with cos(q)."""
    x, y, z = link.axis
    cross_matrix = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]], float)
    square = cross_matrix @ cross_matrix
    frame = homogeneous(link.pos, matrix(link.quat))
    swing, level = np.zeros((4, 4)), np.zeros((4, 4))
    swing[:3, :3], level[:3, :3] = cross_matrix, -square
    return frame @ homogeneous((0, 0, 0), UNIT + square), frame @ swing, frame @ level


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
