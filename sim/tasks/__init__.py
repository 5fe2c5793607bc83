"""Tasks, one file each, found by file name; each is checked once, when it is first loaded."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from types import ModuleType

from sim.registry import choose, module_names
from sim.task.spec import SpecError, Task
from sim.types import UserError


def names() -> tuple[str, ...]:
    """Return the names of all tasks."""
    return module_names(__path__)


def load(name: str) -> Task:
    """Return the task called `name`; `UserError` naming the tasks there are, `SpecError` where it is not sound."""
    return _checked(_module(name))


def load_file(path: str | Path) -> Task:
    """Return the task of a JSON file; `UserError` where there is none, `SpecError` with the line that is wrong."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read a task from {path}: {error}") from error
    from sim.task.validate import read_task

    return read_task(text, str(path))


def suites() -> tuple[str, ...]:
    """Return the names of all suites of tasks."""
    return tuple(sorted({read(name).suite for name in names()} - {""}))


def suite(name: str) -> tuple[str, ...]:
    """Return the names of the tasks of a suite, of all tasks for "all"; `UserError` naming the suites there are."""
    choose("suite", name, ("all", *suites()))
    return tuple(task for task in names() if name in ("all", read(task).suite))


def read(name: str) -> Task:
    """Return a task as its file has it, unchecked; `SpecError` where the file has none."""
    return _task(_module(name))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{choose('task', name, names())}")


def _task(module: ModuleType) -> Task:
    if not isinstance(vars(module).get("TASK"), Task):
        raise SpecError(f"{module.__file__}: the file has no TASK = Task(...)")
    return vars(module)["TASK"]


@functools.cache
def _checked(module: ModuleType) -> Task:
    from sim.task.validate import check_task  # loads physics, which a list of names does without

    task, path = _task(module), str(module.__file__)
    check_task(task, Path(path).read_text(encoding="utf-8"), path)
    name = module.__name__.rpartition(".")[2]
    if task.name != name:
        raise SpecError(f"{path}: the task calls itself {task.name!r}; valid: {name!r}, as its file is called")
    return task
