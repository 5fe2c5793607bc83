"""Collecting demonstrations: blocks of seeds on worker processes, landing in the order of seeds.

What a dataset holds depends on the recipe and the number asked for alone. Workers may finish in any order and
may have begun blocks that turn out not to be needed: blocks are taken in order until enough seeds succeeded,
the last one is trimmed, and the rest is thrown away.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import itertools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aim.data import store
from aim.data.shard import Shard, file_name, land, trim
from aim.data.store import Recipe
from aim.data.workers import Order, Seen, Source, simulated, write
from aim.util import console
from aim.util.interrupts import defer_signals
from aim.util.workers import JobDone, JobFailed, JobRefused, Message, WorkerPool
from sim.envs.failure import format_failure_counts
from sim.types import AttemptFailure, UserError

PART = ".part"  # a shard that is not whole yet, or not wanted
LISTEN_S = 0.2
NO_DEFINITIONS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Collected:
    """What the dataset holds now, and what this run added."""

    episodes: int
    attempts: int
    redraws: int  # of the scenes of all attempts
    bytes: int
    added: int
    seconds: float
    pace: Mapping[str, float]  # task to episodes an hour, had all workers been at it
    failures: Mapping[str, tuple[AttemptFailure, ...]]  # of each task's attempts that failed
    tried: Mapping[str, int]  # attempts of each task


@dataclass
class TaskQueue:
    """The blocks of one task: `taken` count; `ready` wait for one before them; `flying` are being made."""

    task: str
    want: int
    taken: int = 0
    kept: int = 0
    tried: int = 0
    had: int = 0  # kept before this run
    failures: list[AttemptFailure] = field(default_factory=list)  # of the seeds tried
    spent: float = 0.0  # seconds of workers
    flying: dict[int, float] = field(default_factory=dict)  # since when
    ready: dict[int, Shard] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether enough seeds succeeded."""
        return self.kept >= self.want

    @property
    def next(self) -> int:
        """The first block that nobody has begun."""
        return next(n for n in itertools.count(self.taken) if n not in self.flying and n not in self.ready)

    def lacks(self, block: int) -> bool:
        """Whether the blocks begun will not be enough, going by the success so far."""
        if self.finished or self.next == self.taken:
            return not self.finished
        rate = self.kept / self.tried if self.tried else 1.0
        waiting = sum(len(shard.rows) for shard in self.ready.values())
        return self.kept + waiting + max(rate, 0.1) * block * len(self.flying) < self.want

    @property
    def hopeless(self) -> bool:
        """Whether so many seeds failed that the task cannot be meant to be recorded."""
        return not self.finished and self.tried >= 100 + 10 * self.want


def generate(
    recipe: Recipe,
    num: int,
    out: Path,
    workers: int,
    source: Source = simulated,
    definitions: Mapping[str, str] = NO_DEFINITIONS,
) -> Collected:
    """Bring every task of the dataset at `out` to `num` episodes and return what it holds.

    `definitions` has the JSON of tasks by label; the others are found by name.
    `UserError` where another dataset stands there or a task is hardly ever solved; `RuntimeError` where a worker fails;
    `KeyboardInterrupt` with a text that says what was kept.
    """
    if num < 1 or workers < 1 or not recipe.tasks:
        raise UserError("at least one task, one episode and one worker are needed")
    start = time.monotonic()
    with _alone(out):
        store.write_recipe(out, recipe)
        (out / store.SHARDS).mkdir(exist_ok=True)
        _sweep(out)
        before = store.open_dataset(out)
        lines = [_resume(recipe, task, num, before.shards, out) for task in recipe.tasks]
        if not _all_finished(lines):
            _collect(recipe, lines, out, WorkerPool(workers, functools.partial(write, source)), definitions)
        held = store.open_dataset(out)
    return Collected(
        episodes=len(held.episodes),
        attempts=sum(shard.tried for shard in held.shards),
        redraws=sum(sum(shard.redraws) for shard in held.shards),
        bytes=sum(shard.path.stat().st_size for shard in held.shards),
        added=len(held.episodes) - len(before.episodes),
        seconds=time.monotonic() - start,
        failures={task: tuple(r for s in held.shards if s.task == task for r in s.reasons) for task in recipe.tasks},
        tried={task: sum(shard.tried for shard in held.shards if shard.task == task) for task in recipe.tasks},
        pace={line.task: 3600 * workers * (line.kept - line.had) / line.spent for line in lines if line.spent},
    )


