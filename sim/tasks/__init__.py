"""Tasks: those of the project, one file each and found by file name, and those of files and folders anywhere.

Each task is checked once, when it is first loaded. A broken file breaks only itself: `scan_tasks` returns the others
beside its error, with file and line.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from sim.registry import list_module_names, resolve_name
from sim.task.spec import SpecError, Task, compute_digest, format_digest_label
from sim.types import UserError

TASK_FILE_SUFFIXES = (".py", ".json")


class TaskScan(NamedTuple):
    """What the files of the project's tasks hold: unchecked tasks by name, and the errors of those that hold none."""

    tasks: dict[str, Task]
    errors: dict[str, SpecError]


def list_tasks() -> tuple[str, ...]:
    """Return the names of all tasks of the project."""
    return list_module_names(__path__)


def load_task(reference: str | Path) -> Task:
    """Return the task of a name, of a Python file with its `TASK`, or of a JSON file.

    `UserError` names the tasks there are; `SpecError` says with file and line what is not sound.
    """
    if not is_path(reference):
        return _load_named_task(resolve_name("task", str(reference), list_tasks()))
    return load_task_file(reference)


def load_tasks(reference: str | Path) -> tuple[Task, ...]:
    """Return the task of a name or file, or all tasks of a folder's files, in the order of their names.

    Files whose names begin with "_" are helpers of their neighbours.
    """
    return tuple(load_task(file) for file in list_task_files(reference))


def list_task_files(reference: str | Path) -> tuple[str | Path, ...]:
    """Return the files of a folder of tasks, or the name or file itself."""
    if not (is_path(reference) and Path(reference).is_dir()):
        return (reference,)
    files = [file for file in Path(reference).iterdir() if file.suffix in TASK_FILE_SUFFIXES]
    chosen = sorted(file for file in files if not file.name.startswith("_"))
    if not chosen:
        raise UserError(f"no tasks in {reference}; valid: a folder of files {', '.join(TASK_FILE_SUFFIXES)}")
    return tuple(chosen)


def is_path(reference: str | Path) -> bool:
    """Tell whether a task is asked for by file or folder: by suffix, separator, or a folder that is no task's name."""
    text = str(reference)
    if isinstance(reference, Path) or text.endswith(TASK_FILE_SUFFIXES) or "/" in text or os.sep in text:
        return True
    return text not in list_tasks() and Path(text).is_dir()


def load_task_file(path: str | Path) -> Task:
    """Return the task of a Python or JSON file; `UserError` where there is none, `SpecError` with the wrong line."""
    path = Path(path)
    if path.suffix not in TASK_FILE_SUFFIXES:
        raise UserError(f"{path} is no task; valid: a name, or a file {', '.join(TASK_FILE_SUFFIXES)}, or a folder")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        folder = path.parent
        files = list(folder.iterdir()) if folder.is_dir() else []
        there = sorted(file.name for file in files if file.suffix in TASK_FILE_SUFFIXES)
        raise UserError(f"there is no file {path}; files of {folder}: {', '.join(there) or 'none'}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read a task from {path}: {error}") from error
    from sim.task.validate import parse_task_json, validate_task  # loads physics, which a list of names does without

    if path.suffix == ".json":
        return parse_task_json(text, str(path))
    from sim.task.source import run_task_file

    task = run_task_file(lambda: _import_file(path), path)
    validate_task(task, text, str(path))
    return task


def label_task(task: Task) -> str:
    """Name of a task in files and tables: its own, with a digest where the project has no such task, NAME-1a2b3c4d.

    Two different tasks never share a label.
    """
    digest = compute_digest(task)
    if task.name in list_tasks() and compute_digest(load_unvalidated_task(task.name)) == digest:
        return task.name
    return format_digest_label(task.name, digest)


def scan_tasks() -> TaskScan:
    """Read the files of all tasks of the project; a broken one is an error beside the others."""
    scan = TaskScan({}, {})
    for name in list_tasks():
        try:
            scan.tasks[name] = load_unvalidated_task(name)
        except SpecError as error:
            scan.errors[name] = error
    return scan


def list_suites() -> tuple[str, ...]:
    """Return the names of all suites of tasks."""
    return tuple(sorted({task.suite for task in scan_tasks().tasks.values()} - {""}))


def list_suite_tasks(name: str) -> tuple[str, ...]:
    """Return the names of the tasks of a suite, of all tasks for "all"; `UserError` naming the suites there are.

    `SpecError` where a file is broken: it may belong to the suite.
    """
    scan = scan_tasks()
    return select_suite(name, scan.tasks.values(), tuple(scan.errors.values()))


def select_suite(name: str, tasks: Iterable[Task], errors: Sequence[SpecError] = ()) -> tuple[str, ...]:
    """Names of the tasks of a suite, of all for "all"; the first of `errors` is raised, which the suite may lack."""
    tasks = tuple(tasks)
    resolve_name("suite", name, ("all", *sorted({task.suite for task in tasks} - {""})))
    for error in errors:
        raise error
    return tuple(task.name for task in tasks if name in ("all", task.suite))


def load_unvalidated_task(name: str) -> Task:
    """Return a task of the project as its file has it, unchecked; `SpecError` with file and line where it has none."""
    from sim.task.source import run_task_file

    resolve_name("task", name, list_tasks())
    return run_task_file(lambda: importlib.import_module(f"{__name__}.{name}"), _find_file(name))


def _load_named_task(name: str) -> Task:
    task, path = load_unvalidated_task(name), _find_file(name)
    if _checked.get(path) is not task:  # a module that was imported anew is checked anew
        from sim.task.validate import validate_task

        validate_task(task, path.read_text(encoding="utf-8"), str(path))
        if task.name != name:
            raise SpecError(f"{path}: the task calls itself {task.name!r}; valid: {name!r}, as its file is called")
        _checked[path] = task
    return task


_checked: dict[Path, Task] = {}  # tasks of the project that were found sound, by file


def _find_file(name: str) -> Path:
    """File of a task of the project."""
    return next(file for folder in __path__ if (file := Path(folder) / f"{name}.py").is_file())


def _import_file(path: Path) -> ModuleType:
    """Run a Python file as a module of its own, which no other import finds."""
    name = f"task_file_{zlib.crc32(str(path.resolve()).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a Python file has a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
