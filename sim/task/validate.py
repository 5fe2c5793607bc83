"""Reads a task before anyone plays it: every word known, every name there, every place possible."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from math import inf

import numpy as np

from sim.embodiment.model import Embodiment
from sim.objects import FAMILIES, build_object
from sim.objects.palette import PALETTE
from sim.scene.instructions import SLOT_PATTERN, find_slots
from sim.scene.sample import sample_scene
from sim.task.diagnostics import (
    Diagnostic,
    build_field_pattern,
    build_name_location,
    build_quoted_pattern,
    check_name,
    find_line,
    format_unknown_name,
)
from sim.task.plan_rules import check_plan
from sim.task.spec import TABLE_HALF_EXTENTS_M, DecodeError, ObjectSpec, SpecError, Task, TaskObject, from_json
from sim.task.values import check_value, describe_valid, list_values, resolve_hints
from sim.task.vocabulary import check_arguments, check_vocabulary

OBJECT_ORDER_KEYS = ("side", "y")
ARM_RULES = ("left", "right", "side:OBJECT", "facing:OBJECT", "other:ROLE")
RESERVED_NAMES = ("table", "world", "all", "any", "coin")  # names that mean something else already
SAMPLED_SEEDS = 3  # whose scenes are drawn
OBJECT_EXTENT_M = (0.001, 2.0)  # the least and the greatest size of a shape of an object
ARMLESS_ROBOT = Embodiment("nobody", (), (), (0.0, 0.0, 0.0))  # a layout is the same for every robot


def validate_task(task: Task, source: str = "", path: str = "") -> None:
    """Raise `SpecError` with one line, "path:LINE: what is wrong; valid: names", where a task is not sound.

    `source` is the text, Python or JSON, that the task was read from.
    """
    diagnostic = next(_diagnose_task(task), None)
    if diagnostic is None:
        return
    line = find_line(source, diagnostic)
    location = f"{path}:{max(line, 1)}" if path else f"task {task.name!r}"
    raise SpecError(f"{location}: {diagnostic.message}")


def parse_task_json(text: str, path: str = "") -> Task:
    """Return the task of a JSON text; `SpecError` with one line as from `validate_task` where it is not sound."""
    try:
        task = from_json(text)
    except DecodeError as error:
        guess = find_line(text, Diagnostic(str(error), build_quoted_pattern(error.word))) if error.word else 0
        raise SpecError(f"{path}:{error.line or guess or 1}: {error}") from error
    validate_task(task, text, path)
    return task


def _diagnose_task(task: Task) -> Iterator[Diagnostic]:
    """Yield what is wrong with a task; what follows the first may follow from it."""
    yield from _check_types(task, "task")
    yield from _check_outline(task)
    for task_object in task.objects:
        yield from _check_variants(task_object)
    yield from _check_spawn_rules(task)
    yield from _check_arm_rules(task)
    yield from _check_instructions(task)
    yield from check_vocabulary(task)
    yield from check_plan(task)
    try:
        for seed in range(SAMPLED_SEEDS):
            sample_scene(task, ARMLESS_ROBOT, seed)
    except SpecError as error:
        yield Diagnostic(str(error).removeprefix(f"task {task.name!r}: "), build_field_pattern("objects"))


def _check_types(value: object, where: str, location_hints: tuple[str, ...] = ()) -> Iterator[Diagnostic]:
    """Yield the fields of a frozen value, and of those in it, whose type or range is not the declared one."""
    name = vars(value).get("name")
    if isinstance(name, str) and where != "task":
        location_hints = (*location_hints, build_quoted_pattern(name))
    for field, hint in resolve_hints(type(value)).items():
        field_value = vars(value)[field]
        if not check_value(field_value, hint):
            valid = describe_valid(field_value, hint)
            yield Diagnostic(
                f"{field} of {where} is {field_value!r}; valid: {valid}", build_field_pattern(field), location_hints
            )
        for nested in list_values(field_value):
            if dataclasses.is_dataclass(nested):
                kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(nested).__name__).lower()
                yield from _check_types(nested, kind, location_hints)


def _check_outline(task: Task) -> Iterator[Diagnostic]:
    if not task.name.isidentifier():
        yield Diagnostic(f"name {task.name!r}; valid: letters, digits and _", build_field_pattern("name"))
    for field, value in (("instructions", task.instructions), ("objects", task.objects), ("success", task.success)):
        if not value:
            yield Diagnostic(f"{field} is empty", build_field_pattern(field))
    declared: list[tuple[str, str]] = []
    objects = (("object", "objects", task_object.name) for task_object in task.objects)
    roles = (("role", "arms", arm.role) for arm in task.arms)
    for kind, field, name in (*objects, *roles):
        pattern, location_hints = build_name_location(field, name)
        if name in {other for _, other in declared}:
            repeats = (pattern,) * declared.count((field, name))
            yield Diagnostic(f"{kind} {name!r}: the name is used twice", pattern, (*location_hints, *repeats))
        if name in RESERVED_NAMES or not name.isidentifier():
            yield Diagnostic(
                f"{kind} {name!r}: not a name; valid: any word but {', '.join(RESERVED_NAMES)}", pattern, location_hints
            )
        declared.append((field, name))


def _check_variants(task_object: TaskObject) -> Iterator[Diagnostic]:
    location_hints = build_name_location("objects", task_object.name)[1]
    if not task_object.variants:
        yield Diagnostic(f"object {task_object.name!r} has no variants", "", location_hints)
    for colour in task_object.colours:
        yield from check_name("colour", colour, PALETTE, location_hints)
    for spec in task_object.variants:
        yield from check_name("family", spec.family, FAMILIES, location_hints)
        yield from check_arguments("family", spec.family, FAMILIES[spec.family], 0, spec.params, location_hints)
        yield from check_name("colour", spec.colour, PALETTE, location_hints)
        if reason := find_shape_fault(spec):
            yield Diagnostic(
                f"family {spec.family!r} of object {task_object.name!r}: {reason}",
                build_quoted_pattern(spec.family),
                location_hints,
            )


def find_shape_fault(spec: ObjectSpec) -> str:
    """What is wrong with the shapes that a family makes of its numbers, "" where nothing is."""
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            model = build_object(spec)
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError) as error:
        return str(error).partition("\n")[0] or type(error).__name__
    geoms = (*model.geoms, *(geom for part in model.parts for geom in part.geoms))
    if not all(0.0 < size < inf for geom in geoms for size in geom.size):
        return "its sizes are not all lengths above 0"
    if not all(abs(value) < inf for geom in geoms for value in (*geom.pos, *geom.quat)):
        return "its shapes do not all have finite positions"
    least, most = OBJECT_EXTENT_M
    largest = [max(map(abs, (*geom.size, *geom.pos))) for geom in geoms]
    if not largest or not (least <= max(largest) <= most):
        return f"its largest length is {max(largest, default=0.0):g} m; valid: {least:g} to {most:g}"
    return next(
        (f"joint {part.joint!r} has no range" for part in model.parts if not part.joint_range[0] < part.joint_range[1]),
        "",
    )


def _check_spawn_rules(task: Task) -> Iterator[Diagnostic]:
    placed: list[str] = []
    always_present: list[str] = []  # and never left out
    for task_object in task.objects:
        spawn, location_hints = task_object.spawn, build_name_location("objects", task_object.name)[1]
        for rule, name in _list_references(task_object):
            candidates = placed if rule in ("apart", "apart_y", "like", "unlike") else always_present
            yield from check_name(
                f"object before {task_object.name!r} in {rule}", name, candidates, location_hints, name
            )
        ranges = {"x": spawn.x, "y": spawn.y, "yaw": spawn.yaw}
        if spawn.when_right:
            ranges["when_right"] = spawn.when_right[1]
        for field, (low, high) in ranges.items():
            if not low <= high:
                yield Diagnostic(
                    f"spawn.{field} of {task_object.name!r}: {low} is more than {high}",
                    build_field_pattern(field),
                    location_hints,
                )
        if not spawn.floor and not spawn.within:
            yield from _check_on_table(task, task_object, location_hints)
        if task_object.like and len(task_object.variants) != len(task.find_object(task_object.like).variants):
            yield Diagnostic(
                f"{task_object.name!r} is like {task_object.like!r} and has not as many variants", "", location_hints
            )
        placed.append(task_object.name)
        always_present += [] if spawn.optional else [task_object.name]
    for order in task.order:
        yield from check_name("order", order.by, OBJECT_ORDER_KEYS, (build_field_pattern("order"),))
        for name in order.names:
            yield from check_name("object", name, placed, (build_field_pattern("order"),))


def _list_references(task_object: TaskObject) -> Iterator[tuple[str, str]]:
    """Yield what an object refers to that must stand before it: (rule, object)."""
    spawn = task_object.spawn
    mirror = spawn.mirror.removeprefix("-")
    yield from (("apart", name) for name, _ in spawn.apart)
    yield from (("apart_y", name) for name, _ in spawn.apart_y)
    single_references = (
        ("mirror", "" if mirror == "coin" else mirror), ("within", spawn.within), ("like", task_object.like),
        ("when_right", spawn.when_right[0] if spawn.when_right else ""), ("unlike", task_object.unlike),
    )  # fmt: skip
    yield from ((rule, name) for rule, name in single_references if name)


def _check_on_table(task: Task, task_object: TaskObject, location_hints: tuple[str, ...]) -> Iterator[Diagnostic]:
    """Yield where an object's base may be drawn off the table."""
    spawn, (half_x, half_y, _) = task_object.spawn, TABLE_HALF_EXTENTS_M
    ranges = {"x": spawn.x} | ({"when_right": spawn.when_right[1]} if spawn.when_right else {})
    left, right = task.table.x - half_x, task.table.x + half_x
    for field, (low, high) in ranges.items():
        given_fits, mirrored_fits = (left <= low and high <= right), (left <= -high and -low <= right)
        # where an object decides, one side is enough
        if not (
            given_fits and mirrored_fits if spawn.mirror == "coin" else given_fits or (spawn.mirror and mirrored_fits)
        ):
            message = (
                f"spawn.{field} of {task_object.name!r}: {low} to {high} is off the table; valid: {left:g} to {right:g}"
            )
            yield Diagnostic(message, build_field_pattern(field), location_hints)
    if not (-half_y <= spawn.y[0] and spawn.y[1] <= half_y):
        message = f"spawn.y of {task_object.name!r}: {spawn.y[0]} to {spawn.y[1]} is off the table"
        yield Diagnostic(f"{message}; valid: {-half_y:g} to {half_y:g}", build_field_pattern("y"), location_hints)


