"""`aim data info`, `aim data verify`: what a dataset holds and whether it is whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from aim.data.verify import Survey

SEEDS_SHOWN = 8  # of those that one reason cost
Folder = Annotated[Path, tyro.conf.Positional]


def info(folder: Folder) -> dict[str, object]:
    """Say what a dataset holds, from the tables of its shards.

    Args:
        folder: the dataset
    """
    from aim.data import verify as checks

    return _tell(checks.survey(folder), folder)


def verify(folder: Folder, replay: str = "one") -> dict[str, object]:
    """Read every episode: digest, shapes, times, the value maps computed again, and commands run again.

    Args:
        folder: the dataset
        replay: episodes of each shard whose executed commands are run again in the simulator: one, all or none
    """
    from aim import console
    from aim.data import verify as checks
    from sim.registry import resolve_name

    resolve_name("replay", replay, checks.REPLAYS)
    count = checks.survey(folder).episodes
    with console.progress("verified", count) as bar:
        found = checks.verify(folder, replay, watch=lambda ref: bar.step(detail=ref.task))
    return _tell(found, folder)


def _describe_provenances(found: Survey) -> Iterator[str]:
    for made in found.provenances:
        known = (
            f"aim {made.aim} at {made.commit}",
            f"MuJoCo {made.mujoco}",
            f"NumPy {made.numpy}",
            made.cpu,
            made.blas,
        )
        yield f"made with {', '.join(known)}; rendered by {made.renderer or 'nothing'}"


def _tell(found: Survey, folder: Path) -> dict[str, object]:
    recipe = found.recipe
    height, width = recipe.size
    print(f"{folder}: {found.episodes} episodes, {found.frames} frames, {found.bytes / 1e6:.1f} MB")
    depth = " with depth" if recipe.depth else ""
    views = f"cameras {', '.join(recipe.cameras)} of {height} x {width}{depth}"
    print(f"robot {recipe.robot}; {recipe.variation} scenes; {views}")
    for line in _describe_provenances(found):
        print(line)
    for task, counts in found.tasks.items():
        print(f"  {task}: {counts['episodes']} episodes of {counts['attempts']} attempts")
        for reason, seeds in found.failures(task).items():
            shown = ", ".join(map(str, seeds[:SEEDS_SHOWN])) + (", …" if len(seeds) > SEEDS_SHOWN else "")
            print(f"    {len(seeds)} lost: {reason} (seed {shown})")
    if found.replayed:
        print(f"{found.replayed} replayed to the bit")
    for reason in found.not_replayed:
        print(f"not replayed: {reason}")
    for problem in found.problems:
        print(f"problem: {problem}")
    print("ok" if not found.problems else f"{len(found.problems)} problems")
    return {
        "episodes": found.episodes,
        "frames": found.frames,
        "bytes": found.bytes,
        "variation": recipe.variation,
        "tasks": found.tasks,
        "failures": {task: found.failures(task) for task in found.tasks},
        "provenance": [dataclasses.asdict(made) for made in found.provenances],
        "replayed": found.replayed,
        "not_replayed": list(found.not_replayed),
        "ok": not found.problems,
        "problems": list(found.problems),
    }
