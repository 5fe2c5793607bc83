"""The same seed gives the same episode: every task of a suite, digests of all contents, however it is recorded.

Each of three seeds is recorded in a batch, in a batch of the opposite order, alone, and by `aim generate` with one
worker and with two; odd seeds are random scenes. Run: .venv/bin/python scripts/check_seeds.py [SUITE [ROBOT]]
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from aim.data import flat, store
from aim.data.collect import local
from aim.data.store import Recipe
from sim import robots, tasks
from sim.embodiment.model import Embodiment
from sim.episodes.record import record_episodes
from sim.task.spec import Task

SEEDS = (10, 11, 12)
SIZE = (32, 32)


def recorded(task: Task, robot: Embodiment, batch: Sequence[int]) -> dict[int, str]:
    """Return the digests of the episodes of a batch by seed."""
    found = {}
    for kind, wanted in (("clean", 0), ("random", 1)):
        seeds = [seed for seed in batch if seed % 2 == wanted]
        episodes = record_episodes(task, robot, seeds, ("head",), SIZE, variation=kind) if seeds else ()
        found |= {episode.seed: flat.digest(flat.flatten(episode)) for episode in episodes if episode.success}
    return found


def generated(task: str, robot: str, workers: int) -> dict[int, str]:
    """Return the digests of a dataset by seed."""
    recipe = Recipe((task,), robot, ("head",), SIZE, variation="mixed", seed=SEEDS[0], block=1)
    with tempfile.TemporaryDirectory() as folder:
        local.collect_dataset(recipe, len(SEEDS), Path(folder) / "set", workers)
        return {ref.seed: ref.sha256 for ref in store.open_dataset(Path(folder) / "set").episodes}


def main(suite: str = "robotwin50", robot: str = "aloha") -> None:
    """Compare all ways of recording, task by task; exit 1 where one differs."""
    body, unlike = robots.load_robot(robot), []
    for name in tasks.list_suite_tasks(suite):
        task = tasks.load_task(name)
        if task.arms_needed > len(body.arms):
            continue
        batch, turned = recorded(task, body, SEEDS), recorded(task, body, SEEDS[::-1])
        alone = recorded(task, body, SEEDS[:1]) | recorded(task, body, SEEDS[1:2]) | recorded(task, body, SEEDS[2:])
        one, two = generated(name, robot, 1), generated(name, robot, 2)
        same = batch == turned == alone and one == two and batch.items() <= one.items()
        unlike += [] if same else [name]
        digests = " ".join(batch.get(seed, "failed")[:8] for seed in SEEDS)
        print(f"{name:28} {'the same' if same else 'DIFFERS'}  {digests}", flush=True)
    print(f"{suite}, {robot}: {'all the same' if not unlike else 'different: ' + ', '.join(unlike)}")
    sys.exit(bool(unlike))


if __name__ == "__main__":
    main(*sys.argv[1:])
