"""Reads a task before anyone plays it: every word known, every name there, every place possible.

What a keyword refers to is told by its name, in two tables: a new term or skill with the usual keywords needs no
line here.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

# `sim.skills` and `sim.expert` need each other; this is the end to begin with
import sim.expert  # noqa: F401
from sim.discover import choose
from sim.embodiment import Embodiment
from sim.scene.build import TABLE_HALF
from sim.scene.forms import FAMILIES, Form, form_of
from sim.scene.layout import draw
from sim.scene.palette import PALETTE
from sim.scene.speech import SLOT, slots
from sim.skills import SKILLS
from sim.spec import Object, Shape, Skill, SpecError, Task, Term, Value, from_json
from sim.terms import TERMS
from sim.types import UserError

ORDERS = ("side", "y")
RULES = ("left", "right", "side:OBJECT", "facing:OBJECT", "other:ROLE")
ONE_OF = (("arm", "arms"), ("on", "to"))  # of keywords that a word has both, one must be there
TAKEN = ("table", "world", "all", "coin")  # names that mean something else already
NOBODY = Embodiment("nobody", (), (), (0.0, 0.0, 0.0))  # a layout is the same for every robot


@dataclass(frozen=True)
class Fault:
    """What is wrong; a pattern of the offending word in the source, and patterns that lead to where it stands."""

    text: str
    word: str = ""
    trail: tuple[str, ...] = ()


def check_task(task: Task, source: str = "", path: str = "") -> None:
    """Raise `SpecError` with one line, "path:LINE: what is wrong; valid: names", where a task is not sound.

    `source` is the text, Python or JSON, that the task was read from.
    """
    fault = next(faults(task), None)
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
        near = line_of(text, Fault(says, _quoted(word[1]) if word else ""))
        line = cause.lineno if isinstance(cause, json.JSONDecodeError) else near or 1
        raise SpecError(f"{path}:{line}: {says}") from error
    check_task(task, text, path)
    return task


def line_of(source: str, fault: Fault) -> int:
    """Return the line, from 1, of the fault's word nearest to the end of its trail; 0 where there is neither."""
    at = 0
    for step in fault.trail:
        found = re.compile(step).search(source, at)
        at = found.end() if found else at
    places = [found.start() for found in re.finditer(fault.word, source)] if fault.word else []
    if not places and not at:
        return 0

    def away(place: int) -> int:  # what is said of a thing mostly follows its name
        return place - at if place >= at else 3 * (at - place)

    return source.count("\n", 0, min(places, key=away, default=at)) + 1


def faults(task: Task) -> Iterator[Fault]:
    """Yield what is wrong with a task; what follows the first may follow from it."""
    yield from _types(task, "task")
    yield from _outline(task)
    for thing in task.objects:
        yield from _variants(thing)
    yield from _spawns(task)
    names = Names(task)
    yield from _arms(task)
    yield from _instructions(task)
    yield from _calls("term", TERMS, TERM_NAMES, task.success, "success", names)
    yield from _calls("skill", SKILLS, SKILL_NAMES, tuple(_flat(task.plan)), "plan", names)
    yield from _conditions(task)
    try:
        draw(task, NOBODY, 0)
    except SpecError as error:
        yield Fault(str(error).removeprefix(f"task {task.name!r}: "), _field("objects"))


class Names:
    """The names that a task's terms and skills may use. Points, joints and grasps are those that all variants have."""

    def __init__(self, task: Task) -> None:
        self.objects = tuple(thing.name for thing in task.objects)
        self.roles = tuple(arm.role for arm in task.arms)
        self._forms = {thing.name: tuple(map(_form, thing.variants)) for thing in task.objects}

    def points(self, obj: str) -> tuple[str, ...]:
        """Return the points of an object."""
        return _common([form.points for form in self._forms.get(obj, ())])

    def joints(self, obj: str) -> tuple[str, ...]:
        """Return the joints of an object."""
        return _common([[part.joint for part in form.parts] for form in self._forms.get(obj, ())])

    def grasps(self, obj: str, joint: str = "") -> tuple[str, ...]:
        """Return the grasps of an object, with `joint` those of the part that it moves."""
        return _common([_holds(form, joint) for form in self._forms.get(obj, ())])


