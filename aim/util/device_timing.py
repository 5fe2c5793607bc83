"""Time and memory that work on a device takes.

A time is taken with everything on the device finished before and after it.
"""

from __future__ import annotations

import contextlib
import gc
import resource
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeVar

import torch

from aim.util.machine import MIB

WorkT = TypeVar("WorkT")


def time_call(device: torch.device, work: Callable[[], WorkT]) -> tuple[float, WorkT]:
    """Wall-clock seconds of a call, device synchronised, and its result."""
    _synchronize(device)
    start = time.perf_counter()
    result = work()
    _synchronize(device)
    return time.perf_counter() - start, result


def time_steps(device: torch.device, work: Callable[[int], object], count: int) -> list[float]:
    """Seconds of each of `count` consecutive steps; on a GPU measured by events, without synchronising in between."""
    if device.type != "cuda":
        return [time_call(device, lambda now=step: work(now))[0] for step in range(count)]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    events[0].record()
    for step in range(count):
        work(step)
        events[step + 1].record()
    _synchronize(device)
    return [before.elapsed_time(after) / 1e3 for before, after in pairwise(events)]


def reset_peak_memory(device: torch.device) -> None:
    """Reset the peak of `measure_peak_memory_mib` on a GPU; a CPU's counts from the start of the process."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def measure_peak_memory_mib(device: torch.device) -> float:
    """Peak memory: of tensors on a GPU, resident set size of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    unit = 1 if sys.platform == "darwin" else 1024  # bytes, or kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


@contextlib.contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Context with torch limited to `count` threads; 0 leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
