"""Robots, one file each, found by file name."""

from __future__ import annotations

from sim.embodiment.model import Embodiment
from sim.registry import load_value, module_names


def names() -> tuple[str, ...]:
    """Return the names of all robots."""
    return module_names(__path__)


def load(name: str) -> Embodiment:
    """Return the robot called `name`; `UserError` naming the robots there are."""
    return load_value("robot", __name__, name, names(), "ROBOT")
