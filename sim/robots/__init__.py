"""Robots, one file each, found by file name."""

from __future__ import annotations

from sim.embodiment.model import Embodiment
from sim.registry import ModuleRegistry

ROBOT_FILES = ModuleRegistry("robot", "robots", __name__)


def list_robots() -> tuple[str, ...]:
    """Names of all robots."""
    return ROBOT_FILES.list_names()


def load_robot(name: str) -> Embodiment:
    """The robot called `name`; `UserError` naming the robots there are, `SpecError` where its file is not sound."""
    return ROBOT_FILES.load_attribute(name, "ROBOT", Embodiment)
