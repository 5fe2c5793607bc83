"""Deferred SIGINT and SIGTERM: loops check for them between two steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

PendingSignals = list[int]  # the signals that have come; empty: go on


@contextlib.contextmanager
def defer_signals(ignore_repeats: bool = False) -> Iterator[PendingSignals]:
    """List that received signals are appended to; it stays empty in other threads than the main one.

    A second signal raises `KeyboardInterrupt` at once, unless `ignore_repeats`.
    """
    pending: PendingSignals = []
    if threading.current_thread() is not threading.main_thread():
        yield pending
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def record_signal(number: int, frame: object) -> None:
        if pending and not ignore_repeats:
            raise KeyboardInterrupt("interrupted twice")
        pending.append(number)

    for number in handlers:
        signal.signal(number, record_signal)
    try:
        yield pending
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
