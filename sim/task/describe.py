"""A task in words: what is asked, what stands there, what counts as done; and all tasks as a page of tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sim.embodiment.model import Embodiment
from sim.scene.instructions import SLOT_PATTERN, ObjectDescription
from sim.task.predicates import UNBOUNDED
from sim.task.spec import Predicate, Task, TaskObject, Value
from sim.types import CONTROL_HZ

TABLE_HEADER = ("task", "what is asked", "objects", "arms", "done when", "steps, seconds", "robots")
PAGE_INTRODUCTION = """# The tasks

Made by `aim tasks --markdown docs/tasks.md` from the tasks themselves; do not edit it by hand.

Under *objects*, categories and how many variants of them a seed draws from. Under *done when*, all terms of
`sim/task/predicates.py` that must hold together, in metres and radians; *once* means that it need not last. A
control step takes 20 ms.
"""
LIST_KEYWORDS = ("heights",)  # keywords whose numbers are no range
LIST_SEPARATORS = {"b": " or "}  # keywords of which one of several names will do
SUITE_DESCRIPTIONS = {
    "robotwin50": "The fifty tasks of RoboTwin 2.0: its scenes, its success conditions.",
    "robotwin50_strict": "The same tasks where the original's condition can be met without doing what is asked: "
    "here it says all of it.",
}


def render_example_instruction(task: Task) -> str:
    """Return the first instruction as one of its scenes would have it said; arms are called by their role."""
    descriptions: dict[str, ObjectDescription] = {}
    for index, task_object in enumerate(task.objects):
        spec = task_object.variants[-1 if task_object.unlike else 0]
        colour = task_object.colours[index % len(task_object.colours)] if task_object.colours else spec.colour
        spawn = task_object.spawn
        place = (sum(spawn.x) / 2, sum(spawn.y) / 2)
        descriptions[task_object.name] = ObjectDescription(spec, colour, bool(task_object.colours), place)

    def fill_slot(match: re.Match[str]) -> str:
        slot, _, attribute = match.group(1).partition(".")
        if slot not in descriptions:
            return f"arm {slot}"
        others = [description for name, description in descriptions.items() if name != slot]
        return descriptions[slot].colour if attribute else descriptions[slot].list_phrases(False, others)[0]

    return SLOT_PATTERN.sub(fill_slot, task.instructions[0])


def describe_objects(task: Task) -> str:
    """Return the objects: name, categories, number of variants; neighbours that differ in name alone form one line."""
    names_by_category: dict[str, list[str]] = {}
    for task_object in task.objects:
        names_by_category.setdefault(_describe_categories(task_object), []).append(task_object.name)
    return "; ".join(
        categories if names == [categories] else f"{', '.join(names)}: {categories}"
        for categories, names in names_by_category.items()
    )


def describe_success(task: Task) -> str:
    """Return the terms of success in words, with their numbers."""
    return "; ".join(describe_predicate(predicate) for predicate in task.success)


def describe_predicate(predicate: Predicate) -> str:
    """Return a term in words: its name, whom it is about, its numbers."""
    names = [
        _format_value(value, LIST_SEPARATORS.get(key, ", "))
        for key, value in predicate.args.items()
        if _is_name_value(value)
    ]
    numbers = [_format_keyword(key, value) for key, value in predicate.args.items() if not _is_name_value(value)]
    text = f"{predicate.name.replace('_', ' ')} {', '.join(names)}" + (f" ({', '.join(numbers)})" if numbers else "")
    return f"once {text}" if predicate.latch else text


def render_task_page(tasks: Iterable[Task], robots: Sequence[Embodiment]) -> str:
    """Return a Markdown page with one table a suite; `robots` are those of which it says who can do a task."""
    tasks_by_suite: dict[str, list[Task]] = {}
    for task in tasks:
        tasks_by_suite.setdefault(task.suite or "others", []).append(task)
    sections = [PAGE_INTRODUCTION]
    for suite in sorted(tasks_by_suite):
        introduction = [SUITE_DESCRIPTIONS[suite], ""] if suite in SUITE_DESCRIPTIONS else []
        rows = [_build_table_row(task, robots) for task in tasks_by_suite[suite]]
        sections.append(
            "\n".join(
                [
                    f"## {suite}: {len(rows)} tasks",
                    "",
                    *introduction,
                    _format_table_row(TABLE_HEADER),
                    _format_table_row(["---"] * len(TABLE_HEADER)),
                    *map(_format_table_row, rows),
                    "",
                ]
            )
        )
    return "\n".join(sections)


def _build_table_row(task: Task, robots: Sequence[Embodiment]) -> list[str]:
    capable_robots = [robot.name for robot in robots if len(robot.arms) >= task.arms_needed]
    duration = f"{task.horizon}, {task.horizon / CONTROL_HZ:g} s"
    return [
        f"`{task.name}`",
        render_example_instruction(task),
        describe_objects(task),
        str(task.arms_needed),
        describe_success(task),
        duration,
        ", ".join(capable_robots),
    ]


def _format_table_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _describe_categories(task_object: TaskObject) -> str:
    categories = list(dict.fromkeys(spec.category or spec.family for spec in task_object.variants))
    counts = [str(len(task_object.variants))] if len(task_object.variants) > 1 else []
    counts += [f"{len(task_object.colours)} colours"] if len(task_object.colours) > 1 else []
    return ", ".join(categories).replace("_", " ") + (f" ({', '.join(counts)})" if counts else "")


def _is_name_value(value: Value) -> bool:
    """Tell whether a value speaks of objects, points or arms."""
    return isinstance(value, str) or (isinstance(value, tuple) and bool(value) and isinstance(value[0], str))


def _format_keyword(key: str, value: Value) -> str:
    """Return a keyword with its number; a range that is open on one side is a bound."""
    if key in LIST_KEYWORDS:
        return f"{key} {_format_value(value)}"
    match value:
        case True:
            return key
        case (int() | float() as low, int() | float() as high) if high >= UNBOUNDED:
            return f"{key} over {low:.3g}"
        case (int() | float() as low, int() | float() as high) if low <= -UNBOUNDED:
            return f"{key} under {high:.3g}"
        case (int() | float() as low, int() | float() as high):
            return f"{key} {low:.3g} to {high:.3g}"
        case _:
            return f"{key} {_format_value(value)}"


def _format_value(value: Value, separator: str = ", ") -> str:
    if isinstance(value, tuple):
        joined = separator.join(map(_format_value, value))
        return joined if _is_name_value(value) else f"[{joined}]"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
