"""Robots, one file each, found by file name."""

from __future__ import annotations

from sim.embodiment.model import Embodiment
from sim.registry import list_module_names, load_value


def list_robots() -> tuple[str, ...]:
    """Return the names of all robots."""
    return list_module_names(__path__)


def load_robot(name: str) -> Embodiment:
    """Return the robot called `name`; `UserError` naming the robots there are."""
    return load_value("robot", __name__, name, list_robots(), "ROBOT")
