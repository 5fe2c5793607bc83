"""What a worker records: a block of seeds of one task, one shard.

This module imports nothing heavy, see `aim.util.workers`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aim.data.mix import variation_of
from aim.util.workers import ReportMessage

if TYPE_CHECKING:
    from aim.data.shard import Shard
    from sim.types import Episode, FailedAttempt


@dataclass(frozen=True)
class Order:
    """A block to record: one shard, written to `part`."""

    task: str
    seeds: range
    robot: str
    cameras: tuple[str, ...]
    size: tuple[int, int]
    depth: bool
    part: Path
    variation: str = "clean"  # one of `aim.data.mix.MIXES`
    push: float = 0.0
    definition: str = ""  # the task's JSON; "": the project's task of that name
    renderer: str = ""  # of the dataset so far, "" where it has none

    def __str__(self) -> str:
        return f"task {self.task}, seeds {self.seeds.start} to {self.seeds.stop - 1}"


@dataclass(frozen=True)
class Seen:
    """An episode was written, or found a failure."""

    task: str
    success: bool


Source = Callable[[Order], "Iterator[Episode | FailedAttempt]"]


def simulated(order: Order) -> Generator[Episode | FailedAttempt, None, None]:
    """Return the episodes of an order as the expert plays them in the simulator, in the order of seeds.

    `UserError` where images would come from another renderer than the dataset's.
    """
    from aim.data import store
    from sim import robots, tasks
    from sim.episodes import record
    from sim.task.spec import from_json
    from sim.types import UserError
    from sim.world.render import describe_renderer

    if order.cameras and order.renderer and str(describe_renderer()) != order.renderer:
        raise UserError(store.describe_mixing(order.part.parents[1], order.renderer, str(describe_renderer())))
    task = from_json(order.definition) if order.definition else tasks.load_task(order.task)
    robot = robots.load_robot(order.robot)
    kinds = {seed: variation_of(order.variation, seed) for seed in order.seeds}
    streams = {
        kind: record.record_episodes(
            task,
            robot,
            [seed for seed in order.seeds if kinds[seed] == kind],
            order.cameras,
            order.size,
            order.depth,
            kind,
            order.push,
        )
        for kind in dict.fromkeys(kinds.values())
    }
    with contextlib.ExitStack() as stack:
        for stream in streams.values():
            stack.callback(stream.close)
        for seed in order.seeds:
            yield next(streams[kinds[seed]])


def write(source: Source, order: Order, tell: ReportMessage) -> Shard:
    """Write the shard of an order and return it; every episode is told of as `Seen`."""
    from aim.data import shard

    return shard.write(
        order.part,
        order.task,
        order.seeds,
        source(order),
        watch=lambda episode: tell(Seen(order.task, episode.success)),
    )
