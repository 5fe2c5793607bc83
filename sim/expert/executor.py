"""Playing a plan: skill after skill, looking at what came of each, and going back where something slipped.

A skill that fails is planned anew from where things are now; one that finds its object no longer in the hand sends
the plan back to where it was picked. A plan that has ended without success is gone through once more, without
what has been done and still stands. An arm that the plan does not need goes home by itself meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sim.expert.arm import ArmController, ExpertContext, SkillFailure, run_with_background
from sim.expert.motion import MotionFailed, MotionGenerator, ObjectDropped
from sim.expert.resume import adopt_state, join_skills, prepare_arms, select_remaining
from sim.expert.skills import move_home, put_down_object, start_skill
from sim.task.spec import Skill, SpecError, Value, describe_item

MAX_SKILL_RETRIES = 3  # times a skill that failed is planned anew
MAX_PLAN_BACKTRACKS = 6  # times that the plan goes back to an earlier skill
MAX_PLAN_ROUNDS = 3  # times that the whole plan is gone through
PLAN_END_SETTLED_STEPS = (
    12  # control steps for which all must be still when the plan has ended, and the most to wait for it
)
MAX_PLAN_END_WAIT_STEPS = 75
MAX_PLAN_END_SPEED_M_S = 0.02  # m/s


def execute_plan(context: ExpertContext, succeeded: Callable[[], bool], resume: bool = False) -> MotionGenerator:
    """Yield once a control step until the plan has ended.

    With `resume` it begins in the middle of an episode: what is done and held is recognised, and what is done skipped.
    """
    plan = tuple(
        applicable
        for skill in context.world.task.plan
        if (applicable := _select_applicable(skill, context)) is not None
    )
    idle_motions: dict[str, MotionGenerator] = {}
    if resume:
        adopt_state(context)
        yield from prepare_arms(plan, context)
    for round_index in range(MAX_PLAN_ROUNDS):
        yield from _execute_round(plan, context, idle_motions, skip_achieved=resume or round_index > 0)
        yield from run_with_background(_wait_until_settled(context), idle_motions, context)
        if succeeded():
            return


def _wait_until_settled(context: ExpertContext) -> MotionGenerator:
    """Stay a moment, and as long as something that was let go still moves: what counts is how things come to rest."""
    settled_steps = 0
    for _ in range(MAX_PLAN_END_WAIT_STEPS):
        settled_steps = 0 if _is_any_object_moving(context) else settled_steps + 1
        if settled_steps >= PLAN_END_SETTLED_STEPS:
            return
        yield


def _is_any_object_moving(context: ExpertContext) -> bool:
    held_bodies = {controller.held_body for controller in context.controllers.values()}
    free_objects = [
        name for name, kind in context.world.body_types.items() if kind == "free" and name not in held_bodies
    ]
    return any(float(np.abs(context.world.body_velocity(name)).max()) > MAX_PLAN_END_SPEED_M_S for name in free_objects)


def _execute_round(
    plan: tuple[Skill, ...], context: ExpertContext, idle_motions: dict[str, MotionGenerator], skip_achieved: bool
) -> MotionGenerator:
    skill_index, failures, backtracks = 0, 0, 0
    while skill_index < len(plan):
        skill = select_remaining(plan, skill_index, context) if skip_achieved else plan[skill_index]
        if skill is None:
            skill_index += 1
            continue
        context.upcoming_skills = plan[skill_index + 1 :]
        context.present_skill = describe_item(skill)
        _send_idle_arms_home(skill, context, idle_motions)
        try:
            yield from run_with_background(start_skill(skill, context), idle_motions, context)
            skill_index, failures = skill_index + 1, 0
            context.last_failure = None
        except MotionFailed as failure:
            failures += 1
            context.last_failure = SkillFailure(failure.cause, failure.reason, context.present_skill)
            is_dropped = isinstance(failure, ObjectDropped)
            if is_dropped or failures > MAX_SKILL_RETRIES // 2:
                pick_index = _find_pick_index(plan, skill_index)
                if pick_index < skill_index:
                    yield from run_with_background(_abandon_objects(skill, context), idle_motions, context)
                    skill_index, backtracks, failures = pick_index, backtracks + 1, 0
            if failures > MAX_SKILL_RETRIES or backtracks > MAX_PLAN_BACKTRACKS:
                return
            yield


def _select_applicable(skill: Skill, context: ExpertContext) -> Skill | None:
    """Return what of a skill is for this scene: its conditions hold and its objects are there; None if nothing is."""
    return join_skills(
        [
            part
            for part in skill.list_concurrent()
            if _condition_holds(part, context) and not _refers_to_absent_object(part, context)
        ]
    )


def _refers_to_absent_object(skill: Skill, context: ExpertContext) -> bool:
    absent_objects = {obj.name for obj in context.world.task.objects} - set(context.world.scene.models)
    return any(isinstance(value, str) and value.partition(".")[0] in absent_objects for value in skill.args.values())


def _condition_holds(skill: Skill, context: ExpertContext) -> bool:
    """Tell whether a skill's condition on the arms of two roles holds."""
    if not skill.when:
        return True
    arms = context.world.scene.role_arms
    first_role, operator, second_role = skill.when.partition("!=" if "!=" in skill.when else "=")
    if not {first_role, second_role} <= set(arms) or not operator:
        task, roles = context.world.task.name, ", ".join(arms)
        raise SpecError(f"task {task!r}: condition {skill.when!r} is not ROLE=ROLE or ROLE!=ROLE; roles: {roles}")
    return (arms[first_role] == arms[second_role]) == (operator == "=")


