"""Resuming a plan from any state: what the grippers hold, which skills are behind, and arms in bad postures.

The expert may take over in the middle of an episode, after another policy. What a gripper holds follows from contacts
and commands; a skill is behind where its effect holds, or where its object is in a hand that takes it there or later.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from sim.expert.arm import ArmController, ExpertContext
from sim.expert.collision import build_gripper_points
from sim.expert.goals import build_goal
from sim.expert.motion import MotionFailed, MotionGenerator, lift_offset, run_parallel
from sim.expert.skills import is_skill_achieved, put_down_object
from sim.geometry import transform_points
from sim.task.spec import Skill

MIN_SQUEEZE = 0.04  # of the gripper's range, by which a gripper that holds something is commanded tighter than it is
MAX_TRACKING_ERROR_RAD = 0.25  # beyond the lag of a fast move (0.12 at 2.4 rad/s): the joint presses against something
MAX_LOOSE_PLACE_ERROR_M = 0.06  # from its place, for an object that the plan was past when it went on
WITHDRAW_DISTANCE_M, WITHDRAW_HEIGHT_M = 0.1, 0.12


def adopt_state(context: ExpertContext) -> None:
    """Take over what the robot does: which bodies the grippers hold, and joints that press against something."""
    for controller in context.controllers.values():
        measured = controller.measured_joints
        if np.abs(measured - controller.commanded_joints).max() > MAX_TRACKING_ERROR_RAD:
            controller.commanded_joints = np.clip(
                measured, controller.chain.lower_limits, controller.chain.upper_limits
            )
        controller.held_body = find_held_body(context, controller)


def find_held_body(context: ExpertContext, controller: ArmController) -> str:
    """Body that both fingers of a gripper squeeze, free or moved by a joint; "" where there is none."""
    if controller.commanded_opening > controller.measured_opening - MIN_SQUEEZE and controller.commanded_opening > 0.0:
        return ""
    kinds = context.world.body_types
    movable = (name for name, kind in kinds.items() if kind != "fixed")
    return next((name for name in movable if controller.both_fingers_touch(name)), "")


def select_remaining(plan: tuple[Skill, ...], index: int, context: ExpertContext) -> Skill | None:
    """The parts of a plan's item that are still to be done, as one skill; None where all are behind."""
    parts = [
        part
        for part in plan[index].list_concurrent()
        if not is_skill_achieved(find_final_use(part, plan[index:]), context)
        and not _is_passed(part, plan, index, context)
    ]
    return join_skills(parts)


def join_skills(parts: list[Skill]) -> Skill | None:
    """One skill that runs all `parts` at the same time, None of none."""
    if not parts:
        return None
    return Skill(parts[0].name, parts[0].args, tuple(parts[1:]), parts[0].when)


def find_final_use(skill: Skill, plan: tuple[Skill, ...]) -> Skill:
    """The last skill of a plan that has to do with the object of a skill, or that skill itself."""
    obj = skill.args.get("obj")
    later_uses = [part for later in plan for part in later.list_concurrent() if obj and part.args.get("obj") == obj]
    return later_uses[-1] if later_uses else skill


def prepare_arms(plan: tuple[Skill, ...], context: ExpertContext) -> MotionGenerator:
    """Put down what is held and not needed next, and withdraw free hands that touch something."""
    yield from run_parallel(*(_prepare_arm(plan, context, arm) for arm in context.controllers.values()))


def _prepare_arm(plan: tuple[Skill, ...], context: ExpertContext, controller: ArmController) -> MotionGenerator:
    held = controller.held_body
    if held:
        if _find_next_body(plan, context, controller) == held.partition(".")[0]:
            return
        if context.world.body_types[held] == "free":
            yield from put_down_object(context, controller)
        controller.held_body = ""
    if _is_hand_in_collision(context, controller):
        yield from _withdraw(context, controller)


def _withdraw(context: ExpertContext, controller: ArmController) -> MotionGenerator:
    """Open the gripper, back off along the approach and, where that is not enough, upwards."""
    yield from controller.drive_gripper(1.0)
    yield from controller.retreat_along_approach(WITHDRAW_DISTANCE_M)
    if _is_hand_in_collision(context, controller):
        with suppress(MotionFailed):  # the skills plan their own way round what is near
            tool_pose = controller.chain.compute_tool_pose(controller.commanded_joints)
            yield from controller.move_straight(lift_offset(WITHDRAW_HEIGHT_M)(tool_pose))


def _is_hand_in_collision(context: ExpertContext, controller: ArmController) -> bool:
    """Whether palm or fingers, as commanded, are within the margin of an obstacle."""
    points = build_gripper_points(controller.arm_model, controller.measured_opening)
    cloud = transform_points(controller.measured_tool_pose, points)
    return bool(context.obstacles.collect(controller.arm_model.name).find_collisions(cloud[None])[0])


def _find_next_body(plan: tuple[Skill, ...], context: ExpertContext, controller: ArmController) -> str:
    """Object of the first skill that is still to be done by an arm; "" where it has nothing to do."""
    for index in range(len(plan)):
        remaining = select_remaining(plan, index, context)
        for part in remaining.list_concurrent() if remaining else ():
            if controller in _list_controllers(part, context):
                return _find_object(part, plan, index, context, controller)
    # a plan of which everything is behind: what it ends with stays in the hand
    last_pick = _list_picks(plan, context, controller)
    return last_pick[-1][1] if last_pick else ""


def _is_passed(part: Skill, plan: tuple[Skill, ...], index: int, context: ExpertContext) -> bool:
    """Whether the object of a skill is in a hand that takes it there or later in the plan, or the plan is past it."""
    for controller in context.controllers.values():
        held = controller.held_body
        if not held:
            continue
        picks = [k for k, obj in _list_picks(plan, context, controller) if obj == held]
        if not picks or picks[-1] < index:
            continue
        objects = {_find_object(part, plan, index, context, arm) for arm in _list_controllers(part, context)}
        if held in objects:
            return part.name != "place"
        final_use = find_final_use(part, plan[index : picks[-1]])
        if final_use.name == "place" and build_goal(final_use).is_reached(context, MAX_LOOSE_PLACE_ERROR_M):
            return True
    return False


def _list_picks(plan: tuple[Skill, ...], context: ExpertContext, controller: ArmController) -> list[tuple[int, str]]:
    """Indices and objects of the picks of an arm."""
    return [
        (k, str(part.args["obj"]))
        for k, item in enumerate(plan)
        for part in item.list_concurrent()
        if part.name == "pick" and controller in _list_controllers(part, context)
    ]


def _find_object(
    part: Skill, plan: tuple[Skill, ...], index: int, context: ExpertContext, controller: ArmController
) -> str:
    """Object that a skill is about: the one it names, else the one that its arm picked last."""
    for key in ("obj", "joint", "point"):
        if key in part.args:
            return str(part.args[key]).partition(".")[0]
    picks = [obj for k, obj in _list_picks(plan, context, controller) if k < index]
    return picks[-1] if picks else ""


def _list_controllers(part: Skill, context: ExpertContext) -> list[ArmController]:
    """Arms that a skill moves."""
    roles = [part.args[key] for key in ("arm", "arms") if key in part.args]
    names = [name for value in roles for name in (value if isinstance(value, tuple) else (value,))]
    return [context.find_controller(str(name)) for name in names]
