"""Evaluation plan: tasks, robot, variation and seeds, split into batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.task.spec import Task

VARIATION_OF_EVALUATION = {"clean": "clean", "random": "random-eval"}


@dataclass(frozen=True)
class SeedBatch:
    """Seeds that run in parallel in one environment."""

    seeds: tuple[int, ...]
    filmed: bool


@dataclass(frozen=True)
class EvaluationPlan:
    """Seeds `first_seed` to `first_seed + episodes - 1` of every task, each once; the first `films` are filmed."""

    tasks: tuple[str, ...]  # labels: names of the project's tasks, NAME-DIGEST of others
    robot: str
    first_seed: int
    episodes: int
    batch: int = 16
    films: int = 2
    film_height: int = 240  # pixels
    threads: int = 2
    variation: str = "clean"  # a key of VARIATION_OF_EVALUATION
    definitions: Mapping[str, str] = field(default_factory=dict)  # JSON of tasks by label; others are found by name

    def load_task(self, label: str) -> Task:
        """Task of a label, in any process."""
        from sim import tasks
        from sim.task.spec import from_json

        return from_json(self.definitions[label]) if label in self.definitions else tasks.load_task(label)

    @property
    def scene_variation(self) -> str:
        """Variation of the scenes: "random" means looks and instructions that training never shows."""
        return VARIATION_OF_EVALUATION[self.variation]

    @property
    def seeds(self) -> range:
        """All seeds of a task."""
        return range(self.first_seed, self.first_seed + self.episodes)

    def split_batches(self, done: AbstractSet[int]) -> Iterator[SeedBatch]:
        """Batches of the seeds not in `done`; filmed seeds come first and apart, as they are rendered larger."""
        for seeds, filmed in ((self.seeds[: self.films], True), (self.seeds[self.films :], False)):
            remaining = [seed for seed in seeds if seed not in done]
            for i in range(0, len(remaining), self.batch):
                yield SeedBatch(tuple(remaining[i : i + self.batch]), filmed)
