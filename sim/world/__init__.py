"""Physics engines and renderers, one file an engine: `make_world(NAME, ...)` finds it by file name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from sim.registry import list_module_names, resolve_name
from sim.world.render import check_gl_backend

if TYPE_CHECKING:
    from sim.embodiment.model import Embodiment
    from sim.task.spec import Task
    from sim.world.protocol import World

NOT_ENGINES = (
    "protocol",
    "state",
    "threads",
    "render",
    "render_gl",
    "render_process",
    "render_raytrace",
    "render_robot",
)

check_gl_backend()  # before a module of this package imports MuJoCo, which fails at the import


def list_engines() -> tuple[str, ...]:
    """Return the names of all engines."""
    return tuple(name for name in list_module_names(__path__) if name not in NOT_ENGINES)


def make_world(engine: str, task: Task, robot: Embodiment, n: int, threads: int = 1) -> World:
    """Return n worlds of an engine; `UserError` names the engines there are."""
    module = importlib.import_module(f"{__name__}.{resolve_name('engine', engine, list_engines())}")
    return vars(module)["ENGINE"](task, robot, n, threads)
