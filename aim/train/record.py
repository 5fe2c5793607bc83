"""Losses step by step, kept on the device until somebody asks: asking for each would hold up a GPU at every step."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import torch
from torch import Tensor

from aim.train import checkpoint, fleet
from sim.types import UserError

LOSS_NAMES = ("rgb", "map", "action", "total", "gradient_norm")
RECENT = 100  # steps over which the loss that is reported is averaged


class Record:
    """The rows (5,) of NAMES, one a step."""

    def __init__(self, step: int, out: Path) -> None:
        """Begin after `step` steps of the training in `out`."""
        self.step, self.out = step, out  # steps that were read
        self.waiting: list[Tensor] = []
        self.recent: deque[list[float]] = deque(maxlen=RECENT)

    def add(self, row: Tensor) -> None:
        """Take the numbers (5,) of a step as they are, unread."""
        self.waiting.append(row)

    def read(self) -> dict[str, float]:
        """Return the means since the last reading, over all processes; every one of them must call it.

        `UserError` naming the first step whose numbers are not finite.
        """
        if not self.waiting:
            return {}
        rows = fleet.mean(torch.stack(self.waiting))
        bad = (~rows.isfinite().all(1)).nonzero()
        if len(bad):
            first = int(bad[0])
            values = ", ".join(
                f"{name} {value:g}" for name, value in zip(LOSS_NAMES, rows[first].tolist(), strict=True)
            )
            where = f"step {self.step + first + 1} is not finite ({values})"
            raise UserError(f"{where}; {checkpoint.remains(self.out)}; a lower --lr may help")
        self.step += len(rows)
        self.waiting.clear()
        self.recent += rows.tolist()
        return dict(zip(LOSS_NAMES, rows.mean(0).tolist(), strict=True))

    def loss(self) -> dict[str, float]:
        """Return the mean losses of the last RECENT steps that were read."""
        if not self.recent:
            return {}
        means = [sum(column) / len(self.recent) for column in zip(*self.recent, strict=True)]
        return dict(zip(LOSS_NAMES[:-1], means[:-1], strict=True))
