"""Tasks, one file each, found by file name."""

from __future__ import annotations

from sim.discover import load_value, module_names
from sim.spec import Task


def names() -> tuple[str, ...]:
    """Return the names of all tasks."""
    return module_names(__path__)


def load(name: str) -> Task:
    """Return the task called `name`; `UserError` naming the tasks there are."""
    return load_value("task", __name__, name, names(), "TASK")
