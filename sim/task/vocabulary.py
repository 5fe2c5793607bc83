"""The keywords of predicates, skills and families: the values that they take and the names that they may say.

Types and ranges are read from the signatures. What a keyword refers to is told by its name, in two tables: a new
predicate or skill with the usual keywords needs no line here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import Parameter
from typing import NamedTuple

from sim.expert.skills import SKILLS
from sim.objects import ObjectModel, build_object
from sim.task.diagnostics import Diagnostic, build_field_pattern, build_quoted_pattern, check_name
from sim.task.predicates import PREDICATES
from sim.task.spec import Predicate, Skill, Task, Value
from sim.task.values import check_value, describe_valid, is_number, is_one_required, list_values, resolve_hints

ALTERNATIVE_KEYWORDS = (("arm", "arms"), ("on", "to"))  # of keywords that a word has both, one must be there
INCREASING_KEYWORDS = ("low", "high")  # where both are given, the first is less
DIFFERENT_KEYWORDS = ("a", "b")  # never the same
EQUALLY_LONG_KEYWORDS = ("objs", "heights")


class SymbolTable:
    """The names that a task's terms and skills may use. Points, joints and grasps are those that all variants have."""

    def __init__(self, task: Task) -> None:
        self.objects = tuple(task_object.name for task_object in task.objects)
        self.roles = tuple(arm.role for arm in task.arms)
        self._models = {
            task_object.name: tuple(map(build_object, task_object.variants)) for task_object in task.objects
        }

    def list_frames(self, obj: str) -> tuple[str, ...]:
        """Return the points of an object."""
        return _intersect_names([model.frames for model in self._models.get(obj, ())])

    def list_joints(self, obj: str) -> tuple[str, ...]:
        """Return the joints of an object."""
        return _intersect_names([[part.joint for part in model.parts] for model in self._models.get(obj, ())])

    def list_parts(self, obj: str) -> tuple[str, ...]:
        """Return the moving parts of an object."""
        return _intersect_names([[part.name for part in model.parts] for model in self._models.get(obj, ())])

    def list_grasps(self, obj: str, joint: str = "") -> tuple[str, ...]:
        """Return the grasps of an object, with `joint` those of the part that it moves."""
        return _intersect_names([_list_part_grasps(model, joint) for model in self._models.get(obj, ())])


Arguments = Mapping[str, Value]
NameLookup = Callable[[SymbolTable, Arguments], tuple[str, ...]]  # what a keyword may say, given what the others say


def _list_frame_names(symbols: SymbolTable, args: Arguments) -> tuple[str, ...]:
    """Return the points of `obj` where that is said, else those of all objects."""
    if "obj" in args:
        return symbols.list_frames(str(args["obj"]))
    return tuple(f"{obj}.{point}" for obj in symbols.objects for point in symbols.list_frames(obj))


def _list_location_names(symbols: SymbolTable, args: Arguments) -> tuple[str, ...]:
    return (*symbols.objects, *_list_frame_names(symbols, {}))


def _list_joint_names(symbols: SymbolTable, args: Arguments) -> tuple[str, ...]:
    return tuple(f"{obj}.{joint}" for obj in symbols.objects for joint in symbols.list_joints(obj))


def _list_body_names(symbols: SymbolTable, args: Arguments) -> tuple[str, ...]:
    return (*symbols.objects, *(f"{obj}.{part}" for obj in symbols.objects for part in symbols.list_parts(obj)))


def _list_grasp_names(symbols: SymbolTable, args: Arguments) -> tuple[str, ...]:
    obj, _, joint = str(args.get("joint", "")).partition(".")
    return symbols.list_grasps(obj, joint) if joint else symbols.list_grasps(str(args.get("obj", "")))


class Reference(NamedTuple):
    """What a keyword refers to: the kind of name, the names that it may say, and a phrase for them."""

    kind: str
    list_names: NameLookup
    phrase: str


