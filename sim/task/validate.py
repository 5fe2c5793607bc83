"""Reads a task before anyone plays it: every word known, every name there, every place possible."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Iterator, Mapping
from math import inf
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from sim.embodiment.model import Embodiment
from sim.objects import FAMILIES, form_of
from sim.objects.palette import PALETTE
from sim.scene.compile import TABLE_HALF
from sim.scene.instructions import SLOT, slots
from sim.scene.sample import draw
from sim.task.diagnostics import Fault, choice, field_of, line_of, named, quoted, unknown
from sim.task.spec import Object, SpecError, Task, from_json
from sim.task.vocabulary import flat, keyword_faults, word_faults

ORDERS = ("side", "y")
RULES = ("left", "right", "side:OBJECT", "facing:OBJECT", "other:ROLE")
TAKEN = ("table", "world", "all", "coin")  # names that mean something else already
NOBODY = Embodiment("nobody", (), (), (0.0, 0.0, 0.0))  # a layout is the same for every robot


def check_task(task: Task, source: str = "", path: str = "") -> None:
    """Raise `SpecError` with one line, "path:LINE: what is wrong; valid: names", where a task is not sound.

    `source` is the text, Python or JSON, that the task was read from.
    """
    fault = next(_faults(task), None)
    if fault is None:
        return
    line = line_of(source, fault)
    where = (f"{path}:{line}" if line else path) or f"task {task.name!r}"
    raise SpecError(f"{where}: {fault.text}")


def read_task(text: str, path: str = "") -> Task:
    """Return the task of a JSON text; `SpecError` with one line as from `check_task` where it is not sound."""
    try:
        task = from_json(text)
    except (SpecError, AttributeError) as error:
        cause = error.__cause__ or error
        says = f"not a task: {cause} is missing" if isinstance(cause, KeyError) else f"not a task: {cause}"
        word = re.search(r"'(\w+)'", says)
        near = line_of(text, Fault(says, quoted(word[1]) if word else ""))
        line = cause.lineno if isinstance(cause, json.JSONDecodeError) else near or 1
        raise SpecError(f"{path}:{line}: {says}") from error
    check_task(task, text, path)
    return task


def _faults(task: Task) -> Iterator[Fault]:
    """Yield what is wrong with a task; what follows the first may follow from it."""
    yield from _types(task, "task")
    yield from _outline(task)
    for thing in task.objects:
        yield from _variants(thing)
    yield from _spawns(task)
    yield from _arms(task)
    yield from _instructions(task)
    yield from word_faults(task)
    yield from _conditions(task)
    try:
        draw(task, NOBODY, 0)
    except SpecError as error:
        yield Fault(str(error).removeprefix(f"task {task.name!r}: "), field_of("objects"))


def _types(value: object, name: str) -> Iterator[Fault]:
    """Yield the fields of a frozen value, and of those in it, whose type is not the declared one."""
    for field, hint in _hints(type(value)).items():
        inner = vars(value)[field]
        if not _fits(inner, hint):
            valid = hint.__name__ if isinstance(hint, type) else str(hint).replace("sim.task.spec.", "")
            yield Fault(f"{field} of {name} is {inner!r}; valid: {valid}", field_of(field))
        for one in inner if isinstance(inner, tuple) else (inner,):
            if dataclasses.is_dataclass(one):
                yield from _types(one, type(one).__name__.lower())


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - a type, or what `typing` makes of several
    origin, args = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return any(_fits(value, one) for one in args)
    if origin is tuple:
        each = args[:1] * len(value) if isinstance(value, tuple) and args[-1:] == (...,) else args
        return isinstance(value, tuple) and len(value) == len(each) and all(map(_fits, value, each))
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def _outline(task: Task) -> Iterator[Fault]:
    if task.horizon < 1:
        yield Fault(f"horizon {task.horizon} is less than one control step", field_of("horizon"))
    for field, value in (("instructions", task.instructions), ("objects", task.objects), ("success", task.success)):
        if not value:
            yield Fault(f"{field} is empty", field_of(field))
    said: list[tuple[str, str]] = []
    objects = (("object", "objects", thing.name) for thing in task.objects)
    roles = (("role", "arms", arm.role) for arm in task.arms)
    for kind, field, name in (*objects, *roles):
        word, trail = named(field, name)
        if name in {other for _, other in said}:
            again = (word,) * said.count((field, name))
            yield Fault(f"{kind} {name!r}: the name is used twice", word, (*trail, *again))
        if name in TAKEN or not name.isidentifier():
            yield Fault(f"{kind} {name!r}: not a name; valid: any word but {', '.join(TAKEN)}", word, trail)
        said.append((field, name))


def _variants(thing: Object) -> Iterator[Fault]:
    trail = named("objects", thing.name)[1]
    if not thing.variants:
        yield Fault(f"object {thing.name!r} has no variants", "", trail)
    for colour in thing.colours:
        yield from choice("colour", colour, PALETTE, trail)
    for shape in thing.variants:
        yield from choice("family", shape.family, FAMILIES, trail)
        yield from keyword_faults("family", shape.family, FAMILIES[shape.family], 0, shape.params, trail)
        yield from choice("colour", shape.colour, PALETTE, trail)
        try:
            form = form_of(shape)
            geoms = (*form.geoms, *(geom for part in form.parts for geom in part.geoms))
            sound = all(0.0 < size < inf for geom in geoms for size in geom.size)
            why = "its sizes are not all lengths above 0"
        except (ValueError, TypeError, IndexError, KeyError) as error:
            sound, why = False, str(error)
        if not sound:
            yield Fault(f"family {shape.family!r} of object {thing.name!r}: {why}", quoted(shape.family), trail)


def _spawns(task: Task) -> Iterator[Fault]:
    placed: list[str] = []
    sure: list[str] = []  # and never left out
    for thing in task.objects:
        spawn, trail = thing.spawn, named("objects", thing.name)[1]
        for rule, name in _rules(thing):
            known = placed if rule in ("apart", "apart_y", "like", "unlike") else sure
            yield from choice(f"object before {thing.name!r} in {rule}", name, known, trail, name)
        ranges = {"x": spawn.x, "y": spawn.y, "yaw": spawn.yaw}
        if spawn.when_right:
            ranges["when_right"] = spawn.when_right[1]
        for field, (low, high) in ranges.items():
            if not low <= high:
                yield Fault(f"spawn.{field} of {thing.name!r}: {low} is more than {high}", field_of(field), trail)
        if not spawn.floor and not spawn.within:
            yield from _on_table(task, thing, trail)
        if thing.like and len(thing.variants) != len(task.object(thing.like).variants):
            yield Fault(f"{thing.name!r} is like {thing.like!r} and has not as many variants", "", trail)
        placed.append(thing.name)
        sure += [] if spawn.optional else [thing.name]
    for order in task.order:
        yield from choice("order", order.by, ORDERS, (field_of("order"),))
        for name in order.names:
            yield from choice("object", name, placed, (field_of("order"),))


def _rules(thing: Object) -> Iterator[tuple[str, str]]:
    """Yield what an object refers to that must stand before it: (rule, object)."""
    spawn = thing.spawn
    mirror = spawn.mirror.removeprefix("-")
    yield from (("apart", name) for name, _ in spawn.apart)
    yield from (("apart_y", name) for name, _ in spawn.apart_y)
    single = (
        ("mirror", "" if mirror == "coin" else mirror), ("within", spawn.within), ("like", thing.like),
        ("when_right", spawn.when_right[0] if spawn.when_right else ""), ("unlike", thing.unlike),
    )  # fmt: skip
    yield from ((rule, name) for rule, name in single if name)


def _on_table(task: Task, thing: Object, trail: tuple[str, ...]) -> Iterator[Fault]:
    """Yield where an object's base may be drawn off the table."""
    spawn, (half_x, half_y, _) = thing.spawn, TABLE_HALF
    spans = {"x": spawn.x} | ({"when_right": spawn.when_right[1]} if spawn.when_right else {})
    left, right = task.table.x - half_x, task.table.x + half_x
    for field, (low, high) in spans.items():
        given, mirrored = (left <= low and high <= right), (left <= -high and -low <= right)
        # where an object decides, one side is enough
        if not (given and mirrored if spawn.mirror == "coin" else given or (spawn.mirror and mirrored)):
            text = f"spawn.{field} of {thing.name!r}: {low} to {high} is off the table; valid: {left:g} to {right:g}"
            yield Fault(text, field_of(field), trail)
    if not (-half_y <= spawn.y[0] and spawn.y[1] <= half_y):
        text = f"spawn.y of {thing.name!r}: {spawn.y[0]} to {spawn.y[1]} is off the table"
        yield Fault(f"{text}; valid: {-half_y:g} to {half_y:g}", field_of("y"), trail)