def _find_pick_index(plan: tuple[Skill, ...], skill_index: int) -> int:
    """Return where the objects of a skill were last picked, the earliest of these, or `skill_index` where none was."""
    return min(
        (_find_last_pick(plan, skill_index, part.args.get("obj")) for part in plan[skill_index].list_concurrent()),
        default=skill_index,
    )


def _find_last_pick(plan: tuple[Skill, ...], skill_index: int, obj: Value | None) -> int:
    pick_indices = [
        k
        for k in range(skill_index)
        for part in plan[k].list_concurrent()
        if part.name == "pick" and part.args.get("obj") == obj
    ]
    return pick_indices[-1] if pick_indices else skill_index


def _abandon_objects(skill: Skill, context: ExpertContext) -> MotionGenerator:
    """Let go of the objects of a skill and of those alongside: where one is held, set it down."""
    objects = {part.args.get("obj") for part in skill.list_concurrent()}
    for controller in context.controllers.values():
        if controller.held_body and controller.held_body in objects:
            if controller.both_fingers_touch(controller.held_body):
                yield from put_down_object(context, controller)
            controller.held_body = ""


def _send_idle_arms_home(skill: Skill, context: ExpertContext, idle_motions: dict[str, MotionGenerator]) -> None:
    """Let every arm that has nothing to do go home beside the skill, and call back those that it needs."""
    busy_arms = {context.world.scene.role_arms[role] for role in _iterate_roles(skill)}
    for name in busy_arms & set(idle_motions):
        del idle_motions[name]
    for name, controller in context.controllers.items():
        if name not in busy_arms and name not in idle_motions and _is_away_from_home(controller):
            idle_motions[name] = move_home(controller)


def _iterate_roles(skill: Skill) -> Iterator[str]:
    for part in skill.list_concurrent():
        for key in ("arm", "arms"):
            value: Value = part.args.get(key, ())
            yield from map(str, value if isinstance(value, tuple) else (value,))


def _is_away_from_home(controller: ArmController) -> bool:
    return not controller.held_body and bool(
        abs(controller.commanded_joints - controller.chain.home_joints).max() > 0.02
    )
