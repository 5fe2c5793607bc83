"""Physics engines and renderers, one file each: `make_world(NAME, ...)` makes the worlds of an engine."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from sim.registry import resolve_name
from sim.world.render import check_gl_backend

if TYPE_CHECKING:
    from sim.embodiment.model import Embodiment
    from sim.task.spec import Task
    from sim.world.protocol import World

# engine name: module and class; imported when a world is made, as engines bring heavy packages along
ENGINES = {"mujoco": ("sim.world.mujoco", "MujocoWorld")}

check_gl_backend()  # before a module of this package imports MuJoCo, which fails at the import


def list_engines() -> tuple[str, ...]:
    """Return the names of all engines."""
    return tuple(ENGINES)


def make_world(engine: str, task: Task, robot: Embodiment, n: int, threads: int = 1) -> World:
    """Return n worlds of an engine; `UserError` names the engines there are."""
    module, name = ENGINES[resolve_name("engine", engine, list_engines())]
    return getattr(importlib.import_module(module), name)(task, robot, n, threads)
