"""Threads that step worlds beside the calling one.

A control step lasts half a millisecond, so waking a thread counts: the caller works too, and the queues are
`SimpleQueue`s, which wake a thread without a lock of Python's own. Every thread takes the next world that nobody has
taken: worlds with more contacts cost more, and a core that others use as well is slower.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

Work = Callable[[Iterator[int]], None]


class StepThreads:
    """Persistent threads; they are daemons and end with the process if `close` is not called."""

    def __init__(self, count: int) -> None:
        self._orders: list[SimpleQueue[tuple[Work, Iterator[int]] | None]] = [SimpleQueue() for _ in range(count)]
        self._results: SimpleQueue[BaseException | None] = SimpleQueue()
        for orders in self._orders:
            threading.Thread(target=self._serve, args=(orders,), daemon=True).start()

    def run(self, work: Work, items: Sequence[int]) -> None:
        """Let all threads, this one included, draw from one iterator of `items`; an error in any is raised here."""
        rest = iter(items)  # an iterator of a list hands every item to one thread only
        for orders in self._orders:
            orders.put((work, rest))
        try:
            work(rest)
        finally:
            errors = [self._results.get() for _ in self._orders]
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """End the threads."""
        for orders in self._orders:
            orders.put(None)

    def _serve(self, orders: SimpleQueue[tuple[Work, Iterator[int]] | None]) -> None:
        while (order := orders.get()) is not None:
            work, rest = order
            try:
                work(rest)
            except BaseException as error:  # handed to the caller
                self._results.put(error)
            else:
                self._results.put(None)
