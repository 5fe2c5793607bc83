"""Lookahead of grasp selection: what the plan does next with an object, and whether a grasp allows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Vector
from sim.expert.arm import MAX_JOINT_JUMP_RAD, ArmController, ExpertContext
from sim.expert.goals import build_goal
from sim.expert.motion import MotionFailed, PoseOffset, lift_offset, translation_offset
from sim.geometry import Array, compose, invert, make_pose, quat_from_axis_angle
from sim.task.spec import Skill
from sim.types import FailureCause

DEFAULT_APPROACH_DISTANCE_M = 0.05  # metres before a place
DEFAULT_RELEASE_DISTANCE_M = 0.002  # metres before it where a held object is let go
JOINT_LIMIT_MARGIN_RAD = 0.1  # radians from the end of a joint's range: what turns a little in the fingers uses them up
JOINT_LIMIT_PENALTY_RAD = 2.0  # radians that the expert would rather move than come closer to it
DEFAULT_SHAKE_HEIGHT_M, DEFAULT_SHAKE_ANGLE_RAD = 0.05, 0.39  # metres and radians to either side of the middle


def find_remaining_uses(context: ExpertContext, arm: str, obj: str) -> list[Skill]:
    """Return what the plan does with an object in this arm until it lets go or another arm takes it."""
    controller, remaining_uses, moved_objects = context.find_controller(arm), [], set()
    for skill in (part for upcoming in context.upcoming_skills for part in upcoming.list_concurrent()):
        uses_same_arm = "arm" in skill.args and context.find_controller(str(skill.args["arm"])) is controller
        if skill.args.get("obj") != obj:
            if uses_same_arm and skill.name in ("release", "home"):
                break
            moved_objects.add(skill.args.get("obj"))
            continue
        if not uses_same_arm:
            break
        # where a thing that is still to be moved will be, nobody knows yet
        if skill.name in ("carry", "place") and str(skill.args.get("on")).partition(".")[0] not in moved_objects:
            remaining_uses.append(skill)
        if skill.name == "place":
            break
    return remaining_uses


def build_move_offset(context: ExpertContext, by: Vector, mirror: str = "") -> PoseOffset:
    """Return the way of a tool by a vector (metres, world), mirrored where the role `mirror` acts on the left."""
    mirror_sign = context.world.side_sign(mirror) if mirror else 1.0
    return translation_offset(np.array(by) * (mirror_sign, 1.0, 1.0))


def find_next_move_offsets(context: ExpertContext, arm: str) -> list[PoseOffset]:
    """Return the way of the tool where the plan goes on with moving an arm, else none."""
    if not context.upcoming_skills or context.upcoming_skills[0].name != "move":
        return []
    arguments = dict(context.upcoming_skills[0].args)
    roles = arguments.get("arms") or (arguments.get("arm", ""),)
    offset_arguments = {name: arguments[name] for name in ("by", "mirror") if name in arguments}
    return [build_move_offset(context, **offset_arguments)] if isinstance(roles, tuple) and arm in roles else []  # pyright: ignore[reportArgumentType]


def build_subgoal(skill: Skill, context: ExpertContext) -> tuple[Array, list[PoseOffset]]:
    """Return the object's poses (c 7) of which a skill needs to reach one, and the straight ways on from it."""
    goal = build_goal(skill)
    object_poses = goal.compute_object_poses(context)
    if skill.name == "carry":
        following_skills = (
            context.upcoming_skills[context.upcoming_skills.index(skill) + 1 :]
            if skill in context.upcoming_skills
            else ()
        )
        return object_poses, find_next_shake_offsets(following_skills, skill.args["obj"])
    pre, stop = (
        float(str(skill.args.get(key, default)))
        for key, default in (("pre", DEFAULT_APPROACH_DISTANCE_M), ("stop", DEFAULT_RELEASE_DISTANCE_M))
    )
    approach_axis = goal.compute_approach_axis(context)
    return translation_offset(pre * approach_axis)(object_poses), [translation_offset((stop - pre) * approach_axis)]