def _arms(task: Task) -> Iterator[Fault]:
    always = [thing.name for thing in task.objects if not thing.spawn.optional]
    known = {"side": [thing.name for thing in task.objects], "facing": always}
    roles: list[str] = []
    for arm in task.arms:
        kind, colon, name = arm.rule.partition(":")
        trail = named("arms", arm.role)[1]
        if kind not in ("left", "right", "side", "facing", "other") or bool(colon) != (kind not in ("left", "right")):
            yield Fault(unknown("arm rule", arm.rule, RULES), quoted(arm.rule), trail)
        elif kind == "other":
            yield from choice(f"role before {arm.role!r}", name, roles, trail, arm.rule)
        elif colon:
            yield from choice("object", name, known[kind], trail, arm.rule)
        roles.append(arm.role)


def _instructions(task: Task) -> Iterator[Fault]:
    objects = [thing.name for thing in task.objects]
    valid = (*objects, *(f"{name}.colour" for name in objects), *(arm.role for arm in task.arms))
    optional = {thing.name for thing in task.objects if thing.spawn.optional}
    for field, pool in (("instructions", task.instructions), ("unseen", task.unseen)):
        trail = (field_of(field),)
        for template in pool:
            for slot in slots(template):
                if slot not in valid:
                    yield Fault(unknown("slot", slot, valid), re.escape(f"{{{slot}}}"), trail)
            if set("{}") & set(SLOT.sub("", template)):
                yield Fault(f"a brace of {template!r} is not closed or not opened", re.escape(template), trail)
        if pool and all(optional & {slot.partition(".")[0] for slot in slots(template)} for template in pool):
            absent = ", ".join(sorted(optional))
            yield Fault(f"each of {field} names an object that may be absent: {absent}", "", trail)


def _conditions(task: Task) -> Iterator[Fault]:
    roles = [arm.role for arm in task.arms]
    for item in flat(task.plan):
        if item.when and not re.fullmatch(r"\w+!?=\w+", item.when):
            text = f"condition {item.when!r} of skill {item.name!r}; valid: ROLE=ROLE, ROLE!=ROLE"
            yield Fault(text, quoted(item.when), (field_of("plan"),))
        for role in re.split("!?=", item.when) if item.when else ():
            yield from choice("role", role, roles, (field_of("plan"),), item.when)


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
