"""Processes that do jobs: each one job at a time, and it may say things on the way.

This module imports nothing heavy: a worker must set its threads before MuJoCo, torch and the renderer are loaded.
A worker does not hear Ctrl-C; whoever started it decides whether its job is finished or lost.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Tell = Callable[[object], None]


@dataclass(frozen=True)
class Told:
    """What a job says before it is done."""

    word: object


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """What came of a job."""

    job: Job
    result: Result


@dataclass(frozen=True)
class Broken(Generic[Job]):
    """A worker failed; `why` has its traceback, or its exit code where it died."""

    job: Job
    why: str


@dataclass(frozen=True)
class Refused(Broken[Job]):
    """The user asked a worker for something that it cannot do; `why` is the one line that says so."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count() or 1


class Pool(Generic[Job, Result]):
    """Up to `size` workers; `work`, a function of a module, does a job and may tell of it meanwhile."""

    def __init__(self, size: int, work: Callable[[Job, Tell], Result]) -> None:
        self.size = size
        self.work = work
        self.idle: list[Connection] = []
        self.busy: dict[Connection, Job] = {}
        self.processes: dict[Connection, SpawnProcess] = {}

    @property
    def free(self) -> int:
        """How many more jobs would start at once."""
        return self.size - len(self.busy)

    def submit(self, job: Job) -> None:
        """Start a job on a free worker."""
        assert self.free > 0
        pipe = self.idle.pop() if self.idle else self._start()
        self.busy[pipe] = job
        pipe.send(job)

    def hear(self, timeout_s: float) -> list[Told | Done[Job, Result] | Broken[Job]]:
        """Return what busy workers have said, after `timeout_s` at the latest."""
        said = []
        for pipe in wait(list(self.busy), timeout_s):
            assert isinstance(pipe, Connection)
            said.append(self._receive(pipe))
        return said

    def close(self) -> None:
        """End all workers; what they were doing is lost."""
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
        process = context.Process(target=_serve, args=(theirs, self.work), daemon=True)
        # blocked here is blocked there: no Ctrl-C reaches the worker before it can say that it ignores it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        theirs.close()
        self.processes[ours] = process
        return ours

    def _receive(self, pipe: Connection) -> Told | Done[Job, Result] | Broken[Job]:
        try:
            kind, what = pipe.recv()
        except (EOFError, ConnectionResetError):
            process = self.processes.pop(pipe)
            process.join()
            why = f"its worker died with exit code {process.exitcode}"
            process.close()
            pipe.close()
            return Broken(self.busy.pop(pipe), why)
        if kind is Told:
            return Told(what)
        job = self.busy.pop(pipe)
        self.idle.append(pipe)
        return kind(job, what)


def _serve(pipe: Connection, work: Callable[[Job, Tell], object]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the software renderer and the linear algebra would start a thread a core in every worker
    os.environ.update(LP_NUM_THREADS="1", OMP_NUM_THREADS="1")
    with contextlib.suppress(EOFError, BrokenPipeError):  # whoever started us is gone
        while True:
            pipe.send(_do(pipe.recv(), work, pipe))


def _do(job: Job, work: Callable[[Job, Tell], object], pipe: Connection) -> tuple[type, object]:
    try:
        import cv2

        cv2.setNumThreads(1)
        return Done, work(job, lambda word: pipe.send((Told, word)))
    except Exception as fault:
        from sim.types import UserError

        if isinstance(fault, UserError):
            return Refused, str(fault)
        return Broken, f"{type(fault).__name__}: {fault}\n{traceback.format_exc()}"