ROLE = Reference("role", lambda symbols, args: symbols.roles, "a role of `arms`")
ANY_ROLE = Reference("role", lambda symbols, args: (*symbols.roles, "all", "any"), 'a role of `arms`, "all" or "any"')
OBJECT = Reference("object", lambda symbols, args: symbols.objects, "an object")
BODY = Reference("object", lambda symbols, args: (*symbols.objects, "table"), 'an object or "table"')
CONTAINER = Reference("object", _list_body_names, "an object, or a moving part of one as OBJECT.PART")
LOCATION = Reference("point", _list_location_names, "a frame as OBJECT.FRAME, or an object")
OWN_FRAME = Reference("point", _list_frame_names, "a frame of the object, or OBJECT.FRAME where there is no `obj`")
JOINT = Reference("joint", _list_joint_names, "a joint as OBJECT.JOINT")
GRASP = Reference("grasp", _list_grasp_names, "a grasp of the object, or of the part that the joint moves")

SKILL_KEYWORDS: dict[str, Reference] = {
    "arm": ROLE, "arms": ROLE, "mirror": ROLE, "obj": OBJECT, "objs": OBJECT, "point": OWN_FRAME,
    "on": LOCATION, "a": LOCATION, "b": LOCATION, "joint": JOINT, "grasp": GRASP,
}  # fmt: skip
PREDICATE_KEYWORDS: dict[str, Reference] = {
    **SKILL_KEYWORDS, "arm": ANY_ROLE, "point": LOCATION, "container": CONTAINER,
    # of a predicate whose keywords mean something else: PREDICATE.KEYWORD
    "in_contact.a": BODY, "in_contact.b": BODY, "not_in_contact.a": BODY, "not_in_contact.b": BODY,
    "same_side.a": OBJECT, "same_side.b": OBJECT,
}  # fmt: skip


def check_vocabulary(task: Task) -> Iterator[Diagnostic]:
    """Yield what is wrong with the words of a task's predicates and skills."""
    symbols = SymbolTable(task)
    yield from _check_calls("predicate", PREDICATES, PREDICATE_KEYWORDS, task.success, "success", symbols)
    yield from _check_calls("skill", SKILLS, SKILL_KEYWORDS, tuple(flatten_plan(task.plan)), "plan", symbols)


def _check_calls(
    kind: str,
    functions: Mapping[str, Callable],
    references: Mapping[str, Reference],
    items: tuple[Predicate, ...] | tuple[Skill, ...],
    field: str,
    symbols: SymbolTable,
) -> Iterator[Diagnostic]:
    seen: list[str] = []
    for call in items:
        seen.append(call.name)
        location_hints = (build_field_pattern(field), *[build_quoted_pattern(call.name)] * seen.count(call.name))
        yield from check_name(kind, call.name, functions, location_hints)
        function, args = functions[call.name], call.args
        hints = resolve_hints(function)
        named = {key: found for key in args if (found := find_reference(references, call.name, key)) and key in hints}
        names = {key: reference.list_names(symbols, args) for key, reference in named.items()}
        yield from check_arguments(kind, call.name, function, 1, args, location_hints, names)
        accepted = list_parameters(function, 1)
        for key, valid in names.items():
            value = args[key]
            if value == "" and accepted[key].default == "":
                continue
            for name in list_values(value):
                yield from check_name(named[key].kind, name, valid, location_hints)
        if kind == "predicate":
            yield from _check_vacuous(call.name, function, args, location_hints)


def find_reference(references: Mapping[str, Reference], word: str, key: str) -> Reference | None:
    """What a keyword of a word refers to; none where it takes a value."""
    return references.get(f"{word}.{key}") or references.get(key)


