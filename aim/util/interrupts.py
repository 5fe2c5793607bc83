"""SIGTERM as Ctrl-C, and both deferred: loops check for them between two steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

PendingSignals = list[int]  # the signals that have come; empty: go on


@contextlib.contextmanager
def interrupt_on_sigterm() -> Iterator[None]:
    """Context in which SIGTERM raises `KeyboardInterrupt`, as Ctrl-C does, where nobody else handles it."""
    is_main_thread = threading.current_thread() is threading.main_thread()
    if not is_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


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
            raise KeyboardInterrupt
        pending.append(number)

    for number in handlers:
        signal.signal(number, record_signal)
    try:
        yield pending
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
