"""Robots, one file each, found by file name."""

from __future__ import annotations

from sim.embodiment.model import Embodiment
from sim.embodiment.validate import validate_robot
from sim.registry import ModuleRegistry, keep_import_error
from sim.task.spec import SpecError

ROBOT_FILES = ModuleRegistry("robot", "robots", __name__)


def list_robots() -> tuple[str, ...]:
    """Names of all robots."""
    return ROBOT_FILES.list_names()


def load_robot(name: str) -> Embodiment:
    """The robot called `name`; `UserError` naming the robots there are, `SpecError` where its file is not sound."""
    robot = read_robot(name)
    validate_robot(robot)
    return robot


def load_robots() -> dict[str, Embodiment]:
    """All sound robots by name; what is wrong with the files of others is kept for `registry.list_import_errors`."""
    found = {}
    for file, robot in ROBOT_FILES.load_attributes("ROBOT", Embodiment).items():
        try:
            validate_robot(robot)
            found[file.name] = robot
        except SpecError as error:
            keep_import_error(file, error)
    return found


def read_robot(name: str) -> Embodiment:
    """The robot called `name` as its file has it, not yet validated, for those who show what is wrong with it."""
    robot = ROBOT_FILES.load_attribute(name, "ROBOT", Embodiment)
    if robot.name != name:
        raise SpecError(f"the robot of the file {name}.py calls itself {robot.name!r}; valid: {name!r}")
    return robot
