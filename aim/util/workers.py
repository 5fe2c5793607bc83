"""Pool of worker processes: each runs one job at a time and may send messages meanwhile.

This module imports nothing heavy: a worker must set its threads before MuJoCo, torch and the renderer are loaded.
A worker does not hear Ctrl-C; whoever started it decides whether its job is finished or lost.
"""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import os
import platform
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")
ReportMessage = Callable[[object], None]
POLL_TIMEOUT_S = 0.2


@dataclass(frozen=True)
class Message:
    """Message of a job that is still running."""

    content: object


@dataclass(frozen=True)
class JobDone(Generic[JobT, ResultT]):
    """Result of a finished job."""

    job: JobT
    result: ResultT


@dataclass(frozen=True)
class JobFailed(Generic[JobT]):
    """Failure of a worker; `cause` has its traceback, or its exit code if it died."""

    job: JobT
    cause: str


@dataclass(frozen=True)
class JobRefused(JobFailed[JobT]):
    """A job that the user has to correct; `cause` is the one line that says why."""


def count_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count() or 1


class WorkerPool(Generic[JobT, ResultT]):
    """Up to `size` worker processes; `work`, a module-level function, runs a job and may send messages meanwhile."""

    def __init__(self, size: int, work: Callable[[JobT, ReportMessage], ResultT]) -> None:
        self.size = size
        self.work = work
        self.idle: list[Connection] = []
        self.busy: dict[Connection, JobT] = {}
        self.processes: dict[Connection, SpawnProcess] = {}

    @property
    def free(self) -> int:
        """Number of jobs that can be submitted now."""
        return self.size - len(self.busy)

    def submit(self, job: JobT) -> None:
        """Start a job on a free worker."""
        assert self.free > 0
        pipe = self.idle.pop() if self.idle else self._start_worker()
        self.busy[pipe] = job
        pipe.send(job)

    def poll(self, timeout_s: float) -> list[Message | JobDone[JobT, ResultT] | JobFailed[JobT]]:
        """Messages and results of busy workers, after `timeout_s` at the latest."""
        messages = []
        for pipe in wait(list(self.busy), timeout_s):
            assert isinstance(pipe, Connection)
            messages.append(self._receive_message(pipe))
        return messages

    def run(
        self, jobs: Iterable[JobT], watch: Callable[[], None] = lambda: None, describe: Callable[[JobT], str] = str
    ) -> Iterator[ResultT]:
        """Yield the results of jobs as they are finished, calling `watch` at each message.

        Where one fails: `UserError` if the user has to correct it, else `RuntimeError`; `describe` names the job.
        """
        waiting = collections.deque(jobs)
        while waiting or self.busy:
            while waiting and self.free:
                self.submit(waiting.popleft())
            for message in self.poll(POLL_TIMEOUT_S):
                if isinstance(message, Message):
                    watch()
                elif isinstance(message, JobDone):
                    yield message.result
                else:
                    from sim.types import UserError

                    error = UserError if isinstance(message, JobRefused) else RuntimeError
                    raise error(f"{describe(message.job)}: {message.cause}")

    def close(self) -> None:
        """Kill all workers; their running jobs are lost."""
        for process in self.processes.values():
            process.kill()
        for pipe, process in self.processes.items():
            process.join()
            process.close()
            pipe.close()
        self.idle, self.busy, self.processes = [], {}, {}

    def _start_worker(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        parent_pipe, child_pipe = context.Pipe()
        process = context.Process(target=_run_worker, args=(child_pipe, self.work), daemon=True)
        # blocked here is blocked there: no Ctrl-C reaches the worker before it can say that it ignores it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        child_pipe.close()
        self.processes[parent_pipe] = process
        return parent_pipe

    def _receive_message(self, pipe: Connection) -> Message | JobDone[JobT, ResultT] | JobFailed[JobT]:
        try:
            kind, content = pipe.recv()
        except (EOFError, ConnectionResetError):
            process = self.processes.pop(pipe)
            process.join()
            cause = f"its worker died with exit code {process.exitcode}"
            process.close()
            pipe.close()
            return JobFailed(self.busy.pop(pipe), cause)
        if kind is Message:
            return Message(content)
        job = self.busy.pop(pipe)
        self.idle.append(pipe)
        return kind(job, content)


def _run_worker(pipe: Connection, work: Callable[[JobT, ReportMessage], object]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # the software renderer and the linear algebra would start a thread a core in every worker
    os.environ.update(LP_NUM_THREADS="1", OMP_NUM_THREADS="1")
    with contextlib.suppress(EOFError, BrokenPipeError):  # whoever started us is gone
        while True:
            pipe.send(_run_job(pipe.recv(), work, pipe))


def _run_job(job: JobT, work: Callable[[JobT, ReportMessage], object], pipe: Connection) -> tuple[type, object]:
    try:
        import cv2

        cv2.setNumThreads(1)
        return JobDone, work(job, lambda word: pipe.send((Message, word)))
    except Exception as fault:
        from sim.types import UserError

        if isinstance(fault, UserError):
            return JobRefused, str(fault)
        return JobFailed, f"{type(fault).__name__}: {fault}\n{traceback.format_exc()}"
