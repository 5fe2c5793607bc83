"""Task files: the text of a task, Python or JSON, and the line that an error in it stands on."""

from __future__ import annotations

import ast
import dataclasses
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from sim.registry import resolve_name
from sim.task.spec import (
    ArmRole,
    ObjectOrder,
    ObjectSpec,
    Predicate,
    Skill,
    Spawn,
    SpecError,
    TablePlacement,
    Task,
    TaskObject,
)
from sim.types import UserError

SPEC_CLASSES = (Task, TaskObject, ObjectSpec, Spawn, ObjectOrder, TablePlacement, ArmRole, Predicate, Skill)
FIELDS_BY_CALL = {kind.__name__: tuple(field.name for field in dataclasses.fields(kind)) for kind in SPEC_CLASSES}
FIELDS_BY_CALL["dataclasses.replace"] = tuple(
    dict.fromkeys(name for fields in FIELDS_BY_CALL.values() for name in fields)
)


def run_task_file(load: Callable[[], ModuleType], path: Path) -> Task:
    """Return the `TASK` that a Python file makes; what it raises becomes a `SpecError` "path:LINE: ..."."""
    try:
        module = load()
    except (Exception, SystemExit) as error:  # a task file is somebody else's code: any error is its own
        raise SpecError(describe_file_error(error, path)) from error
    if not isinstance(vars(module).get("TASK"), Task):
        raise SpecError(f"{path}: the file has no TASK = Task(...)")
    return vars(module)["TASK"]


def describe_file_error(error: BaseException, path: Path) -> str:
    """One line that says where in a task file, or in a neighbour that it imports, an error was raised, and which."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or path}:{error.lineno or 1}: {error.msg}"
    folder = path.resolve().parent
    trace = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in trace if Path(frame.filename).resolve().parent == folder]
    file, line = (frames[-1].filename, frames[-1].lineno or 1) if frames else (str(path), 1)
    if isinstance(error, TypeError):
        line, message = find_unknown_keyword(Path(file), line) or (line, f"TypeError: {error}")
        return f"{file}:{line}: {message}".replace("\n", " ")
    message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return f"{file}:{line}: {message}".replace("\n", " ")


def find_unknown_keyword(path: Path, first_line: int) -> tuple[int, str] | None:
    """Line and complaint of the first keyword that a class of `sim.task.spec` does not have, in calls around a line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.lineno <= first_line <= (node.end_lineno or node.lineno):
            continue
        called = ast.unparse(node.func)
        for keyword in node.keywords if called in FIELDS_BY_CALL else ():
            try:
                resolve_name(f"keyword of {called}", keyword.arg or FIELDS_BY_CALL[called][0], FIELDS_BY_CALL[called])
            except UserError as error:
                return keyword.value.lineno, str(error)
    return None
