"""Parsing of command-line values that tyro has no type for: HxW, comma-separated lists, tasks, recipes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aim.util import toml
from sim.types import UserError

if TYPE_CHECKING:
    from sim.embodiment.model import Embodiment
    from sim.task.spec import Task

ALL_TASKS = "all"
MAX_SEED = 2**63 - 1  # what torch, NumPy and MuJoCo's scenes take alike
SETTING_TYPE_NAMES = {
    tuple: "a list of texts", str: "a text", int: "a whole number", float: "a number", bool: "true or false",
}  # fmt: skip


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) of "128x160"; `UserError` unless it is two whole numbers of at least 8."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) >= 8 for part in parts):
        raise UserError(f"size {text!r} is not HEIGHTxWIDTH in pixels, at least 8 each, as in 128x128")
    return int(parts[0]), int(parts[1])


def check_seed(number: int) -> int:
    """The seed, if it is one that every generator of random numbers takes; else `UserError`."""
    if not 0 <= number <= MAX_SEED:
        raise UserError(f"seeds are 0 to {MAX_SEED}, {number} is none")
    return number


def check_writable(path: Path) -> None:
    """Raise `UserError` if a folder cannot be written to, before any work is done."""
    existing = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UserError(f"nothing can be written to {path}: {existing} is no folder that may be written to")


def parse_episode_numbers(text: str) -> tuple[int, ...]:
    """Numbers of "0-3,7"; `UserError` where it is something else."""
    numbers: list[int] = []
    for part in split_commas(text):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not (last.isdecimal() and int(last) >= int(first))):
            raise UserError(f"{part!r} is no number of an episode, nor a range as in 0-3,7")
        numbers += range(int(first), int(last if dash else first) + 1)
    return tuple(numbers)


def split_commas(text: str) -> tuple[str, ...]:
    """Words of a comma-separated list, empty ones left out."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def select_tasks(task: Sequence[str], suite: str, robot: Embodiment) -> dict[str, Task]:
    """Tasks by label, each once, from names, files, folders of files, or a suite.

    A task that was named and needs more arms than the robot has is a `UserError`; one of a suite or folder is left
    out, which a note says.
    """
    from sim import tasks
    from sim.scene.sample import check_arm_count

    if bool(task) == bool(suite):
        raise UserError(
            f"give --task or --suite, one of the two; suites: {', '.join((ALL_TASKS, *tasks.list_suites()))}"
        )
    if not suite and tuple(task) != (ALL_TASKS,):
        selected: dict[str, Task] = {}
        for reference in task:
            loaded = tasks.load_tasks(reference)
            if len(loaded) == 1:
                check_arm_count(loaded[0], robot)
            selected |= select_feasible_tasks(label_tasks(loaded), robot)
        return selected
    return select_feasible_tasks(
        label_tasks([tasks.load_task(name) for name in tasks.list_suite_tasks(suite or ALL_TASKS)]), robot
    )


def label_tasks(loaded: Iterable[Task]) -> dict[str, Task]:
    """Tasks by the label that files and tables use for them."""
    from sim import tasks

    return {tasks.label_task(task): task for task in loaded}


def load_one_task(reference: str) -> Task:
    """The one task of a name or a file; `UserError` if it is a folder of several."""
    from sim import tasks

    loaded, *others = tasks.load_tasks(reference)
    if others:
        raise UserError(f"{reference} holds {1 + len(others)} tasks; valid: one, as a name or a file")
    return loaded


def encode_tasks(loaded: Mapping[str, Task]) -> dict[str, str]:
    """Task definitions as JSON by label, for worker processes."""
    from sim.task.spec import to_json

    return {name: to_json(task) for name, task in loaded.items()}


def select_feasible_tasks(loaded: Mapping[str, Task], robot: Embodiment) -> dict[str, Task]:
    """Tasks that the robot has enough arms for; a note names the others."""
    from aim.util import console

    names = tuple(loaded)
    infeasible = [name for name in names if loaded[name].arms_needed > len(robot.arms)]
    if infeasible:
        arms = f"{len(robot.arms)} arm{'s' if len(robot.arms) > 1 else ''}"
        console.print_note(f"left out, as the robot {robot.name} has {arms}: {', '.join(infeasible)}")
    if len(infeasible) == len(names):
        raise UserError(f"the robot {robot.name!r} can do none of the {len(names)} tasks asked for")
    return {name: task for name, task in loaded.items() if name not in infeasible}


def read_recipe(path: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Settings of a TOML recipe, lists as tuples; `UserError` if one is unknown or of the wrong type."""
    settings = toml.read_toml(path, "recipe")
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
