"""`aim tasks`, `aim task NAME|FILE`: the tasks there are, and one of them: its words, its picture, its faults."""

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
Files = Annotated[tuple[str, ...], tyro.conf.Positional]
CHECKED_SEEDS = 3  # whose scenes `--check` settles


def tasks(
    files: Files = (),
    *,
    suite: str = "all",
    robot: str = "",
    sheet: Path | None = None,
    markdown: Path | None = None,
    vocabulary: Path | None = None,
    seed: int = 0,
    variation: str = "clean",
) -> dict[str, object]:
    """List the tasks: arms needed, longest duration, suite, an instruction. Exit code 1 where a file is broken.

    Args:
        files: files of tasks (.py, .json) and folders of such files, instead of the project's tasks
        suite: those of one suite alone
        robot: those that this robot has arms enough for alone; who plays for --sheet, aloha if left out
        sheet: file for one picture of all of them, before and after the expert's run
        markdown: file for a page that says what each is, with its objects and its success
        vocabulary: file for a page of all words that a task may use
        seed: draws the scenes of --sheet
        variation: clean, random or random-eval, of the scenes of --sheet
    """
    import sim.robots
    from aim import console
    from aim.commands import parse
    from sim.task.describe import render_example_instruction
    from sim.types import CONTROL_HZ

    body = sim.robots.load_robot(robot) if robot else None
    loaded, broken = _load(files, suite)
    chosen = list((parse.able(loaded, body) if body else loaded).values())
    width = max((len(task.name) for task in chosen), default=0)
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
        example = render_example_instruction(task)
        print(f"{task.name:{width}} {arms} {task.horizon / CONTROL_HZ:5.1f} s  {task.suite:17} {example}")
    for error in broken.values():
        console.note(f"left out: {error}")
    if markdown:
        _write_page(chosen, markdown)
    if vocabulary:
        _write_vocabulary(vocabulary)
    failed = (
        _write_sheet(chosen, body or sim.robots.load_robot("aloha"), parse.seed(seed), variation, sheet)
        if sheet
        else {}
    )
    return {
        "tasks": found,
        "sheet": str(sheet) if sheet else None,
        "markdown": str(markdown) if markdown else None,
        "vocabulary": str(vocabulary) if vocabulary else None,
        "failed": failed,
        "broken": broken,
    }


def _load(files: tuple[str, ...], suite: str) -> tuple[dict[str, Task], dict[str, str]]:
    """Return the sound tasks by label and what is wrong with the others, by file or name."""
    import sim.tasks
    from aim.commands import parse
    from sim.task.spec import SpecError

    if files:
        references = [str(file) for reference in files for file in sim.tasks.list_task_files(reference)]
        broken: dict[str, str] = {}
    else:
        scan = sim.tasks.scan_tasks()
        references = list(sim.tasks.select_suite(suite, scan.tasks.values()))
        broken = {name: str(error) for name, error in scan.errors.items()}
    found: list[Task] = []
    for reference in references:
        try:
            found.append(sim.tasks.load_task(reference))
        except SpecError as error:
            broken[reference] = str(error)
    return parse.label(found), broken


def _write_vocabulary(path: Path) -> None:
    import sim.task.vocabulary_page

    write_file(path, sim.task.vocabulary_page.render_vocabulary_page().encode())
    print(f"vocabulary: {path}")


def _write_page(tasks: list[Task], path: Path) -> None:
    import sim.robots
    import sim.task.describe

    robots = [sim.robots.load_robot(name) for name in sim.robots.list_robots()]
    write_file(path, sim.task.describe.render_task_page(tasks, robots).encode())
    print(f"page: {path}")


def _write_sheet(tasks: list[Task], robot: Embodiment, seed: int, variation: str, path: Path) -> dict[str, str]:
    """Write the contact sheet and return what came of the tasks that were not done."""
    import sim.preview.contact_sheet
    from aim import console
    from aim.commands import parse

    able = [task.name for task in parse.able(parse.label(tasks), robot).values()]
    cells = []
    with console.progress("tasks", len(able)) as bar:
        for task in tasks:
            if task.name in able:
                cells.append(sim.preview.contact_sheet.build_task_panel(task, robot, seed, variation=variation))
                bar.step(detail=task.name)
    write_file(path, encode_png(sim.preview.contact_sheet.tile_panels(cells)))
    failed = {cell.name: cell.verdict for cell in cells if cell.verdict != "done"}
    for name, verdict in failed.items():
        print(f"{name}: {verdict}")
    print(f"sheet: {path}, {len(cells) - len(failed)} of {len(cells)} done")
    return failed


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    import cv2

    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def write_file(path: Path, data: bytes) -> None:
    from sim.types import UserError

    try:
        path.write_bytes(data)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def task(
    name: Name = "",
    *,
    robot: str = "aloha",
    seed: int = 0,
    variation: str = "clean",
    png: Path | None = None,
    size: str = "240x320",
    check: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    schema: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
) -> dict[str, object]:
    """Show a task as data and, with --png, how the head and wrist cameras see it at the start.

    Args:
        name: name of the task, or its file (.py, .json)
        robot: who stands at the table
        seed: draws the scene
        variation: clean, random, or random-eval, whose looks are kept for evaluation
        png: file for the picture, cameras side by side
        size: height and width of each picture
        check: settle the scenes of a few seeds: objects stand, and success does not hold before anyone acts
        schema: print the JSON schema of tasks; with a task, of those with its objects and arms
    """
    import sim.robots
    from aim.commands import parse
    from sim.task.spec import to_json
    from sim.types import UserError

    if schema:
        return _print_schema(name)
    if not name:
        raise UserError("which task? valid: a name (see aim tasks), a file .py or .json")
    found, body = parse.one_task(name), sim.robots.load_robot(robot)
    if check:
        _check_scenes(found, body, parse.seed(seed))
    seed, shape = parse.seed(seed), parse.size(size)
    instruction = _picture(found, body, seed, variation, png, shape) if png else found.instructions[0]
    print(f"{found.name}: {instruction}")
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


def _check_scenes(task: Task, robot: Embodiment, seed: int) -> None:
    from sim.envs.settle import check_scenes
    from sim.types import UserError

    if fault := check_scenes(task, robot, range(seed, seed + CHECKED_SEEDS)):
        raise UserError(f"task {task.name!r}: {fault}")
    print(f"scenes of seeds {seed} to {seed + CHECKED_SEEDS - 1} stand and are not solved before anyone acts")


def _print_schema(name: str) -> dict[str, object]:
    from aim.commands import parse
    from sim.task.schema import build_task_schema

    found = build_task_schema(parse.one_task(name) if name else None)
    print(json.dumps(found, indent=2))
    return {"schema": found}


def _kinds(thing: TaskObject) -> str:
    kinds = [shape.category or shape.family for shape in thing.variants]
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
    write_file(png, encode_png(wide))
    return seen.instruction[0]