Args = Mapping[str, Value]
Valid = Callable[[Names, Args], tuple[str, ...]]  # what a keyword may say, given what the others say


def _points(names: Names, args: Args) -> tuple[str, ...]:
    """Return the points of `obj` where that is said, else those of all objects."""
    if "obj" in args:
        return names.points(str(args["obj"]))
    return tuple(f"{obj}.{point}" for obj in names.objects for point in names.points(obj))


def _spots(names: Names, args: Args) -> tuple[str, ...]:
    return (*names.objects, *_points(names, {}))


def _joints(names: Names, args: Args) -> tuple[str, ...]:
    return tuple(f"{obj}.{joint}" for obj in names.objects for joint in names.joints(obj))


def _grasps(names: Names, args: Args) -> tuple[str, ...]:
    obj, _, joint = str(args.get("joint", "")).partition(".")
    return names.grasps(obj, joint) if joint else names.grasps(str(args.get("obj", "")))


ROLE = ("role", lambda names, args: names.roles)
ANY_ROLE = ("role", lambda names, args: (*names.roles, "all"))
OBJECT = ("object", lambda names, args: names.objects)
SOLID = ("object", lambda names, args: (*names.objects, "table"))
SPOT = ("point", _spots)

SKILL_NAMES: dict[str, tuple[str, Valid]] = {
    "arm": ROLE, "arms": ROLE, "mirror": ROLE, "obj": OBJECT, "objs": OBJECT,
    "point": ("point", _points), "on": SPOT, "a": SPOT, "b": SPOT,
    "joint": ("joint", _joints), "grasp": ("grasp", _grasps),
}  # fmt: skip
TERM_NAMES: dict[str, tuple[str, Valid]] = {
    **SKILL_NAMES, "arm": ANY_ROLE, "point": SPOT,
    # of a term whose keywords mean something else: TERM.KEYWORD
    "touching.a": SOLID, "touching.b": SOLID, "clear.a": SOLID, "clear.b": SOLID,
    "same_side.a": OBJECT, "same_side.b": OBJECT,
}  # fmt: skip


def _types(value: object, name: str) -> Iterator[Fault]:
    """Yield the fields of a frozen value, and of those in it, whose type is not the declared one."""
    for field, hint in _hints(type(value)).items():
        inner = vars(value)[field]
        if not _fits(inner, hint):
            yield Fault(f"{field} of {name} is {inner!r}; valid: {str(hint).replace('sim.spec.', '')}", _field(field))
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
        yield Fault(f"horizon {task.horizon} is less than one control step", _field("horizon"))
    for field, value in (("instructions", task.instructions), ("objects", task.objects), ("success", task.success)):
        if not value:
            yield Fault(f"{field} is empty", _field(field))
    said: list[tuple[str, str]] = []
    objects = (("object", "objects", thing.name) for thing in task.objects)
    roles = (("role", "arms", arm.role) for arm in task.arms)
    for kind, field, name in (*objects, *roles):
        word, trail = _named(field, name)
        if name in {other for _, other in said}:
            again = (word,) * said.count((field, name))
            yield Fault(f"{kind} {name!r}: the name is used twice", word, (*trail, *again))
        if name in TAKEN or not name.isidentifier():
            yield Fault(f"{kind} {name!r}: not a name; valid: any word but {', '.join(TAKEN)}", word, trail)
        said.append((field, name))


def _variants(thing: Object) -> Iterator[Fault]:
    trail = _named("objects", thing.name)[1]
    if not thing.variants:
        yield Fault(f"object {thing.name!r} has no variants", "", trail)
    for colour in thing.colours:
        yield from _choice("colour", colour, PALETTE, trail)
    for shape in thing.variants:
        yield from _choice("family", shape.family, FAMILIES, trail)
        yield from _keywords("family", shape.family, FAMILIES[shape.family], 0, shape.params, trail)
        yield from _choice("colour", shape.colour, PALETTE, trail)
        try:
            _form(shape)
        except (ValueError, IndexError, KeyError) as error:
            yield Fault(f"family {shape.family!r} of object {thing.name!r}: {error}", _quoted(shape.family), trail)


