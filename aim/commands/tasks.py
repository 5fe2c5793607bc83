"""`aim tasks`, `aim task NAME|FILE`: list of the tasks; definition, picture and checks of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sim import DEFAULT_ROBOT

if TYPE_CHECKING:
    from sim.embodiment.model import Embodiment
    from sim.task.spec import Task, TaskObject

Name = Annotated[str, tyro.conf.Positional]
Files = Annotated[tuple[str, ...], tyro.conf.Positional]
NUM_CHECKED_SEEDS = 3  # whose scenes `--check` settles


def list_tasks(
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
    from aim.commands import parse
    from aim.util import console
    from sim.task.describe import render_example_instruction
    from sim.types import CONTROL_HZ

    embodiment = sim.robots.load_robot(robot) if robot else None
    loaded, broken = _load_tasks(files, suite)
    chosen = list((parse.select_feasible_tasks(loaded, embodiment) if embodiment else loaded).values())
    width = max((len(task.name) for task in chosen), default=0)
    rows = []
    for task in chosen:
        rows.append(
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
        console.print_note(f"left out: {error}")
    if markdown:
        _write_page(chosen, markdown)
    if vocabulary:
        _write_vocabulary(vocabulary)
    failed: dict[str, str] = {}
    if sheet:
        sheet_robot = embodiment or sim.robots.load_robot(DEFAULT_ROBOT)
        failed = _write_sheet(chosen, sheet_robot, parse.check_seed(seed), variation, sheet)
    return {
        "tasks": rows,
        "sheet": str(sheet) if sheet else None,
        "markdown": str(markdown) if markdown else None,
        "vocabulary": str(vocabulary) if vocabulary else None,
        "failed": failed,
        "broken": broken,
    }


def _load_tasks(files: tuple[str, ...], suite: str) -> tuple[dict[str, Task], dict[str, str]]:
    """Valid tasks by label, and the errors of the others by file or name."""
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
    loaded: list[Task] = []
    for reference in references:
        try:
            loaded.append(sim.tasks.load_task(reference))
        except SpecError as error:
            broken[reference] = str(error)
    return parse.label_tasks(loaded), broken


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
    """Write the contact sheet; verdicts of the tasks that the expert did not solve."""
    import sim.preview.contact_sheet
    from aim.commands import parse
    from aim.util import console
    from aim.viz import pictures

    able = [task.name for task in parse.select_feasible_tasks(parse.label_tasks(tasks), robot).values()]
    cells = []
    with console.show_progress("tasks", len(able)) as bar:
        for task in tasks:
            if task.name in able:
                cells.append(sim.preview.contact_sheet.build_task_panel(task, robot, seed, variation=variation))
                bar.step(detail=task.name)
    pictures.write_png(path, sim.preview.contact_sheet.tile_panels(cells))
    failed = {cell.name: cell.verdict for cell in cells if cell.verdict != "done"}
    for name, verdict in failed.items():
        print(f"{name}: {verdict}")
    print(f"sheet: {path}, {len(cells) - len(failed)} of {len(cells)} done")
    return failed


def write_file(path: Path, data: bytes) -> None:
    from sim.types import UserError

    try:
        path.write_bytes(data)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def show_task(
    name: Name = "",
    *,
    robot: str = DEFAULT_ROBOT,
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
    spec, embodiment = parse.load_one_task(name), sim.robots.load_robot(robot)
    if check:
        _check_scenes(spec, embodiment, parse.check_seed(seed))
    seed, shape = parse.check_seed(seed), parse.parse_size(size)
    instruction = _write_scene_picture(spec, embodiment, seed, variation, png, shape) if png else spec.instructions[0]
    print(f"{spec.name}: {instruction}")
    for thing in spec.objects:
        print(f"  object {thing.name}: {_describe_variants(thing)}")
    for arm in spec.arms:
        print(f"  arm {arm.role}: {arm.rule}")
    for skill in spec.plan:
        print(f"  skill {skill.name} {_format_arguments(skill.args)}")
    for term in spec.success:
        print(f"  success {term.name} {_format_arguments(term.args)}")
    if png:
        print(f"picture: {png}")
    return {"task": json.loads(to_json(spec)), "instruction": instruction, "png": str(png) if png else None}


def _check_scenes(task: Task, robot: Embodiment, seed: int) -> None:
    from sim.envs.settle import check_scenes
    from sim.types import UserError

    if fault := check_scenes(task, robot, range(seed, seed + NUM_CHECKED_SEEDS)):
        raise UserError(f"task {task.name!r}: {fault}")
    print(f"scenes of seeds {seed} to {seed + NUM_CHECKED_SEEDS - 1} stand and are not solved before anyone acts")


def _print_schema(name: str) -> dict[str, object]:
    from aim.commands import parse
    from sim.task.schema import build_task_schema

    task_schema = build_task_schema(parse.load_one_task(name) if name else None)
    print(json.dumps(task_schema, indent=2))
    return {"schema": task_schema}


def _describe_variants(task_object: TaskObject) -> str:
    kinds = [shape.category or shape.family for shape in task_object.variants]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def _format_arguments(args: dict) -> str:
    return " ".join(f"{key}={value}" for key, value in args.items())


def _write_scene_picture(
    task: Task, robot: Embodiment, seed: int, variation: str, png: Path, size: tuple[int, int]
) -> str:
    """Write the picture of a scene and return its instruction."""
    import numpy as np

    from aim.viz import pictures
    from sim.envs.env import Env

    env = Env(task, robot, 1, robot.camera_names, size, variation=variation)
    env.reset([seed])
    observation = env.observe()
    env.close()
    wide = np.concatenate([observation.images[camera][0] for camera in robot.camera_names], axis=1)
    pictures.write_png(png, wide)
    return observation.instruction[0]
