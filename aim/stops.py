"""Ctrl-C between two steps, never within one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

Stops = list[int]  # the signals that have come; empty: go on


@contextlib.contextmanager
def heard(patient: bool = False) -> Iterator[Stops]:
    """Yield the list that signals to stop are put on; none come in other threads than the main one.

    The second one stops at once, unless whoever looks at the list is `patient`.
    """
    stops: Stops = []
    if threading.current_thread() is not threading.main_thread():
        yield stops
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def take(number: int, frame: object) -> None:
        if stops and not patient:
            raise KeyboardInterrupt("interrupted twice")
        stops.append(number)

    for number in before:
        signal.signal(number, take)
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
