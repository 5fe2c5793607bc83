"""Inverse kinematics of one arm: damped least squares with restarts, many problems at once.

Step: dq = Jᵀ (J Jᵀ + λ² I)⁻¹ e (Nakamura and Hanafusa 1986), e the pose error as position and rotation vector.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.embodiment.model import ArmModel, Link
from sim.embodiment.shapes import list_bounding_spheres
from sim.geometry import Array, cross, make_pose, quat_from_matrix, quat_to_matrix

IK_DAMPING = 0.02
MAX_IK_STEP_RAD = 0.4  # radians a step and joint
POSITION_TOLERANCE_M, ROTATION_TOLERANCE_RAD = 5e-4, 5e-3  # metres and radians that count as reached
IK_RESTART_COUNT = 6
MAX_IK_ITERATIONS = 24  # nearly all that 60 steps solve is solved by then; what is out of reach costs all of them
IDENTITY_MATRIX = np.eye(3)

BoolArray = NDArray[np.bool_]


class KinematicChain:
    """The kinematics of an arm from the world to its tool frame."""

    def __init__(self, arm: ArmModel) -> None:
        self.joint_count = len(arm.links)
        self._world_from_base = build_homogeneous_matrix(arm.base_pos, quat_to_matrix(arm.base_quat))
        # the transform of link i is fixed + sin(q)·swing + cos(q)·level (Rodrigues' formula, its terms collected)
        link_terms = [_collect_rodrigues_terms(link) for link in arm.links]
        self._constant_terms, self._sine_terms, self._cosine_terms = (
            np.stack(term) for term in zip(*link_terms, strict=True)
        )
        self._joint_axes = np.array([link.axis for link in arm.links], float)
        self._flange_from_tool = build_homogeneous_matrix(arm.tool_pos, quat_to_matrix(arm.tool_quat))
        self.lower_limits = np.array([link.range[0] for link in arm.links])
        self.upper_limits = np.array([link.range[1] for link in arm.links])
        self.home_joints = np.array(arm.home)
        self.start_postures = np.array([arm.home, *arm.ik_starts], float)  # s joints
        self.max_joint_speeds = np.array([link.max_speed for link in arm.links])
        # spheres at the ends of all links but the last, which carries the hand: link, centre in its frame, radius
        spheres = [
            (i, *sphere) for i, link in enumerate(arm.links[:-1]) for sphere in list_bounding_spheres(link.geoms)
        ]
        self._sphere_links = np.array([i for i, _, _ in spheres], int)
        self._sphere_centres = np.array([centre for _, centre, _ in spheres], float).reshape(-1, 3)
        self.sphere_radii = np.array([radius for _, _, radius in spheres], float)
        rng = np.random.default_rng(0)
        spread = (self.upper_limits - self.lower_limits) * 0.35
        self._restart_joints = np.clip(
            self.home_joints + rng.uniform(-1, 1, (IK_RESTART_COUNT, self.joint_count)) * spread,
            self.lower_limits,
            self.upper_limits,
        )

    def forward_kinematics(self, q: Array) -> tuple[Array, Array, Array]:
        """Return tool positions (m 3), rotations (m 3 3) and Jacobians (m 6 joints) in the world, at q (m joints)."""
        frames = self._compute_frames(q)
        world_from_tool = frames[:, -1] @ self._flange_from_tool
        world_axes = (frames[..., :3, :3] @ self._joint_axes[..., None])[..., 0]  # m joints 3
        lever_arms = world_from_tool[:, None, :3, 3] - frames[..., :3, 3]
        jacobian = np.swapaxes(np.concatenate([cross(world_axes, lever_arms), world_axes], axis=2), 1, 2)
        return world_from_tool[:, :3, 3], world_from_tool[:, :3, :3], jacobian

    def _compute_frames(self, q: Array) -> Array:
        """Return world_from_link (m joints 4 4) at joint values q (m joints)."""
        link_transforms = (
            self._constant_terms
            + np.sin(q)[..., None, None] * self._sine_terms
            + np.cos(q)[..., None, None] * self._cosine_terms
        )
        frames = np.empty((len(q), self.joint_count, 4, 4))
        frame = self._world_from_base
        for i in range(self.joint_count):
            frame = np.matmul(frame, link_transforms[:, i], out=frames[:, i])
        return frames

    def compute_tool_pose(self, q: Array) -> Array:
        """Return world_from_tool (7,) at joint values q (joints,)."""
        position, rotation, _ = self.forward_kinematics(q[None])
        return make_pose(position[0], quat_from_matrix(rotation[0]))

    def compute_link_frames(self, q: Array) -> Array:
        """Return world_from_link (joints 4 4) of every link at joint values q (joints,)."""
        return self._compute_frames(q[None])[0]

    def step_tool(self, q: Array, translation: Array, rotation: Array, period: float) -> Array:
        """Return joint values (m joints) after one damped step that moves the tools by translations and rotations.

        Both (m 3) are in the world frame, the latter rotation vectors. Where a joint would have to turn faster than it
        may within `period` seconds, the whole step is shortened.
        """
        _, _, jacobian = self.forward_kinematics(q)
        step = _damped_least_squares(jacobian, np.concatenate([translation, rotation], axis=1))
        excess = np.abs(step / (self.max_joint_speeds * period)).max(axis=1, keepdims=True)
        return np.clip(q + step / np.maximum(excess, 1.0), self.lower_limits, self.upper_limits)

    def compute_sphere_centres(self, q: Array) -> Array:
        """Centres (m s 3), world frame, of the spheres that bound the links before the hand, at q (m joints)."""
        frames = self._compute_frames(q)[:, self._sphere_links]
        return (frames[..., :3, :3] @ self._sphere_centres[..., None])[..., 0] + frames[..., :3, 3]

    def solve_ik(self, goals: Array, starts: Array, iterations: int = MAX_IK_ITERATIONS) -> tuple[Array, BoolArray]:
        """Return joint values (m joints) for tool poses `goals` (m 7), from `starts`, and which are reached (m,)."""
        q = np.clip(starts, self.lower_limits, self.upper_limits)
        reached = np.zeros(len(q), bool)
        target_rotations = quat_to_matrix(goals[:, 3:])
        unsolved = np.arange(len(q))  # the problems still unsolved
        for iteration in range(iterations + 1):
            positions, rotations, jacobian = self.forward_kinematics(q[unsolved])
            error = np.concatenate(
                [goals[unsolved, :3] - positions, _rotation_error(rotations, target_rotations[unsolved])], axis=1
            )
            converged = np.linalg.norm(error[:, :3], axis=1) < POSITION_TOLERANCE_M
            converged &= np.linalg.norm(error[:, 3:], axis=1) < ROTATION_TOLERANCE_RAD
            reached[unsolved] = converged
            unsolved, error, jacobian = unsolved[~converged], error[~converged], jacobian[~converged]
            if len(unsolved) == 0 or iteration == iterations:
                break
            q[unsolved] = np.clip(
                q[unsolved] + self._compute_damped_step(q[unsolved], error, jacobian),
                self.lower_limits,
                self.upper_limits,
            )
        return q, reached

    def _compute_damped_step(self, q: Array, error: Array, jacobian: Array) -> Array:
        joint_step = _damped_least_squares(jacobian, error)
        if self.joint_count > 6:  # the spare freedom leans home
            null_space_bias = 0.1 * (self.home_joints - q)
            joint_step = (
                joint_step
                + null_space_bias
                - _damped_least_squares(jacobian, (jacobian @ null_space_bias[:, :, None])[:, :, 0])
            )
        largest_step = np.abs(joint_step).max(axis=1, keepdims=True)
        return joint_step * np.minimum(1.0, MAX_IK_STEP_RAD / np.maximum(largest_step, 1e-9))

    def solve_candidates(
        self, goals: Array, reference_joints: Array, is_allowed: Callable[[Array], BoolArray] | None = None
    ) -> tuple[Array, Array]:
        """Return the solution of each goal (c 7) nearest to `reference_joints`, and its cost (c,), infinite if none.

        `is_allowed` tells which joint values (m joints) count as a solution (m,); all do where it is left out.

        The cost is the length of the joint move in radians: the largest move alone leaves the other joints free, and
        like scenes would be solved in unlike ways, which nobody can learn from. Restarts are spent only
        where the two natural starts (from here, from home) reach nothing at all.
        """
        natural_starts = np.concatenate([reference_joints[None], self.start_postures])
        q, cost = self._solve_nearest(goals, reference_joints, natural_starts, is_allowed)
        if not np.isfinite(cost).any():
            q, cost = self._solve_nearest(goals, reference_joints, self._restart_joints, is_allowed)
        return q, cost

    def _solve_nearest(
        self, goals: Array, reference_joints: Array, starts: Array, is_allowed: Callable[[Array], BoolArray] | None
    ) -> tuple[Array, Array]:
        start_count = len(starts)
        q, reached = self.solve_ik(np.repeat(goals, start_count, axis=0), np.tile(starts, (len(goals), 1)))
        if is_allowed is not None:
            reached &= is_allowed(q)
        cost = np.where(reached, np.linalg.norm(q - reference_joints, axis=1), np.inf).reshape(len(goals), start_count)
        best = cost.argmin(axis=1)
        rows = np.arange(len(goals))
        return q.reshape(len(goals), start_count, -1)[rows, best], cost[rows, best]


def _damped_least_squares(jacobian: Array, error: Array) -> Array:
    """Return the joint steps (m joints) that bring tools nearer by `error` (m 6), without a null-space term."""
    transposed = np.swapaxes(jacobian, 1, 2)
    damped_gram = jacobian @ transposed + IK_DAMPING**2 * np.eye(6)
    return (transposed @ np.linalg.solve(damped_gram, error[:, :, None]))[:, :, 0]


def build_homogeneous_matrix(position: ArrayLike, rotation: Array) -> Array:
    """Return the 4 4 matrix of a pose."""
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = rotation, position
    return transform


def _collect_rodrigues_terms(link: Link) -> tuple[Array, Array, Array]:
    """Return what of a link's transform (4 4 each) is fixed, goes with sin(q), and goes with cos(q)."""
    x, y, z = link.axis
    cross_matrix = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]], float)
    cross_squared = cross_matrix @ cross_matrix
    frame = build_homogeneous_matrix(link.pos, quat_to_matrix(link.quat))
    sine_term, cosine_term = np.zeros((4, 4)), np.zeros((4, 4))
    sine_term[:3, :3], cosine_term[:3, :3] = cross_matrix, -cross_squared
    return (
        frame @ build_homogeneous_matrix((0, 0, 0), IDENTITY_MATRIX + cross_squared),
        frame @ sine_term,
        frame @ cosine_term,
    )


def _rotation_error(rotation: Array, target: Array) -> Array:
    """Return the world-frame rotation vectors (m 3) that carry `rotation` to `target` (m 3 3)."""
    delta = target @ np.swapaxes(rotation, 1, 2)
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
