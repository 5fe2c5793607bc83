"""Rules over a whole plan: conditions, what an arm must have picked before, its shortest duration, unused roles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sim.scene.instructions import find_slots
from sim.task.diagnostics import (
    Diagnostic,
    build_field_pattern,
    build_name_location,
    build_quoted_pattern,
    check_name,
)
from sim.task.spec import Skill, Task
from sim.task.values import list_values
from sim.task.vocabulary import flatten_plan

MIN_SKILL_STEPS = 20  # control steps that no skill of a plan is shorter than: 0.4 s
NEEDS_HELD = ("place", "carry", "shake")  # skills of an object that the arm must hold
PLAN_HINT = (build_field_pattern("plan"),)


def check_plan(task: Task) -> Iterator[Diagnostic]:
    """Yield what is wrong with a task's plan as a whole."""
    yield from _check_conditions(task)
    yield from _check_held_objects(task)
    yield from _check_duration(task)
    yield from _check_unused_roles(task)


def _check_conditions(task: Task) -> Iterator[Diagnostic]:
    roles = [arm.role for arm in task.arms]
    for skill in flatten_plan(task.plan):
        if skill.when and not re.fullmatch(r"\w+!?=\w+", skill.when):
            message = f"condition {skill.when!r} of skill {skill.name!r}; valid: ROLE=ROLE, ROLE!=ROLE"
            yield Diagnostic(message, build_quoted_pattern(skill.when), PLAN_HINT)
        for role in re.split("!?=", skill.when) if skill.when else ():
            yield from check_name("role", role, roles, PLAN_HINT, skill.when)


def _check_held_objects(task: Task) -> Iterator[Diagnostic]:
    """Yield skills that need an object in the hand which that arm has not picked before; `when` may be true."""
    held: set[tuple[str, str]] = set()  # (role, object)
    seen: list[str] = []
    for skill in flatten_plan(task.plan):
        seen.append(skill.name)
        role, obj = str(skill.args.get("arm", "")), str(skill.args.get("obj", ""))
        if skill.name in NEEDS_HELD and (role, obj) not in held:
            in_hand = ", ".join(sorted(name for holder, name in held if holder == role)) or "none"
            location_hints = (*PLAN_HINT, *[build_quoted_pattern(skill.name)] * seen.count(skill.name))
            yield Diagnostic(
                f"skill {skill.name!r} of {obj!r}, which arm {role!r} has not picked before; valid: {in_hand}",
                build_quoted_pattern(skill.name),
                location_hints,
            )
        held = _update_held(skill, role, obj, held)


def _update_held(skill: Skill, role: str, obj: str, held: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """What the arms hold after a skill, as pairs of role and object."""
    if skill.name == "pick":
        return held | {(role, obj)}
    if skill.when:
        return held  # it may not be done in this scene
    if skill.name in ("release", "home"):
        return {pair for pair in held if pair[0] != role}
    if skill.name == "place" and not skill.args.get("hold", False):
        return held - {(role, obj)}
    return held


def _check_duration(task: Task) -> Iterator[Diagnostic]:
    """Yield where the plan cannot be done within the horizon; skills with a condition may be left out."""
    least = MIN_SKILL_STEPS * sum(not skill.when for skill in task.plan)
    if task.horizon < least:
        yield Diagnostic(
            f"horizon {task.horizon} is too short for {len(task.plan)} skills; valid: at least {least} control steps",
            build_field_pattern("horizon"),
        )


def _check_unused_roles(task: Task) -> Iterator[Diagnostic]:
    used = {arm.rule.partition(":")[2] for arm in task.arms if arm.rule.startswith("other:")}
    for template in (*task.instructions, *task.unseen):
        used |= set(find_slots(template))
    for item in (*task.success, *flatten_plan(task.plan)):
        for value in item.args.values():
            used |= {word for word in list_values(value) if isinstance(word, str)}
    for skill in flatten_plan(task.plan):
        used |= set(re.split("!?=", skill.when))
    for arm in task.arms:
        if arm.role not in used:
            pattern, location_hints = build_name_location("arms", arm.role)
            message = f"role {arm.role!r} is not used; valid: in plan, success, instructions or another role's rule"
            yield Diagnostic(message, pattern, location_hints)
