"""`aim tasks`, `aim task NAME`: the tasks there are, and one of them with its picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from sim.embodiment import Embodiment
    from sim.spec import Task

Name = Annotated[str, tyro.conf.Positional]


def tasks() -> dict[str, object]:
    """List the tasks: objects, arms needed, longest duration, an instruction."""
    import sim.tasks
    from sim.types import CONTROL_HZ

    found = []
    for name in sim.tasks.names():
        task = sim.tasks.load(name)
        found.append(
            {
                "name": name,
                "instruction": task.instructions[0],
                "objects": [thing.name for thing in task.objects],
                "arms": task.arms_needed,
                "seconds": task.horizon / CONTROL_HZ,
            }
        )
        print(f"{name:28} {task.arms_needed} arm{'s' if task.arms_needed > 1 else ' '} {task.instructions[0]}")
    return {"tasks": found}


def task(
    name: Name, robot: str = "aloha", seed: int = 0, png: Path | None = None, size: str = "240x320"
) -> dict[str, object]:
    """Show a task as data and, with --png, how the head and wrist cameras see it at the start.

    Args:
        name: the task
        robot: who stands at the table
        seed: draws the scene
        png: file for the picture, cameras side by side
        size: height and width of each picture
    """
    import sim.robots
    import sim.tasks
    from aim.commands import parse
    from sim.spec import to_json

    found, body = sim.tasks.load(name), sim.robots.load(robot)
    instruction = _picture(found, body, seed, png, parse.size(size)) if png else found.instructions[0]
    print(f"{name}: {instruction}")
    for thing in found.objects:
        print(f"  object {thing.name}: {', '.join(shape.family for shape in thing.variants)}")
    for arm in found.arms:
        print(f"  arm {arm.role}: {arm.rule}")
    for skill in found.plan:
        print(f"  skill {skill.name} {_words(skill.args)}")
    for term in found.success:
        print(f"  success {term.name} {_words(term.args)}")
    if png:
        print(f"picture: {png}")
    return {"task": json.loads(to_json(found)), "instruction": instruction, "png": str(png) if png else None}


def _words(args: dict) -> str:
    return " ".join(f"{key}={value}" for key, value in args.items())


def _picture(task: Task, robot: Embodiment, seed: int, png: Path, size: tuple[int, int]) -> str:
    """Write the picture and return the instruction of the scene."""
    import cv2
    import numpy as np

    from sim.env import Env
    from sim.types import UserError

    env = Env(task, robot, 1, robot.camera_names, size)
    env.reset([seed])
    seen = env.observe()
    env.close()
    wide = np.concatenate([seen.images[camera][0] for camera in robot.camera_names], axis=1)
    try:
        png.write_bytes(cv2.imencode(".png", cv2.cvtColor(wide, cv2.COLOR_RGB2BGR))[1].tobytes())
    except OSError as error:
        raise UserError(f"cannot write {png}: {error.strerror}") from error
    return seen.instruction[0]