def _spawns(task: Task) -> Iterator[Fault]:
    placed: list[str] = []
    sure: list[str] = []  # and never left out
    for thing in task.objects:
        spawn, trail = thing.spawn, _named("objects", thing.name)[1]
        for rule, name in _rules(thing):
            known = placed if rule in ("apart", "apart_y", "like", "unlike") else sure
            yield from _choice(f"object before {thing.name!r} in {rule}", name, known, trail, name)
        ranges = {"x": spawn.x, "y": spawn.y, "yaw": spawn.yaw}
        if spawn.when_right:
            ranges["when_right"] = spawn.when_right[1]
        for field, (low, high) in ranges.items():
            if low > high:
                yield Fault(f"spawn.{field} of {thing.name!r}: {low} is more than {high}", _field(field), trail)
        if not spawn.floor and not spawn.within:
            yield from _on_table(task, thing, trail)
        if thing.like and len(thing.variants) != len(task.object(thing.like).variants):
            yield Fault(f"{thing.name!r} is like {thing.like!r} and has not as many variants", "", trail)
        placed.append(thing.name)
        sure += [] if spawn.optional else [thing.name]
    for order in task.order:
        yield from _choice("order", order.by, ORDERS, (_field("order"),))
        for name in order.names:
            yield from _choice("object", name, placed, (_field("order"),))


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
            yield Fault(text, _field(field), trail)
    if spawn.y[0] < -half_y or spawn.y[1] > half_y:
        text = f"spawn.y of {thing.name!r}: {spawn.y[0]} to {spawn.y[1]} is off the table"
        yield Fault(f"{text}; valid: {-half_y:g} to {half_y:g}", _field("y"), trail)


def _arms(task: Task) -> Iterator[Fault]:
    always = [thing.name for thing in task.objects if not thing.spawn.optional]
    known = {"side": [thing.name for thing in task.objects], "facing": always}
    roles: list[str] = []
    for arm in task.arms:
        kind, colon, name = arm.rule.partition(":")
        trail = _named("arms", arm.role)[1]
        if kind not in ("left", "right", "side", "facing", "other") or bool(colon) != (kind not in ("left", "right")):
            yield Fault(_unknown("arm rule", arm.rule, RULES), _quoted(arm.rule), trail)
        elif kind == "other":
            yield from _choice(f"role before {arm.role!r}", name, roles, trail, arm.rule)
        elif colon:
            yield from _choice("object", name, known[kind], trail, arm.rule)
        roles.append(arm.role)


def _instructions(task: Task) -> Iterator[Fault]:
    objects = [thing.name for thing in task.objects]
    valid = (*objects, *(f"{name}.colour" for name in objects), *(arm.role for arm in task.arms))
    optional = {thing.name for thing in task.objects if thing.spawn.optional}
    for field, pool in (("instructions", task.instructions), ("unseen", task.unseen)):
        trail = (_field(field),)
        for template in pool:
            for slot in slots(template):
                if slot not in valid:
                    yield Fault(_unknown("slot", slot, valid), re.escape(f"{{{slot}}}"), trail)
            if set("{}") & set(SLOT.sub("", template)):
                yield Fault(f"a brace of {template!r} is not closed or not opened", re.escape(template), trail)
        if pool and all(optional & {slot.partition(".")[0] for slot in slots(template)} for template in pool):
            absent = ", ".join(sorted(optional))
            yield Fault(f"each of {field} names an object that may be absent: {absent}", "", trail)


