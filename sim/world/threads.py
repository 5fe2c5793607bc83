"""Threads that step worlds beside the calling one.

A control step lasts half a millisecond, so waking a thread counts: the caller does a share of the work itself, and the
queues are `SimpleQueue`s, which wake a thread without a lock of Python's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

Work = Callable[[list[int]], None]


class StepThreads:
    """Persistent threads; they are daemons and end with the process if `close` is not called."""

    def __init__(self, count: int) -> None:
        self._orders: list[SimpleQueue[tuple[Work, list[int]] | None]] = [SimpleQueue() for _ in range(count)]
        self._results: SimpleQueue[BaseException | None] = SimpleQueue()
        for orders in self._orders:
            threading.Thread(target=self._serve, args=(orders,), daemon=True).start()

    def run(self, work: Work, shares: Sequence[list[int]]) -> None:
        """Do the work of every share, the first in this thread; an error in any of them is raised here."""
        others = shares[1:]
        for orders, share in zip(self._orders, others, strict=True):
            orders.put((work, share))
        try:
            work(shares[0])
        finally:
            errors = [self._results.get() for _ in others]
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """End the threads."""
        for orders in self._orders:
            orders.put(None)

    def _serve(self, orders: SimpleQueue[tuple[Work, list[int]] | None]) -> None:
        while (order := orders.get()) is not None:
            work, share = order
            try:
                work(share)
            except BaseException as error:  # handed to the caller
                self._results.put(error)
            else:
                self._results.put(None)