def compute_lookahead_cost(
    context: ExpertContext,
    controller: ArmController,
    obj: str,
    subgoals: list[tuple[Array, list[PoseOffset]]],
    tool_poses: Array,
    q: Array,
) -> Array:
    """Cost (c,) of bringing an object, grasped at `tool_poses` (c 7) with joint values `q`, through all subgoals.

    Radians: the lengths of the joint moves, and JOINT_LIMIT_PENALTY_RAD for a subgoal at the end of a joint's range;
    infinite where a subgoal is out of reach.
    """
    body_pose = context.world.body_pose(obj)
    total_cost = np.zeros(len(tool_poses))
    rows = np.arange(len(tool_poses))
    for object_poses, offsets in subgoals:
        subgoal_poses = compose(object_poses[None], invert(compose(invert(tool_poses), body_pose))[:, None]).reshape(
            -1, 7
        )
        start_joints = np.repeat(q, len(object_poses), axis=0)
        end_joints, reached = controller.chain.solve_ik(subgoal_poses, start_joints)
        for posture in controller.chain.start_postures:
            unreached = np.flatnonzero(~np.any(reached.reshape(len(tool_poses), -1), axis=1).repeat(len(object_poses)))
            end_joints[unreached], reached[unreached] = controller.chain.solve_ik(
                subgoal_poses[unreached], np.tile(posture, (len(unreached), 1))
            )
        reached[reached] = can_follow_offsets(controller, subgoal_poses[reached], end_joints[reached], offsets)
        cost = np.linalg.norm(end_joints - start_joints, axis=1) + np.where(
            _is_near_joint_limits(controller, end_joints), JOINT_LIMIT_PENALTY_RAD, 0.0
        )
        cost = np.where(reached, cost, np.inf).reshape(len(tool_poses), -1)
        best = cost.argmin(axis=1)
        total_cost += cost[rows, best]
        q = end_joints.reshape(len(tool_poses), len(object_poses), -1)[rows, best]
    return total_cost


def _is_near_joint_limits(controller: ArmController, q: Array) -> NDArray[np.bool_]:
    """Return at which joint values (c joints) a joint is closer than JOINT_LIMIT_MARGIN_RAD to the end of its range."""
    return np.any(
        (q < controller.chain.lower_limits + JOINT_LIMIT_MARGIN_RAD)
        | (q > controller.chain.upper_limits - JOINT_LIMIT_MARGIN_RAD),
        axis=1,
    )


def can_follow_offsets(
    controller: ArmController, tool_poses: Array, q: Array, offsets: list[PoseOffset]
) -> NDArray[np.bool_]:
    """From which of `tool_poses` (c 7), at joint values `q`, the ends of all offsets can be reached in turn (c,)."""
    feasible = np.ones(len(tool_poses), bool)
    for offset in offsets if len(tool_poses) else ():
        end_joints, solved = controller.chain.solve_ik(offset(tool_poses), q)
        feasible &= solved & (np.abs(end_joints - q).max(axis=1) < MAX_JOINT_JUMP_RAD)
        q = end_joints
    return feasible


def can_move_straight(controller: ArmController, tool_pose: Array, end_joints: Array) -> bool:
    """Tell whether the tool can move straight to a pose (7,) and arrive at `end_joints`."""
    try:
        controller.solve_joint_path(
            controller.interpolate_line(controller.chain.compute_tool_pose(controller.commanded_joints), tool_pose),
            end_joints=end_joints,
        )
    except MotionFailed:
        return False
    return True


def solve_offset_poses(controller: ArmController, offsets: list[PoseOffset]) -> list[tuple[Array, Array]]:
    """Tool poses and joint values at the ends of all offsets in turn; `MotionFailed` where one is out of reach."""
    tool_pose, q, solutions = (
        controller.chain.compute_tool_pose(controller.commanded_joints),
        controller.commanded_joints,
        [],
    )
    for offset in offsets:
        (q,), (solved,) = controller.chain.solve_ik(offset(tool_pose)[None], q[None])
        if not solved:
            raise MotionFailed(FailureCause.OUT_OF_REACH, "a swing is out of reach")
        solutions.append((offset(tool_pose), q))
    return solutions


def build_shake_offsets(
    height: float = DEFAULT_SHAKE_HEIGHT_M, angle: float = DEFAULT_SHAKE_ANGLE_RAD, roll: float = 0.0
) -> list[PoseOffset]:
    """Return the ways from a tool pose to half of the `roll`, to all of it, and to either end of the swings there."""
    extremes = ((0.0, roll / 2), (0.0, roll), (height, roll + angle), (-height, roll - angle))
    return [_swing_offset(lift, yaw) for lift, yaw in extremes]


def _swing_offset(lift: float, yaw: float) -> PoseOffset:
    return lambda tool: compose(
        lift_offset(lift)(tool), make_pose((0, 0, 0), quat_from_axis_angle((0, 0, 1), np.array(yaw)))
    )


def find_next_shake_offsets(following_skills: tuple[Skill, ...], obj: object) -> list[PoseOffset]:
    """Return the ways of the swings where the plan goes on with shaking an object, else none."""
    if not following_skills or following_skills[0].name != "shake" or following_skills[0].args["obj"] != obj:
        return []
    arguments = following_skills[0].args
    return build_shake_offsets(
        **{name: float(str(arguments[name])) for name in ("height", "angle", "roll") if name in arguments}
    )