def _calls(
    kind: str, words: Mapping[str, Callable], meanings: Mapping[str, tuple[str, Valid]],
    items: tuple[Term, ...] | tuple[Skill, ...], field: str, names: Names,
) -> Iterator[Fault]:
    """Yield what is wrong with the keywords of terms or skills."""
    said: list[str] = []
    for item in items:
        said.append(item.name)
        trail = (_field(field), *[_quoted(item.name)] * said.count(item.name))
        yield from _choice(kind, item.name, words, trail)
        yield from _keywords(kind, item.name, words[item.name], 1, item.args, trail)
        known = _parameters(words[item.name], 1)
        for key, value in item.args.items():
            meaning = meanings.get(f"{item.name}.{key}") or meanings.get(key)
            if meaning is None or (value == "" and known[key].default == ""):
                continue
            for name in value if isinstance(value, tuple) and "tuple" in str(known[key].annotation) else (value,):
                yield from _choice(meaning[0], name, meaning[1](names, item.args), trail)


def _conditions(task: Task) -> Iterator[Fault]:
    roles = [arm.role for arm in task.arms]
    for item in _flat(task.plan):
        if item.when and not re.fullmatch(r"\w+!?=\w+", item.when):
            text = f"condition {item.when!r} of skill {item.name!r}; valid: ROLE=ROLE, ROLE!=ROLE"
            yield Fault(text, _quoted(item.when), (_field("plan"),))
        for role in re.split("!?=", item.when) if item.when else ():
            yield from _choice("role", role, roles, (_field("plan"),), item.when)


def _keywords(
    kind: str, name: str, function: Callable, skipped: int, args: Args, trail: tuple[str, ...]
) -> Iterator[Fault]:
    """Yield keywords that a function does not know, and those that it lacks."""
    known = _parameters(function, skipped)
    for key in args:
        yield from _choice(f"keyword of {kind} {name!r}:", key, known, trail)
    lacking = [key for key, one in known.items() if one.default is Parameter.empty and key not in args]
    lacking += [" or ".join(pair) for pair in ONE_OF if set(pair) <= set(known) and not set(pair) & set(args)]
    if lacking:
        yield Fault(f"{kind} {name!r} lacks {', '.join(lacking)}; valid: {', '.join(known)}", _quoted(name), trail)


def _choice(
    kind: str, name: Value, valid: Iterable[str], trail: tuple[str, ...], said: str = ""
) -> Iterator[Fault]:
    """Yield a fault where a name is not a valid one; `said` is what the source says, if not the name alone."""
    valid = tuple(valid)
    if name not in valid:
        yield Fault(_unknown(kind, str(name), valid), _quoted(said or str(name)), trail)


def _unknown(kind: str, name: str, valid: Iterable[str]) -> str:
    try:
        return choose(kind, name, tuple(valid) or ("none",))
    except UserError as error:
        return str(error)


def _quoted(word: str) -> str:
    return rf"[\"']-?{re.escape(word)}[\"']"


def _field(name: str) -> str:
    return rf"\b{name}\b[\"']?\s*[=:]"


def _named(field: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Return the pattern of a name and the trail to where it is given to an object or a role."""
    return _quoted(name), (_field(field), _quoted(name))


def _flat(plan: Iterable[Skill]) -> Iterator[Skill]:
    for item in plan:
        yield item
        yield from _flat(item.alongside)


def _holds(form: Form, joint: str) -> list[str]:
    parts = {part.name for part in form.parts if part.joint == joint}
    return [name for name, (part, _) in form.grasps.items() if not joint or part in parts]


def _common(lists: Sequence[Iterable[str]]) -> tuple[str, ...]:
    """Return what all lists have, in the order of the first."""
    first, *others = map(list, lists) if lists else ((),)
    return tuple(name for name in first if all(name in other for other in others))


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


@functools.cache
def _parameters(function: Callable, skipped: int) -> Mapping[str, Parameter]:
    return dict(list(inspect.signature(function).parameters.items())[skipped:])


FORMS: dict[str, Form] = {}  # built once a process: tasks share many shapes


def _form(shape: Shape) -> Form:
    key = f"{shape.family} {shape.params}"
    if key not in FORMS:
        FORMS[key] = form_of(shape)
    return FORMS[key]
