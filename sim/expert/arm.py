"""Arm controllers of one world: an arm's motions, candidate selection, and the context that skills share.

A motion changes `command` and yields once a control step (20 ms), so that every skill reads the state of
the world whenever it wants and two arms move at once by taking turns. A motion that cannot be done
raises `MotionFailed`; the executor then plans again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.kinematics import KinematicChain
from sim.expert.collision import (
    build_gripper_points,
    build_held_object_points,
    find_contained_objects,
)
from sim.expert.motion import (
    MotionFailed,
    MotionGenerator,
    PoseOffset,
    lift_offset,
    retreat_offset,
    sample_minimum_jerk,
    smooth_corners,
)
from sim.expert.obstacles import ObstacleSet
from sim.geometry import Array, compose, invert, slerp
from sim.task.condition import SuccessCondition
from sim.task.spec import TABLE_HALF_EXTENTS_M, Skill, SpecError
from sim.types import FailureCause
from sim.world.state import WorldView

# tool poses (c 7) and joint values (c joints) there to what follows costs (c,), radians, infinite where impossible
LookaheadCost = Callable[[Array, Array], Array]
LINE_WAYPOINT_COUNT = 8  # of a straight line; between them joints are interpolated
MAX_LINE_SPEED_M_S = 0.30  # m/s along a line, at most
FULL_STROKE_STEPS = 20  # control steps to close or open
MAX_ARM_SETTLE_STEPS = 15
CANDIDATE_BATCH_SIZE = 8  # candidates looked at together
MIN_LOOKAHEAD_CANDIDATES = 24  # candidates whose onward costs are compared
MAX_CANDIDATES = 128  # of them at most
COLLISION_CHECK_FRACTIONS = np.linspace(0.1, 1.0, 10)[:, None]  # of a way, where it is looked at for obstacles
DETOUR_HEIGHTS_M = (0.06, 0.12, 0.2, 0.3)  # metres higher
MAX_JOINT_JUMP_RAD = 1.2  # radians a joint may turn between neighbours of a straight path


class ArmController:
    """Motions of one arm: its kinematic chain and its part of the command."""

    def __init__(self, context: ExpertContext, index: int, chain: KinematicChain) -> None:
        self.context, self.index, self.chain = context, index, chain
        arms = context.world.robot.arms
        self.arm_model = arms[index]
        self.command_offset = sum(len(arm.links) + 1 for arm in arms[:index])
        self.held_body = ""  # the object or part in the fingers, as far as the plan goes

    @property
    def commanded_joints(self) -> Array:
        """The commanded joint values."""
        return self.context.command[self.command_offset : self.command_offset + self.chain.joint_count]

    @commanded_joints.setter
    def commanded_joints(self, value: Array) -> None:
        self.context.command[self.command_offset : self.command_offset + self.chain.joint_count] = value

    @property
    def commanded_opening(self) -> float:
        """The commanded opening of the gripper, 0 to 1."""
        return float(self.context.command[self.command_offset + self.chain.joint_count])

    @commanded_opening.setter
    def commanded_opening(self, value: float) -> None:
        self.context.command[self.command_offset + self.chain.joint_count] = value

    @property
    def measured_tool_pose(self) -> Array:
        """The measured world_from_tool (7,)."""
        return self.context.world.tool_poses[self.index]

    @property
    def measured_joints(self) -> Array:
        """The measured joint values."""
        return self.context.world.proprio[self.command_offset : self.command_offset + self.chain.joint_count]

    @property
    def measured_opening(self) -> float:
        """The measured opening of the gripper, 0 to 1."""
        return float(self.context.world.proprio[self.command_offset + self.chain.joint_count])

    def both_fingers_touch(self, body: str) -> bool:
        """Tell whether both fingers touch a body."""
        world = self.context.world
        contact_rows = world.contacts()
        body_index = world.bodies.index(body)
        finger_indices = [world.bodies.index(f"{self.arm_model.name}/finger{k}") for k in range(2)]
        pairs = {(int(a), int(b)) for a, b in zip(contact_rows["a"], contact_rows["b"], strict=True)}
        return all((finger, body_index) in pairs or (body_index, finger) in pairs for finger in finger_indices)

    def move_joints(self, goal: Array, pace: float = 1.0, opening: float | None = None) -> MotionGenerator:
        """Move all joints to `goal` round what is in the way, starting and ending at rest (minimum jerk)."""
        waypoints = np.stack(
            [
                self.commanded_joints,
                *self._plan_via_points(goal, self.commanded_opening if opening is None else opening),
            ]
        )
        segment_durations = (
            1.875 * (np.abs(np.diff(waypoints, axis=0)) / self.chain.max_joint_speeds).max(axis=1) / pace
        )
        waypoint_times = np.append(0.0, np.cumsum(segment_durations))
        sample_times = waypoint_times[-1] * np.array([0.0, *sample_minimum_jerk(float(waypoint_times[-1]))])
        joint_path = np.stack([np.interp(sample_times, waypoint_times, column) for column in waypoints.T], axis=1)
        for q in smooth_corners(joint_path) if len(waypoints) > 2 else joint_path[1:]:
            self.commanded_joints = q
            yield

    def _plan_via_points(self, goal: Array, opening: float) -> list[Array]:
        """Return the stops on the way: none, higher places, or home; none too where nothing is free."""
        held_object = self.held_body.partition(".")[0]
        ignored_objects = (held_object, *find_contained_objects(self.context.world, held_object)) if held_object else ()
        obstacles = self.context.obstacles.collect(self.arm_model.name, ignored_objects)
        collision_points = build_gripper_points(self.arm_model, opening * self.arm_model.gripper.max_width_m)
        if held_object:
            collision_points = np.concatenate(
                [
                    collision_points,
                    build_held_object_points(self.context.world, held_object, self.measured_tool_pose),
                ]
            )

        def is_collision_free(*via_points: Array) -> bool:
            joint_path = np.concatenate(
                [a + COLLISION_CHECK_FRACTIONS * (b - a) for a, b in pairwise((self.commanded_joints, *via_points))]
            )
            tool_positions, tool_rotations, _ = self.chain.forward_kinematics(joint_path)
            return not obstacles.find_collisions(
                tool_positions[:, None] + collision_points @ np.swapaxes(tool_rotations, 1, 2)
            ).any()

        if is_collision_free(goal):
            return [goal]
        end_poses = np.stack([self.chain.compute_tool_pose(self.commanded_joints), self.chain.compute_tool_pose(goal)])
        for detour_height in DETOUR_HEIGHTS_M:
            raised_joints, solved = self.chain.solve_ik(
                lift_offset(detour_height)(end_poses), np.stack([self.commanded_joints, goal])
            )
            detours = ([raised_joints[0], raised_joints[1], goal], [raised_joints[1], goal], [raised_joints[0], goal])
            for detour, reachable in zip(detours, (solved.all(), solved[1], solved[0]), strict=True):
                if reachable and is_collision_free(*detour):
                    return detour
        return [self.chain.home_joints, goal] if is_collision_free(self.chain.home_joints, goal) else [goal]

    def move_straight(
        self, goal: Array, pace: float = 1.0, end_joints: Array | None = None, min_duration_s: float = 0.0
    ) -> MotionGenerator:
        """Move the tool along a straight line to the pose `goal` (7,), to `end_joints` there if they are known."""
        yield from self.follow_joint_path(
            self.solve_joint_path(
                self.interpolate_line(self.chain.compute_tool_pose(self.commanded_joints), goal), end_joints=end_joints
            ),
            pace,
            min_duration_s,
        )

    def interpolate_line(self, start: Array, goal: Array) -> Array:
        """Return poses (knots 7) along the line from start to goal, the start left out."""
        fractions = [(k + 1) / LINE_WAYPOINT_COUNT for k in range(LINE_WAYPOINT_COUNT)]
        positions = [start[:3] + t * (goal[:3] - start[:3]) for t in fractions]
        rotations = [slerp(start[3:], goal[3:], t) for t in fractions]
        return np.concatenate([np.stack(positions), np.stack(rotations)], axis=1)

    def follow_joint_path(self, joint_path: Array, pace: float = 1.0, min_duration_s: float = 0.0) -> MotionGenerator:
        """Follow the rows of `joint_path` (k joints), evenly spaced, starting and ending at rest (minimum jerk).

        It takes as long as the tool and the joints need at `pace`, and no less than `min_duration_s`.
        """
        waypoints = np.vstack([self.commanded_joints[None], joint_path])
        for t in sample_minimum_jerk(max(self.compute_path_duration(joint_path, pace), min_duration_s)):
            waypoint_position = t * len(joint_path)
            k = min(int(waypoint_position), len(joint_path) - 1)
            self.commanded_joints = waypoints[k] + (waypoint_position - k) * (waypoints[k + 1] - waypoints[k])
            yield

    def compute_path_duration(self, joint_path: Array, pace: float = 1.0) -> float:
        """Duration in seconds of `follow_joint_path`."""
        waypoints = np.vstack([self.commanded_joints[None], joint_path])
        tool_positions = self.chain.forward_kinematics(waypoints)[0]
        path_length = float(np.linalg.norm(np.diff(tool_positions, axis=0), axis=1).sum())
        slowest_joint_s = float((np.abs(np.diff(waypoints, axis=0)) / self.chain.max_joint_speeds).max()) * len(
            joint_path
        )
        return 1.875 * max(path_length / MAX_LINE_SPEED_M_S, slowest_joint_s) / pace

    def solve_joint_path(
        self, poses: Array, start_joints: Array | None = None, end_joints: Array | None = None
    ) -> Array:
        """Joint path (k joints) along tool poses (k 7), continuous from `start_joints` (default: the command).

        `MotionFailed` where a pose cannot be reached from the one before.
        """
        start_joints = self.commanded_joints if start_joints is None else start_joints
        final_joints = self._solve_path_end(poses[-1], start_joints) if end_joints is None else end_joints
        fractions = (np.arange(len(poses)) + 1)[:, None] / len(poses)
        q, solved = self.chain.solve_ik(poses, start_joints + fractions * (final_joints - start_joints))
        jumps = np.abs(np.diff(np.vstack([start_joints[None], q]), axis=0)).max(axis=1)
        if not solved.all() or jumps.max() > MAX_JOINT_JUMP_RAD:
            raise MotionFailed(FailureCause.OUT_OF_REACH, "the path is out of reach")
        return q

    def _solve_path_end(self, goal: Array, start_joints: Array) -> Array:
        (q,), (solved,) = self.chain.solve_ik(goal[None], start_joints[None], iterations=60)
        if not solved:
            raise MotionFailed(FailureCause.OUT_OF_REACH, "the end of the path is out of reach")
        return q

    def retreat_along_approach(self, distance: float) -> MotionGenerator:
        """Draw back along the approach, as far of `distance` as there is room."""
        start_pose = self.chain.compute_tool_pose(self.commanded_joints)
        for fraction in (1.0, 0.6, 0.3):
            try:
                poses = self.interpolate_line(start_pose, retreat_offset(fraction * distance)(start_pose))
                joint_path = self.solve_joint_path(poses)
            except MotionFailed:
                continue
            yield from self.follow_joint_path(joint_path)
            return
        self.context.note_failure(MotionFailed(FailureCause.OUT_OF_REACH, "the way back from a grasp is out of reach"))

    def drive_gripper(self, opening: float) -> MotionGenerator:
        """Drive the gripper to an opening and wait until the fingers rest."""
        start_opening = self.commanded_opening
        steps = max(1, round(FULL_STROKE_STEPS * abs(opening - start_opening)))
        for k in range(steps):
            self.commanded_opening = start_opening + (opening - start_opening) * (k + 1) / steps
            yield
        previous_opening = np.inf
        for _ in range(MAX_ARM_SETTLE_STEPS):
            current_opening = self.measured_opening
            if abs(current_opening - previous_opening) < 0.004:
                return
            previous_opening = current_opening
            yield

    def wait_until_at_command(self) -> MotionGenerator:
        """Wait until the arm has caught up with its command."""
        for _ in range(MAX_ARM_SETTLE_STEPS):
            if np.abs(self.measured_joints - self.commanded_joints).max() < 0.01:
                return
            yield

    def choose_candidate(
        self,
        tool_poses: Array,
        *offsets: PoseOffset,
        penalty: Array | float = 0.0,
        lookahead_cost: LookaheadCost | None = None,
        about: str = "",
    ) -> tuple[int, list[Array]]:
        """Index of the cheapest of `tool_poses` (c 7), and joint values there and at the end of each offset.

        An offset leads from a tool pose to another that must be reachable close by. Costs are lengths of joint moves in
        radians, from the command; `penalty` (c,) adds to them, and so does `lookahead_cost` for what comes after
        (infinite: not possible), computed for the MIN_LOOKAHEAD_CANDIDATES nearest. `MotionFailed` speaks of `about`.
        """
        q, joint_distance = self.chain.solve_candidates(tool_poses, self.commanded_joints, self._links_clear_table)
        total_cost = joint_distance + penalty
        candidate_order = np.argsort(total_cost, kind="stable")
        candidate_order = candidate_order[np.isfinite(joint_distance[candidate_order])][:MAX_CANDIDATES]
        feasible_candidates: list[tuple[float, int, list[Array]]] = []
        for start in range(0, len(candidate_order), CANDIDATE_BATCH_SIZE):
            batch = candidate_order[start : start + CANDIDATE_BATCH_SIZE]
            batch_cost = total_cost[batch]
            joint_values = [q[batch]]
            for offset in offsets:
                end_joints, solved = self.chain.solve_ik(offset(tool_poses[batch]), q[batch])
                batch_cost = np.where(
                    solved & (np.abs(end_joints - q[batch]).max(axis=1) < MAX_JOINT_JUMP_RAD), batch_cost, np.inf
                )
                joint_values.append(end_joints)
            feasible = np.isfinite(batch_cost)
            if lookahead_cost is not None and feasible.any():
                batch_cost[feasible] += lookahead_cost(tool_poses[batch[feasible]], q[batch[feasible]])
            cheapest = int(np.argmin(batch_cost))
            if np.isfinite(batch_cost[cheapest]):
                feasible_candidates.append(
                    (
                        float(batch_cost[cheapest]),
                        int(batch[cheapest]),
                        [end_joints[cheapest] for end_joints in joint_values],
                    )
                )
            if feasible_candidates and (
                lookahead_cost is None or start + CANDIDATE_BATCH_SIZE >= MIN_LOOKAHEAD_CANDIDATES
            ):
                return min(feasible_candidates, key=lambda candidate: candidate[0])[1:]
        if feasible_candidates:
            return min(feasible_candidates, key=lambda candidate: candidate[0])[1:]
        what = f" for {about}" if about else ""
        if not np.isfinite(joint_distance).any():
            raise MotionFailed(FailureCause.OUT_OF_REACH, f"no tool pose{what} is within reach")
        raise MotionFailed(FailureCause.OUT_OF_REACH, f"no tool pose{what} allows the motion that follows")

    def _links_clear_table(self, q: Array) -> NDArray[np.bool_]:
        """Tell at which joint values (m joints) no link reaches into the table (m,)."""
        table, (half_x, half_y, _) = self.context.world.scene.table, TABLE_HALF_EXTENTS_M
        centres, radii = self.chain.compute_sphere_centres(q), self.chain.sphere_radii
        over_table = (np.abs(centres[..., 0] - table.x) < half_x) & (np.abs(centres[..., 1]) < half_y)
        return ~np.any(over_table & (centres[..., 2] - radii < table.top), axis=1)


@dataclass(frozen=True)
class SkillFailure:
    """A skill that failed, as one phrase, and why."""

    cause: FailureCause
    reason: str
    skill: str


class ExpertContext:
    """One world as skills see it: its state, obstacles, arm controllers and the command that they write."""

    def __init__(
        self, world: WorldView, chains: dict[str, KinematicChain], predicates: Callable[[], NDArray[np.bool_]]
    ) -> None:
        """Begin at the command that the robot holds; `predicates` returns which success predicates (p,) hold."""
        self.world = world
        self.obstacles = ObstacleSet(world, chains)
        self._success = SuccessCondition(world.task)
        self._predicates = predicates
        self.command = world.command.astype(float)
        self.controllers = {
            arm.name: ArmController(self, i, chains[arm.name]) for i, arm in enumerate(world.robot.arms)
        }
        self.upcoming_skills: tuple[Skill, ...] = ()  # what the plan does after the skill at hand
        self.present_skill = ""  # the skill at hand, as one phrase
        self.last_failure: SkillFailure | None = None  # of the skill at hand or, where the plan ended with it, the last
        self.side_failure: SkillFailure | None = None  # of a motion that the plan does not wait for

    def find_controller(self, role: str) -> ArmController:
        """Controller of the arm that plays `role`; `SpecError` names the roles there are."""
        arms = self.world.scene.role_arms
        if role not in arms:
            raise SpecError(f"task {self.world.task.name!r}: unknown arm {role!r}; valid: {', '.join(arms)}")
        return self.controllers[arms[role]]

    def object_predicates_hold(self, obj: str) -> bool:
        """Tell whether all success predicates that speak of an object hold, and there are any."""
        about = self._success.about(obj)
        holds = self._predicates()
        return bool(about) and all(
            held for item, held in zip(self._success.predicates, holds, strict=True) if item in about
        )

    def note_failure(self, failure: MotionFailed) -> None:
        """Remember the failure of a motion that the plan does not wait for: a retreat, an idle arm on its way home."""
        self.side_failure = SkillFailure(failure.cause, failure.reason, self.present_skill)

    def measure_tool_from_body(self, controller: ArmController, body: str) -> Array:
        """Return tool_from_body (7,) as measured."""
        return compose(invert(controller.measured_tool_pose), self.world.body_pose(body))


def run_with_background(
    motion: MotionGenerator, background: dict[str, MotionGenerator], context: ExpertContext
) -> MotionGenerator:
    """Run a motion to its end while others go on, by a name; those that end are dropped, those that fail noted too."""
    for _ in motion:
        for name in list(background):
            try:
                next(background[name])
            except StopIteration:
                del background[name]
            except MotionFailed as failure:
                del background[name]
                context.note_failure(failure)
        yield
