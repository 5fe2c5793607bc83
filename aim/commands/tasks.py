"""`aim tasks`, `aim task NAME`: the tasks there are, and one of them with its picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.embodiment.model import Embodiment
    from sim.task.spec import Task, TaskObject

Name = Annotated[str, tyro.conf.Positional]


def tasks(
    *,
    suite: str = "all",
    robot: str = "",
    sheet: Path | None = None,
    markdown: Path | None = None,
    seed: int = 0,
    variation: str = "clean",
) -> dict[str, object]:
    """List the tasks: arms needed, longest duration, suite, an instruction.

    Args:
        suite: those of one suite alone
        robot: those that this robot has arms enough for alone; who plays for --sheet, aloha if left out
        sheet: file for one picture of all of them, before and after the expert's run
        markdown: file for a page that says what each is, with its objects and its success
        seed: draws the scenes of --sheet
        variation: clean, random or random-eval, of the scenes of --sheet
    """
    import sim.robots
    import sim.tasks
    from aim.commands import parse
    from sim.task.describe import render_example_instruction
    from sim.types import CONTROL_HZ

    body = sim.robots.load_robot(robot) if robot else None
    names = sim.tasks.list_suite_tasks(suite)
    chosen = [sim.tasks.load_task(name) for name in (parse.able(names, body) if body else names)]
    width = max(len(task.name) for task in chosen)
    found = []
    for task in chosen:
        found.append(
            {
                "name": task.name,
                "instruction": task.instructions[0],
                "objects": [thing.name for thing in task.objects],
                "arms": task.arms_needed,
                "seconds": task.horizon / CONTROL_HZ,
                "suite": task.suite,
            }
        )
        arms = f"{task.arms_needed} arm{'s' if task.arms_needed > 1 else ' '}"
        print(
            f"{task.name:{width}} {arms} {task.horizon / CONTROL_HZ:5.1f} s  {task.suite:17} {render_example_instruction(task)}"
        )
    if markdown:
        _write_page(chosen, markdown)
    failed = (
        _write_sheet(chosen, body or sim.robots.load_robot("aloha"), parse.seed(seed), variation, sheet)
        if sheet
        else {}
    )
    return {
        "tasks": found,
        "sheet": str(sheet) if sheet else None,
        "markdown": str(markdown) if markdown else None,
        "failed": failed,
    }


def _write_page(tasks: list[Task], path: Path) -> None:
    import sim.robots
    import sim.task.describe

    robots = [sim.robots.load_robot(name) for name in sim.robots.list_robots()]
    _write(path, sim.task.describe.render_task_page(tasks, robots).encode())
    print(f"page: {path}")


def _write_sheet(tasks: list[Task], robot: Embodiment, seed: int, variation: str, path: Path) -> dict[str, str]:
    """Write the contact sheet and return what came of the tasks that were not done."""
    import sim.preview.contact_sheet
    from aim import console
    from aim.commands import parse

    able = parse.able([task.name for task in tasks], robot)
    cells = []
    with console.progress("tasks", len(able)) as bar:
        for task in tasks:
            if task.name in able:
                cells.append(sim.preview.contact_sheet.build_task_panel(task, robot, seed, variation=variation))
                bar.step(detail=task.name)
    _write(path, _png(sim.preview.contact_sheet.tile_panels(cells)))
    failed = {cell.name: cell.verdict for cell in cells if cell.verdict != "done"}
    for name, verdict in failed.items():
        print(f"{name}: {verdict}")
    print(f"sheet: {path}, {len(cells) - len(failed)} of {len(cells)} done")
    return failed


def _png(picture: NDArray[np.uint8]) -> bytes:
    import cv2

    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def _write(path: Path, data: bytes) -> None:
    from sim.types import UserError

    try:
        path.write_bytes(data)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def task(
    name: Name,
    robot: str = "aloha",
    seed: int = 0,
    variation: str = "clean",
    png: Path | None = None,
    size: str = "240x320",
) -> dict[str, object]:
    """Show a task as data and, with --png, how the head and wrist cameras see it at the start.

    Args:
        name: the task
        robot: who stands at the table
        seed: draws the scene
        variation: clean, random, or random-eval, whose looks are kept for evaluation
        png: file for the picture, cameras side by side
        size: height and width of each picture
    """
    import sim.robots
    import sim.tasks
    from aim.commands import parse
    from sim.task.spec import to_json

    found, body = sim.tasks.load_task(name), sim.robots.load_robot(robot)
    seed, shape = parse.seed(seed), parse.size(size)
    instruction = _picture(found, body, seed, variation, png, shape) if png else found.instructions[0]
    print(f"{name}: {instruction}")
    for thing in found.objects:
        print(f"  object {thing.name}: {_kinds(thing)}")
    for arm in found.arms:
        print(f"  arm {arm.role}: {arm.rule}")
    for skill in found.plan:
        print(f"  skill {skill.name} {_words(skill.args)}")
    for term in found.success:
        print(f"  success {term.name} {_words(term.args)}")
    if png:
        print(f"picture: {png}")
    return {"task": json.loads(to_json(found)), "instruction": instruction, "png": str(png) if png else None}


def _kinds(thing: TaskObject) -> str:
    kinds = [shape.kind or shape.family for shape in thing.variants]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def _words(args: dict) -> str:
    return " ".join(f"{key}={value}" for key, value in args.items())


def _picture(task: Task, robot: Embodiment, seed: int, variation: str, png: Path, size: tuple[int, int]) -> str:
    """Write the picture and return the instruction of the scene."""
    import numpy as np

    from sim.envs.env import Env

    env = Env(task, robot, 1, robot.camera_names, size, variation=variation)
    env.reset([seed])
    seen = env.observe()
    env.close()
    wide = np.concatenate([seen.images[camera][0] for camera in robot.camera_names], axis=1)
    _write(png, _png(wide))
    return seen.instruction[0]
