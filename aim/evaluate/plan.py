"""What an evaluation runs: tasks, robot, variation and seeds, and in which batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.task.spec import Task

LOOKS = {"clean": "clean", "random": "random-eval"}


@dataclass(frozen=True)
class Batch:
    """Seeds that run beside each other."""

    seeds: tuple[int, ...]
    filmed: bool


@dataclass(frozen=True)
class EvaluationPlan:
    """The seeds `first` to `first + episodes - 1` of every task, each once; the first `films` of them are filmed."""

    tasks: tuple[str, ...]  # labels: names of the project's tasks, NAME-DIGEST of others
    robot: str
    first: int
    episodes: int
    batch: int = 16
    films: int = 2
    film_height: int = 240  # pixels
    threads: int = 2
    variation: str = "clean"  # one of LOOKS
    definitions: Mapping[str, str] = field(default_factory=dict)  # JSON of tasks by label; others are found by name

    def load_task(self, label: str) -> Task:
        """Return a task of the plan, in whatever process."""
        from sim import tasks
        from sim.task.spec import from_json

        return from_json(self.definitions[label]) if label in self.definitions else tasks.load_task(label)

    @property
    def look(self) -> str:
        """The variation that scenes are drawn in: what is random is drawn from what training never shows."""
        return LOOKS[self.variation]

    @property
    def seeds(self) -> range:
        """All seeds of a task."""
        return range(self.first, self.first + self.episodes)

    def batches(self, done: AbstractSet[int]) -> Iterator[Batch]:
        """Yield the seeds that are not in `done`; those to be filmed come first and apart, as they are drawn large."""
        for seeds, filmed in ((self.seeds[: self.films], True), (self.seeds[self.films :], False)):
            left = [seed for seed in seeds if seed not in done]
            for i in range(0, len(left), self.batch):
                yield Batch(tuple(left[i : i + self.batch]), filmed)
