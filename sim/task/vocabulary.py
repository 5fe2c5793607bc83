"""The keywords of terms, skills and families, and the names that they may say.

What a keyword refers to is told by its name, in two tables: a new term or skill with the usual keywords needs no
line here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import Parameter

from sim.expert.skills import SKILLS
from sim.objects import Form, form_of
from sim.task.diagnostics import Fault, choice, field_of, quoted
from sim.task.predicates import TERMS
from sim.task.spec import Skill, Task, Term, Value

ONE_OF = (("arm", "arms"), ("on", "to"))  # of keywords that a word has both, one must be there


class Names:
    """The names that a task's terms and skills may use. Points, joints and grasps are those that all variants have."""

    def __init__(self, task: Task) -> None:
        self.objects = tuple(thing.name for thing in task.objects)
        self.roles = tuple(arm.role for arm in task.arms)
        self._forms = {thing.name: tuple(map(form_of, thing.variants)) for thing in task.objects}

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


def word_faults(task: Task) -> Iterator[Fault]:
    """Yield what is wrong with the words of a task's terms and skills."""
    names = Names(task)
    yield from _calls("term", TERMS, TERM_NAMES, task.success, "success", names)
    yield from _calls("skill", SKILLS, SKILL_NAMES, tuple(flat(task.plan)), "plan", names)


def _calls(
    kind: str, words: Mapping[str, Callable], meanings: Mapping[str, tuple[str, Valid]],
    items: tuple[Term, ...] | tuple[Skill, ...], field: str, names: Names,
) -> Iterator[Fault]:
    said: list[str] = []
    for item in items:
        said.append(item.name)
        trail = (field_of(field), *[quoted(item.name)] * said.count(item.name))
        yield from choice(kind, item.name, words, trail)
        yield from keyword_faults(kind, item.name, words[item.name], 1, item.args, trail)
        known = parameters(words[item.name], 1)
        for key, value in item.args.items():
            meaning = meanings.get(f"{item.name}.{key}") or meanings.get(key)
            if meaning is None or (value == "" and known[key].default == ""):
                continue
            for name in value if isinstance(value, tuple) and "tuple" in str(known[key].annotation) else (value,):
                yield from choice(meaning[0], name, meaning[1](names, item.args), trail)


def keyword_faults(
    kind: str, name: str, function: Callable, skipped: int, args: Args, trail: tuple[str, ...]
) -> Iterator[Fault]:
    """Yield keywords that a function does not know, and those that it lacks."""
    known = parameters(function, skipped)
    for key in args:
        yield from choice(f"keyword of {kind} {name!r}:", key, known, trail)
    lacking = [key for key, one in known.items() if one.default is Parameter.empty and key not in args]
    lacking += [" or ".join(pair) for pair in ONE_OF if set(pair) <= set(known) and not set(pair) & set(args)]
    if lacking:
        yield Fault(f"{kind} {name!r} lacks {', '.join(lacking)}; valid: {', '.join(known)}", quoted(name), trail)


def flat(plan: Iterable[Skill]) -> Iterator[Skill]:
    """Yield skills, each before those alongside it."""
    for item in plan:
        yield item
        yield from flat(item.alongside)


def _holds(form: Form, joint: str) -> list[str]:
    parts = {part.name for part in form.parts if part.joint == joint}
    return [name for name, (part, _) in form.grasps.items() if not joint or part in parts]


def _common(lists: Sequence[Iterable[str]]) -> tuple[str, ...]:
    """Return what all lists have, in the order of the first."""
    first, *others = map(list, lists) if lists else ((),)
    return tuple(name for name in first if all(name in other for other in others))


@functools.cache
def parameters(function: Callable, skipped: int) -> Mapping[str, Parameter]:
    """Return the keywords of a function, but for the first few."""
    return dict(list(inspect.signature(function).parameters.items())[skipped:])
