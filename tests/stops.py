"""A signal that reaches a training in the midst of a step, whatever the machine's speed."""

from __future__ import annotations

import os
from collections.abc import Callable

from aim.train import schedule


def signal_at_step(step: int, number: int) -> Callable[..., float]:
    """Return `compute_learning_rate` that sends this process the signal `number` in step `step`."""
    compute_learning_rate = schedule.compute_learning_rate

    def compute_and_signal(config: object, now: int, *rest: object) -> float:
        if now == step:
            os.kill(os.getpid(), number)
        return compute_learning_rate(config, now, *rest)  # pyright: ignore[reportArgumentType]

    return compute_and_signal