def _resume(recipe: Recipe, task: str, num: int, shards: Sequence[Shard], out: Path) -> TaskQueue:
    ready = {(shard.first_seed - recipe.seed) // recipe.block: shard for shard in shards if shard.task == task}
    line = TaskQueue(task, num, ready=ready)
    _advance(line, out)
    line.had = line.kept
    return line


def _collect(
    recipe: Recipe, lines: list[TaskQueue], out: Path, pool: WorkerPool[Order, Shard], definitions: Mapping[str, str]
) -> None:
    total = sum(line.want for line in lines)
    warned = False
    with (
        defer_signals(ignore_repeats=True) as stops,
        console.show_progress("episodes", total) as bar,
        _workshop(pool, out),
    ):
        shown = sum(line.kept for line in lines)
        bar.step(shown)
        while not _all_finished(lines) and len(stops) < 2:
            if not stops:
                _dispatch(recipe, lines, out, pool, definitions)
            elif not pool.busy:
                break
            elif not warned:
                warned = True
                console.print_note("finishing the blocks that are under way; interrupt again to drop them")
            for said in pool.poll(LISTEN_S):
                if (
                    isinstance(said, Message)
                    and isinstance(said.content, Seen)
                    and said.content.success
                    and shown < total
                ):
                    shown += 1
                    bar.step(detail=said.content.task)
                elif isinstance(said, JobDone):
                    _take(recipe, lines, out, said)
                elif isinstance(said, JobRefused):
                    raise UserError(said.cause)
                elif isinstance(said, JobFailed):
                    raise RuntimeError(f"{said.job}: {said.cause}")
    if not _all_finished(lines):
        kept = sum(line.kept for line in lines)
        raise KeyboardInterrupt(f"kept {kept} of {total} episodes in {out}; the same command goes on")


def _dispatch(
    recipe: Recipe, lines: list[TaskQueue], out: Path, pool: WorkerPool[Order, Shard], definitions: Mapping[str, str]
) -> None:
    for line in lines:
        while pool.free and line.lacks(recipe.block):
            number = line.next
            first = recipe.seed + number * recipe.block
            part = out / store.SHARDS / f".{file_name(line.task, first)}{PART}"
            seeds = range(first, first + recipe.block)
            shape = (recipe.robot, recipe.cameras, recipe.size, recipe.depth)
            pool.submit(
                Order(
                    line.task, seeds, *shape, part, recipe.variation, recipe.push, definitions.get(line.task, ""),
                    store.read_provenance(out).renderer,
                )
            )  # fmt: skip
            line.flying[number] = time.monotonic()


def _take(recipe: Recipe, lines: list[TaskQueue], out: Path, done: JobDone[Order, Shard]) -> None:
    line = next(line for line in lines if line.task == done.job.task)
    number = (done.job.seeds.start - recipe.seed) // recipe.block
    line.spent += time.monotonic() - line.flying.pop(number)
    line.ready[number] = done.result
    _advance(line, out)
    if line.hopeless:
        counts = format_failure_counts(line.failures, line.tried)
        raise UserError(
            f"task {line.task}: {line.kept} of {line.tried} seeds succeeded, {line.want} were asked for; {counts}"
        )


def _advance(line: TaskQueue, out: Path) -> None:
    """Count the blocks that follow, landing those that have not."""
    while line.taken in line.ready and not line.finished:
        block = line.ready.pop(line.taken)
        missing = line.want - line.kept
        if block.path.suffix == PART:
            block = _land(block, missing, out)
        elif block.trimmed and len(block.rows) < missing:
            return  # it was cut when fewer were wanted: it is made again
        line.taken += 1
        line.kept += len(block.rows)
        line.tried += block.tried
        line.failures += block.reasons


def _land(block: Shard, most: int, out: Path) -> Shard:
    if len(block.rows) > most:
        block = trim(block, block.path.with_suffix(f".trimmed{PART}"), most)
    store.claim_provenance(out, block.provenance)
    land(block.path, out / store.SHARDS / file_name(block.task, block.first_seed))
    return block


def _all_finished(lines: Sequence[TaskQueue]) -> bool:
    return all(line.finished for line in lines)


@contextlib.contextmanager
def _workshop(pool: WorkerPool[Order, Shard], out: Path) -> Iterator[None]:
    """End the workers whatever happens, and sweep up after them."""
    try:
        yield
    finally:
        pool.close()
        _sweep(out)


def _sweep(out: Path) -> None:
    for part in (out / store.SHARDS).glob(f".*{PART}"):
        part.unlink()


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder against a second writer; the kernel lets go when the process ends, however it ends."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} is not a folder that may be written; choose another") from error
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise UserError(f"another process is writing to {out}; wait for it or choose another folder") from error
    finally:
        os.close(folder)
