"""Words of the command line that tyro does not know: HxW, lists with commas, which tasks, recipes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aim import toml
from sim.types import UserError

if TYPE_CHECKING:
    from sim.embodiment.model import Embodiment
    from sim.task.spec import Task

EVERY = "all"
SETTING_TYPE_NAMES = {
    tuple: "a list of texts", str: "a text", int: "a whole number", float: "a number", bool: "true or false",
}  # fmt: skip


def size(text: str) -> tuple[int, int]:
    """Return (height, width) of "128x160"; `UserError` where it is not two whole numbers of at least 8."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) >= 8 for part in parts):
        raise UserError(f"size {text!r} is not HEIGHTxWIDTH in pixels, at least 8 each, as in 128x128")
    return int(parts[0]), int(parts[1])


def seed(number: int) -> int:
    """Return a seed; `UserError` where it is negative."""
    if number < 0:
        raise UserError(f"seeds start at 0, {number} is none")
    return number


def writable(path: Path) -> None:
    """Raise `UserError` where nothing can be written to a folder, which is better known before the work."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"nothing can be written to {path}: {there} is no folder that may be written to")


def listed(text: str) -> tuple[str, ...]:
    """Return the words between commas, empty ones left out."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def chosen(task: Sequence[str], suite: str, robot: Embodiment) -> dict[str, Task]:
    """Return the tasks that are meant by their labels, each once: names, files, folders of files, or a suite.

    A task that was named and needs more arms than the robot has is a `UserError`; one of a suite or folder is left
    out, which a note says.
    """
    from sim import tasks
    from sim.scene.sample import check_arm_count

    if bool(task) == bool(suite):
        raise UserError(f"give --task or --suite, one of the two; suites: {', '.join((EVERY, *tasks.list_suites()))}")
    if not suite and tuple(task) != (EVERY,):
        found: dict[str, Task] = {}
        for reference in task:
            loaded = tasks.load_tasks(reference)
            if len(loaded) == 1:
                check_arm_count(loaded[0], robot)
            found |= able(label(loaded), robot)
        return found
    return able(label([tasks.load_task(name) for name in tasks.list_suite_tasks(suite or EVERY)]), robot)


def label(found: Iterable[Task]) -> dict[str, Task]:
    """Return tasks by what they are called in files and tables."""
    from sim import tasks

    return {tasks.label_task(task): task for task in found}


def one_task(reference: str) -> Task:
    """Return the one task of a name or a file; `UserError` where it is a folder of several."""
    from sim import tasks

    found, *others = tasks.load_tasks(reference)
    if others:
        raise UserError(f"{reference} holds {1 + len(others)} tasks; valid: one, as a name or a file")
    return found


def definitions(found: Mapping[str, Task]) -> dict[str, str]:
    """Return the JSON of tasks by label, as worker processes are given them."""
    from sim.task.spec import to_json

    return {name: to_json(task) for name, task in found.items()}


def able(found: Mapping[str, Task], robot: Embodiment) -> dict[str, Task]:
    """Return the tasks that the robot has arms enough for; a note names the others."""
    from aim import console

    names = tuple(found)
    left_out = [name for name in names if found[name].arms_needed > len(robot.arms)]
    if left_out:
        arms = f"{len(robot.arms)} arm{'s' if len(robot.arms) > 1 else ''}"
        console.note(f"left out, as the robot {robot.name} has {arms}: {', '.join(left_out)}")
    if len(left_out) == len(names):
        raise UserError(f"the robot {robot.name!r} can do none of the {len(names)} tasks asked for")
    return {name: task for name, task in found.items() if name not in left_out}


def recipe(path: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Return the settings in a TOML file, lists as tuples; `UserError` where one is unknown or not of its kind."""
    settings = toml.read(path, "recipe")
    for name, value in settings.items():
        if name not in kinds:
            raise UserError(f"the recipe {path} has an unknown setting {name!r}; valid: {', '.join(kinds)}")
        if kinds[name] is float and type(value) is int:
            settings[name] = value = float(value)
        items = value if isinstance(value, list) else [value]
        kind = str if kinds[name] is tuple else kinds[name]
        if isinstance(value, list) != (kinds[name] is tuple) or not all(type(item) is kind for item in items):
            raise UserError(f"the recipe {path}: {name} must be {SETTING_TYPE_NAMES[kinds[name]]}, not {value!r}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