def _check_arm_rules(task: Task) -> Iterator[Diagnostic]:
    always = [task_object.name for task_object in task.objects if not task_object.spawn.optional]
    candidates = {"side": [task_object.name for task_object in task.objects], "facing": always}
    roles: list[str] = []
    for arm in task.arms:
        rule_kind, colon, name = arm.rule.partition(":")
        location_hints = build_name_location("arms", arm.role)[1]
        if rule_kind not in ("left", "right", "side", "facing", "other") or bool(colon) != (
            rule_kind not in ("left", "right")
        ):
            yield Diagnostic(
                format_unknown_name("arm rule", arm.rule, ARM_RULES), build_quoted_pattern(arm.rule), location_hints
            )
        elif rule_kind == "other":
            yield from check_name(f"role before {arm.role!r}", name, roles, location_hints, arm.rule)
        elif colon:
            yield from check_name("object", name, candidates[rule_kind], location_hints, arm.rule)
        roles.append(arm.role)


def _check_instructions(task: Task) -> Iterator[Diagnostic]:
    objects = [task_object.name for task_object in task.objects]
    valid = (*objects, *(f"{name}.colour" for name in objects), *(arm.role for arm in task.arms))
    optional = {task_object.name for task_object in task.objects if task_object.spawn.optional}
    said: set[str] = set()
    for field, templates in (("instructions", task.instructions), ("unseen", task.unseen)):
        location_hints = (build_field_pattern(field),)
        for template in templates:
            if template in said or not template.strip():
                problem = f"{template!r} is said twice" if template in said else "an instruction is empty"
                yield Diagnostic(
                    problem, re.escape(template) if template else "", (*location_hints, re.escape(template))
                )
            said.add(template)
            for slot in find_slots(template):
                if slot not in valid:
                    yield Diagnostic(format_unknown_name("slot", slot, valid), re.escape(f"{{{slot}}}"), location_hints)
            if set("{}") & set(SLOT_PATTERN.sub("", template)):
                yield Diagnostic(
                    f"a brace of {template!r} is not closed or not opened", re.escape(template), location_hints
                )
        if templates and all(
            optional & {slot.partition(".")[0] for slot in find_slots(template)} for template in templates
        ):
            absent = ", ".join(sorted(optional))
            yield Diagnostic(f"each of {field} names an object that may be absent: {absent}", "", location_hints)
