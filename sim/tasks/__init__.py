"""Tasks, one file each, found by file name; each is checked once, when it is first loaded."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from types import ModuleType

from sim.registry import list_module_names, resolve_name
from sim.task.spec import SpecError, Task
from sim.types import UserError


def list_tasks() -> tuple[str, ...]:
    """Return the names of all tasks."""
    return list_module_names(__path__)


def load_task(name: str) -> Task:
    """Return the task called `name`; `UserError` naming the tasks there are, `SpecError` where it is not sound."""
    return _load_validated_task(_import_task_module(name))


def load_task_file(path: str | Path) -> Task:
    """Return the task of a JSON file; `UserError` where there is none, `SpecError` with the line that is wrong."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read a task from {path}: {error}") from error
    from sim.task.validate import parse_task_json

    return parse_task_json(text, str(path))


def list_suites() -> tuple[str, ...]:
    """Return the names of all suites of tasks."""
    return tuple(sorted({load_unvalidated_task(name).suite for name in list_tasks()} - {""}))


def list_suite_tasks(name: str) -> tuple[str, ...]:
    """Return the names of the tasks of a suite, of all tasks for "all"; `UserError` naming the suites there are."""
    resolve_name("suite", name, ("all", *list_suites()))
    return tuple(task for task in list_tasks() if name in ("all", load_unvalidated_task(task).suite))


def load_unvalidated_task(name: str) -> Task:
    """Return a task as its file has it, unchecked; `SpecError` where the file has none."""
    return _extract_task(_import_task_module(name))


def _import_task_module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{resolve_name('task', name, list_tasks())}")


def _extract_task(module: ModuleType) -> Task:
    if not isinstance(vars(module).get("TASK"), Task):
        raise SpecError(f"{module.__file__}: the file has no TASK = Task(...)")
    return vars(module)["TASK"]


@functools.cache
def _load_validated_task(module: ModuleType) -> Task:
    from sim.task.validate import validate_task  # loads physics, which a list of names does without

    task, path = _extract_task(module), str(module.__file__)
    validate_task(task, Path(path).read_text(encoding="utf-8"), path)
    name = module.__name__.rpartition(".")[2]
    if task.name != name:
        raise SpecError(f"{path}: the task calls itself {task.name!r}; valid: {name!r}, as its file is called")
    return task