def check_arguments(
    kind: str,
    name: str,
    function: Callable,
    num_skipped: int,
    args: Arguments,
    location_hints: tuple[str, ...],
    names: Mapping[str, tuple[str, ...]] | None = None,
) -> Iterator[Diagnostic]:
    """Yield keywords that a function does not know or lacks, and values that its signature does not allow.

    `names` are the names that keywords may say, for the message.
    """
    yield from check_keywords(kind, name, function, num_skipped, args, location_hints)
    hints = resolve_hints(function)
    for key, value in args.items():
        if not check_value(value, hints[key]):
            choices = f": {', '.join(names[key])}" if names and key in names else ""
            yield Diagnostic(
                f"{key} of {kind} {name!r} is {value!r}; valid: {describe_valid(value, hints[key])}{choices}",
                build_field_pattern(key),
                location_hints,
            )
    low, high = (args.get(key) for key in INCREASING_KEYWORDS)
    if is_number(low) and is_number(high) and low >= high:
        message = f"low {low} of {kind} {name!r} is not below high {high}"
        yield Diagnostic(message, build_field_pattern("low"), location_hints)
    first, second = (args.get(key) for key in EQUALLY_LONG_KEYWORDS)
    if isinstance(first, tuple) and isinstance(second, tuple) and len(first) != len(second):
        message = f"heights of {kind} {name!r} are {len(second)} for {len(first)} objs; valid: one each"
        yield Diagnostic(message, build_field_pattern("heights"), location_hints)


def _check_vacuous(
    name: str, function: Callable, args: Arguments, location_hints: tuple[str, ...]
) -> Iterator[Diagnostic]:
    """Yield where a predicate holds, or fails, whatever happens."""
    limits = [key for key, hint in resolve_hints(function).items() if is_one_required(hint)]
    if limits and not set(limits) & set(args):
        yield Diagnostic(
            f"predicate {name!r} has no limit and would always hold; valid: one or more of {', '.join(limits)}",
            build_quoted_pattern(name),
            location_hints,
        )
    a, b = (args.get(key) for key in DIFFERENT_KEYWORDS)
    if a is not None and a in list_values(b):
        message = f"predicate {name!r} speaks of {a!r} as both a and b; valid: two different ones"
        yield Diagnostic(message, build_field_pattern("b"), location_hints)


def check_keywords(
    kind: str, name: str, function: Callable, num_skipped: int, args: Arguments, location_hints: tuple[str, ...]
) -> Iterator[Diagnostic]:
    """Yield keywords that a function does not know, those that it lacks, and alternatives that are both given."""
    accepted = list_parameters(function, num_skipped)
    for key in args:
        yield from check_name(f"keyword of {kind} {name!r}:", key, accepted, location_hints)
    missing = [key for key, parameter in accepted.items() if parameter.default is Parameter.empty and key not in args]
    alternatives = [pair for pair in ALTERNATIVE_KEYWORDS if set(pair) <= set(accepted)]
    missing += [" or ".join(pair) for pair in alternatives if not set(pair) & set(args)]
    if missing:
        yield Diagnostic(
            f"{kind} {name!r} lacks {', '.join(missing)}; valid: {', '.join(accepted)}",
            build_quoted_pattern(name),
            location_hints,
        )
    for pair in alternatives:
        if set(pair) <= set(args):
            message = f"{kind} {name!r} has both {' and '.join(pair)}; valid: one of them"
            yield Diagnostic(message, build_quoted_pattern(name), location_hints)


def flatten_plan(plan: Iterable[Skill]) -> Iterator[Skill]:
    """Yield skills, each before those alongside it."""
    for skill in plan:
        yield skill
        yield from flatten_plan(skill.alongside)


def _list_part_grasps(model: ObjectModel, joint: str) -> list[str]:
    parts = {part.name for part in model.parts if part.joint == joint}
    return [name for name, (part, _) in model.grasps.items() if not joint or part in parts]


def _intersect_names(lists: Sequence[Iterable[str]]) -> tuple[str, ...]:
    """Return what all lists have, in the order of the first."""
    first, *others = map(list, lists) if lists else ((),)
    return tuple(name for name in first if all(name in other for other in others))


@functools.cache
def list_parameters(function: Callable, num_skipped: int) -> Mapping[str, Parameter]:
    """Return the keywords of a function, but for the first few."""
    return dict(list(inspect.signature(function).parameters.items())[num_skipped:])
