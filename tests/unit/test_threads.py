"""Threads that step worlds: every item once, and no error lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sim.world.threads import StepThreads


@pytest.mark.parametrize("count", [1, 3])
def test_every_item_is_handed_out_once(count: int) -> None:
    threads, taken = StepThreads(count), []
    for _ in range(20):
        threads.run(taken.extend, range(10))
    threads.close()
    assert sorted(taken) == sorted(list(range(10)) * 20)


@pytest.mark.parametrize("in_caller", [True, False], ids=["in the caller", "in a thread"])
def test_an_error_in_any_thread_is_raised_and_the_next_work_is_done(in_caller: bool) -> None:
    threads, taken = StepThreads(2), []

    def fail(items: Iterator[int]) -> None:
        if (threading.current_thread() is threading.main_thread()) == in_caller:
            raise ValueError("a world broke")

    with pytest.raises(ValueError, match="a world broke"):
        threads.run(fail, [0, 1])
    threads.run(taken.extend, [0, 1])
    threads.close()
    assert sorted(taken) == [0, 1]
