"""`aim generate`: demonstrations with value maps, from the expert."""

from __future__ import annotations

from pathlib import Path


def generate(
    *,
    task: tuple[str, ...],
    out: Path,
    num: int = 10,
    seed: int = 0,
    robot: str = "aloha",
    workers: int = 2,
    cameras: str = "",
    size: str = "128x128",
    depth: bool = False,
) -> dict[str, object]:
    """Record demonstrations; the same command again goes on where it stopped, a larger --num adds to them.

    Args:
        task: names of tasks, or "all" (see aim tasks)
        out: folder of the dataset
        num: successful episodes a task
        seed: first seed; scenes of a task follow from it
        robot: name of the robot
        workers: processes that record at the same time
        cameras: names with commas between; all of the robot if left out
        size: height and width of pictures, as in 128x128
        depth: keep depth pictures too
    """
    from aim.commands import parse
    from aim.data import generate as collector
    from aim.data.store import Recipe
    from sim import robots, tasks
    from sim.discover import choose
    from sim.scene.layout import check

    body = robots.load(robot)
    names = tasks.names() if task == ("all",) else task
    recipe = Recipe(
        tasks=tuple(dict.fromkeys(choose("task", name, tasks.names()) for name in names)),
        robot=robot,
        cameras=tuple(choose("camera", name, body.camera_names) for name in parse.listed(cameras)) or body.camera_names,
        size=parse.size(size),
        depth=depth,
        seed=seed,
    )
    for name in recipe.tasks:
        check(tasks.load(name), body)
    made = collector.generate(recipe, num, out, workers)
    print(f"{out}: {made.episodes} episodes of {made.attempts} attempts, {made.bytes / 1e6:.1f} MB")
    print(f"{made.added} recorded now in {made.seconds:.1f} s")
    return {
        "episodes": made.episodes,
        "attempts": made.attempts,
        "success_rate": made.episodes / made.attempts,
        "seconds": made.seconds,
        "episodes_per_hour": 3600 * made.added / made.seconds,
        "bytes": made.bytes,
        "added": made.added,
        "out": str(out),
    }
