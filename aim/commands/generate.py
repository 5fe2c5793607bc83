"""`aim generate`: demonstrations with value maps, from the expert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import tyro

DEFAULTS: dict[str, Any] = {
    "task": (),
    "suite": "",
    "num": 10,
    "seed": 0,
    "robot": "aloha",
    "variation": "clean",
    "cameras": "",
    "size": "128x128",
    "depth": False,
    "push": 0.0,
}  # what a recipe may set, too


def generate(
    *,
    out: Path,
    task: tuple[str, ...] | None = None,
    suite: str | None = None,
    recipe: Path | None = None,
    num: int | None = None,
    seed: int | None = None,
    robot: str | None = None,
    variation: str | None = None,
    workers: int = 2,
    cameras: str | None = None,
    size: str | None = None,
    depth: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    push: float | None = None,
) -> dict[str, object]:
    """Record demonstrations; the same command again goes on where it stopped, a larger --num adds to them.

    Args:
        out: folder of the dataset
        task: names of tasks (see aim tasks), "all", files of tasks (.py, .json), or folders of such files
        suite: name of a suite, instead of --task; what the robot has too few arms for is left out
        recipe: TOML file that sets any of the flags task, suite, num, seed, robot, variation, cameras, size,
            depth and push; a flag that is given here wins
        num: successful episodes a task; 10 if left out
        seed: first seed, 0 if left out; scenes of a task follow from it
        robot: name of the robot; aloha if left out
        variation: clean, random, or mixed: even seeds clean, odd ones random; clean if left out
        workers: processes that record at the same time
        cameras: names with commas between; all of the robot if left out
        size: height and width of pictures; 128x128 if left out
        push: radians by which joints are pushed off their targets in short bursts, so that demonstrations show the way
            back; 0 if left out, 0.04 suits learning
        depth: keep depth pictures too, in millimetres; about 0.25 MB a camera and episode of 128x128
    """
    from aim.commands import parse
    from aim.data import generate as collector
    from aim.data.mix import MIXES
    from aim.data.store import Recipe
    from sim import robots
    from sim.envs.failure import count_reasons, format_failure_counts
    from sim.registry import resolve_name
    from sim.task.spec import compute_digest
    from sim.types import UserError

    given = {
        "task": task,
        "suite": suite,
        "num": num,
        "seed": seed,
        "robot": robot,
        "variation": variation,
        "cameras": cameras,
        "size": size,
        "push": push,
        "depth": depth or None,  # left out, it is what the recipe says
    }
    asked = settings({name: value for name, value in given.items() if value is not None}, recipe)
    if not 0.0 <= asked["push"] <= 0.2:
        raise UserError(f"push is {asked['push']:g}; it lies in 0 to 0.2 radians")
    body = robots.load_robot(asked["robot"])
    tasks = parse.chosen(asked["task"], asked["suite"], body)
    plan = Recipe(
        tasks=tuple(tasks),
        digests=tuple(map(compute_digest, tasks.values())),
        robot=asked["robot"],
        cameras=tuple(resolve_name("camera", name, body.camera_names) for name in parse.listed(asked["cameras"]))
        or body.camera_names,
        size=parse.size(asked["size"]),
        depth=asked["depth"],
        variation=resolve_name("variation", asked["variation"], MIXES),
        push=asked["push"],
        seed=parse.seed(asked["seed"]),
    )
    made = collector.generate(plan, asked["num"], out, workers, definitions=parse.definitions(tasks))
    print(f"{out}: {made.episodes} episodes of {made.attempts} attempts, {made.bytes / 1e6:.1f} MB")
    print(f"{made.added} recorded now in {made.seconds:.1f} s; {made.redraws} scenes were drawn again")
    for name in plan.tasks:
        if made.failures[name]:
            print(f"{name}: {format_failure_counts(made.failures[name], made.tried[name])}")
    return {
        "episodes": made.episodes,
        "attempts": made.attempts,
        "success_rate": made.episodes / made.attempts,
        "redraws": made.redraws,
        "seconds": made.seconds,
        "episodes_per_hour": 3600 * made.added / made.seconds,
        "bytes": made.bytes,
        "added": made.added,
        "tasks": {name: {"episodes_per_hour": pace} for name, pace in made.pace.items()},
        "lost": {name: count_reasons(made.failures[name]) for name in plan.tasks},
        "out": str(out),
    }


def settings(given: dict[str, Any], recipe: Path | None) -> dict[str, Any]:
    """Return all settings: what was given, else what the recipe says, else the defaults."""
    from aim.commands import parse

    kinds = {name: type(value) for name, value in DEFAULTS.items()}
    written = parse.recipe(recipe, kinds) if recipe else {}
    if "task" in given or "suite" in given:  # tasks are chosen in one place
        written = {name: value for name, value in written.items() if name not in ("task", "suite")}
    return {**DEFAULTS, **written, **given}
