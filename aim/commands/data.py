"""`aim data info`, `aim data verify`: what a dataset holds and whether it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from aim.data.verify import Survey

Folder = Annotated[Path, tyro.conf.Positional]


def info(folder: Folder) -> dict[str, object]:
    """Say what a dataset holds, from the tables of its shards.

    Args:
        folder: the dataset
    """
    from aim.data import verify as checks

    return _tell(checks.survey(folder), folder)


def verify(folder: Folder) -> dict[str, object]:
    """Read every episode: digest, shapes, times, and the value maps computed again.

    Args:
        folder: the dataset
    """
    from aim import console
    from aim.data import verify as checks

    count = checks.survey(folder).episodes
    with console.progress("verified", count) as bar:
        found = checks.verify(folder, watch=lambda ref: bar.step(detail=ref.task))
    return _tell(found, folder)


def _tell(found: Survey, folder: Path) -> dict[str, object]:
    recipe = found.recipe
    height, width = recipe.size
    print(f"{folder}: {found.episodes} episodes, {found.frames} frames, {found.bytes / 1e6:.1f} MB")
    depth = " with depth" if recipe.depth else ""
    views = f"cameras {', '.join(recipe.cameras)} of {height} x {width}{depth}"
    print(f"robot {recipe.robot}; {recipe.variation} scenes; {views}")
    for task, counts in found.tasks.items():
        print(f"  {task}: {counts['episodes']} episodes of {counts['attempts']} attempts")
    for problem in found.problems:
        print(f"problem: {problem}")
    print("ok" if not found.problems else f"{len(found.problems)} problems")
    return {
        "episodes": found.episodes,
        "frames": found.frames,
        "bytes": found.bytes,
        "variation": recipe.variation,
        "tasks": found.tasks,
        "ok": not found.problems,
        "problems": list(found.problems),
    }
