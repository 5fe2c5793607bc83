"""A task in words: what is asked, what stands there, what counts as done; and all tasks as a page of tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sim.embodiment.model import Embodiment
from sim.scene.instructions import SLOT, Named
from sim.task.predicates import FAR
from sim.task.spec import Object, Task, Term, Value
from sim.types import CONTROL_HZ

HEAD = ("task", "what is asked", "objects", "arms", "done when", "steps, seconds", "robots")
ABOUT = """# The tasks

Made by `aim tasks --markdown docs/tasks.md` from the tasks themselves; do not edit it by hand.

Under *objects*, kinds and how many variants of them a seed draws from. Under *done when*, all terms of
`sim/task/predicates.py` that must hold together, in metres and radians; *once* means that it need not last. A
control step takes 20 ms.
"""
LISTS = ("heights",)  # keywords whose numbers are no range
ALTERNATIVES = {"b": " or "}  # keywords of which one of several names will do
SUITES = {
    "robotwin50": "The fifty tasks of RoboTwin 2.0: its scenes, its success conditions.",
    "robotwin50_strict": "The same tasks where the original's condition can be met without doing what is asked: "
    "here it says all of it.",
}


def asked(task: Task) -> str:
    """Return the first instruction as one of its scenes would have it said; arms are called by their role."""
    named = {}
    for number, thing in enumerate(task.objects):
        shape = thing.variants[-1 if thing.unlike else 0]
        colour = thing.colours[number % len(thing.colours)] if thing.colours else shape.colour
        named[thing.name] = Named(shape, colour, bool(thing.colours))

    def fill(match: re.Match[str]) -> str:
        slot, _, detail = match.group(1).partition(".")
        if slot not in named:
            return f"arm {slot}"
        return named[slot].colour if detail else named[slot].descriptions(False)[0]

    return SLOT.sub(fill, task.instructions[0])


def things(task: Task) -> str:
    """Return the objects: name, kinds, number of variants; neighbours that differ in name alone are named together."""
    alike: dict[str, list[str]] = {}
    for thing in task.objects:
        alike.setdefault(_kinds(thing), []).append(thing.name)
    return "; ".join(kinds if names == [kinds] else f"{', '.join(names)}: {kinds}" for kinds, names in alike.items())


def done_when(task: Task) -> str:
    """Return the terms of success in words, with their numbers."""
    return "; ".join(words(term) for term in task.success)


def words(term: Term) -> str:
    """Return a term in words: its name, whom it is about, its numbers."""
    about = [_said(value, ALTERNATIVES.get(key, ", ")) for key, value in term.args.items() if _names(value)]
    numbers = [_number(key, value) for key, value in term.args.items() if not _names(value)]
    said = f"{term.name.replace('_', ' ')} {', '.join(about)}" + (f" ({', '.join(numbers)})" if numbers else "")
    return f"once {said}" if term.latch else said


def page(tasks: Iterable[Task], robots: Sequence[Embodiment]) -> str:
    """Return a Markdown page with one table a suite; `robots` are those of which it says who can do a task."""
    suites: dict[str, list[Task]] = {}
    for task in tasks:
        suites.setdefault(task.suite or "others", []).append(task)
    parts = [ABOUT]
    for suite in sorted(suites):
        about = [SUITES[suite], ""] if suite in SUITES else []
        rows = [_row(task, robots) for task in suites[suite]]
        parts.append("\n".join([f"## {suite}: {len(rows)} tasks", "", *about, _line(HEAD), _line(["---"] * len(HEAD)),
                                *map(_line, rows), ""]))
    return "\n".join(parts)


def _row(task: Task, robots: Sequence[Embodiment]) -> list[str]:
    able = [robot.name for robot in robots if len(robot.arms) >= task.arms_needed]
    time = f"{task.horizon}, {task.horizon / CONTROL_HZ:g} s"
    return [f"`{task.name}`", asked(task), things(task), str(task.arms_needed), done_when(task), time, ", ".join(able)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _kinds(thing: Object) -> str:
    kinds = list(dict.fromkeys(shape.kind or shape.family for shape in thing.variants))
    many = [str(len(thing.variants))] if len(thing.variants) > 1 else []
    many += [f"{len(thing.colours)} colours"] if len(thing.colours) > 1 else []
    return ", ".join(kinds).replace("_", " ") + (f" ({', '.join(many)})" if many else "")


def _names(value: Value) -> bool:
    """Tell whether a value speaks of objects, points or arms."""
    return isinstance(value, str) or (isinstance(value, tuple) and bool(value) and isinstance(value[0], str))


def _number(key: str, value: Value) -> str:
    """Return a keyword with its number; a range that is open on one side is a bound."""
    if key in LISTS:
        return f"{key} {_said(value)}"
    match value:
        case True:
            return key
        case (int() | float() as low, int() | float() as high) if high >= FAR:
            return f"{key} over {low:.3g}"
        case (int() | float() as low, int() | float() as high) if low <= -FAR:
            return f"{key} under {high:.3g}"
        case (int() | float() as low, int() | float() as high):
            return f"{key} {low:.3g} to {high:.3g}"
        case _:
            return f"{key} {_said(value)}"


def _said(value: Value, between: str = ", ") -> str:
    if isinstance(value, tuple):
        inner = between.join(map(_said, value))
        return inner if _names(value) else f"[{inner}]"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
