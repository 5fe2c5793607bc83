"""Processes that record blocks of episodes, one shard each.

This module imports nothing heavy: a worker must set its threads before MuJoCo and the renderer are loaded.
A worker does not hear Ctrl-C; whoever started it decides whether its block is finished or lost.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aim.data.shard import Shard
    from sim.types import Episode


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

    def __str__(self) -> str:
        return f"task {self.task}, seeds {self.seeds.start} to {self.seeds.stop - 1}"


@dataclass(frozen=True)
class Seen:
    """An episode was written, or found a failure."""

    task: str
    success: bool


@dataclass(frozen=True)
class Done:
    """A shard stands at the order's `part`."""

    order: Order
    shard: Shard


@dataclass(frozen=True)
class Broken:
    """A worker failed; `why` has its traceback, or its exit code where it died."""

    order: Order
    why: str


Source = Callable[[Order], "Iterator[Episode]"]
Message = Seen | Done | Broken


def simulated(order: Order) -> Iterator[Episode]:
    """Return the episodes of an order as the expert plays them in the simulator, in the order of seeds."""
    from sim import record, robots, tasks

    return record.record(
        tasks.load(order.task), robots.load(order.robot), order.seeds, order.cameras, order.size, order.depth
    )


class Pool:
    """Up to `size` workers; each records one block at a time."""

    def __init__(self, size: int, source: Source) -> None:
        self.size = size
        self.source = source
        self.idle: list[Connection] = []
        self.busy: dict[Connection, Order] = {}
        self.processes: dict[Connection, SpawnProcess] = {}

    @property
    def free(self) -> int:
        """How many more orders would start at once."""
        return self.size - len(self.busy)

    def submit(self, order: Order) -> None:
        """Start an order on a free worker."""
        assert self.free > 0
        pipe = self.idle.pop() if self.idle else self._start()
        self.busy[pipe] = order
        pipe.send(order)

    def hear(self, timeout_s: float) -> list[Message]:
        """Return what busy workers have said, after `timeout_s` at the latest."""
        said = []
        for pipe in wait(list(self.busy), timeout_s):
            assert isinstance(pipe, Connection)
            said.append(self._receive(pipe))
        return said

    def close(self) -> None:
        """End all workers; what they were recording is lost."""
        for process in self.processes.values():
            process.kill()
        for pipe, process in self.processes.items():
            process.join()
            process.close()
            pipe.close()
        self.idle, self.busy, self.processes = [], {}, {}

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.source), daemon=True)
        # blocked here is blocked there: no Ctrl-C reaches the worker before it can say that it ignores it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        theirs.close()
        self.processes[ours] = process
        return ours

    def _receive(self, pipe: Connection) -> Message:
        try:
            said = pipe.recv()
        except (EOFError, ConnectionResetError):
            process = self.processes.pop(pipe)
            process.join()
            why = f"its worker died with exit code {process.exitcode}"
            process.close()
            pipe.close()
            return Broken(self.busy.pop(pipe), why)
        if not isinstance(said, Seen):
            del self.busy[pipe]
            self.idle.append(pipe)
        return said


def _work(pipe: Connection, source: Source) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the software renderer and the linear algebra would start a thread a core in every worker
    os.environ.update(LP_NUM_THREADS="1", OMP_NUM_THREADS="1")
    with contextlib.suppress(EOFError, BrokenPipeError):  # whoever started us is gone
        while True:
            pipe.send(_record(pipe.recv(), source, pipe))


def _record(order: Order, source: Source, pipe: Connection) -> Message:
    try:
        import cv2

        from aim.data import shard

        cv2.setNumThreads(1)
        written = shard.write(
            order.part,
            order.task,
            order.seeds,
            source(order),
            watch=lambda episode: pipe.send(Seen(order.task, episode.success)),
        )
    except Exception as fault:
        return Broken(order, f"{type(fault).__name__}: {fault}\n{traceback.format_exc()}")
    return Done(order, written)
