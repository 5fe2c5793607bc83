"""Batches as a step takes them: this process's rows, with text and history dropped, and the generators of their noise.

What row r of step s draws follows from (seed, s, r) alone, r being its place in the whole batch: so it draws the same
however many processes the batch is shared among. The next batch is made in a thread of its own while a step runs.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import TracebackType

import torch
from torch import Tensor

from aim.config import TrainConfig
from aim.data.loader import Loader
from aim.model.batch import Sample, mapped, move
from aim.model.flow import Draws
from aim.train import fleet, schedule

NOISE_STREAM = "stage1"


@dataclass(frozen=True)
class Prepared:
    """This process's share of a step: its samples, and a generator a row that goes on to draw the noise."""

    sample: Sample
    draws: Draws


class Batches:
    """The batches of a training, each made while the step before is computed; close it by leaving its context."""

    def __init__(self, loader: Loader, config: TrainConfig, device: torch.device) -> None:
        """Hold what batches are made of; `UserError` where the processes cannot share them evenly."""
        self.loader, self.config, self.device = loader, config, device
        self.part = fleet.part(config.batch_size)
        self.thread = ThreadPoolExecutor(1)
        self.ahead: tuple[int, Future[Prepared]] | None = None

    def __enter__(self) -> Batches:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the thread; what it was making is lost."""
        self.thread.shutdown(cancel_futures=True)

    def take(self, step: int) -> Prepared:
        """Return the batch of a step on the device, and begin with the one after it."""
        future = self.ahead[1] if self.ahead and self.ahead[0] == step else self.thread.submit(self._make, step)
        ready = future.result()
        self.ahead = step + 1, self.thread.submit(self._make, step + 1)
        return Prepared(move(ready.sample, self.device), ready.draws)

    def _make(self, step: int) -> Prepared:
        made = prepared(self.loader, self.config, step, self.part)
        return replace(made, sample=mapped(made.sample, Tensor.pin_memory)) if self.device.type == "cuda" else made


def prepared(loader: Loader, config: TrainConfig, step: int, part: slice) -> Prepared:
    """Return rows `part` of the batch of a step, on the CPU."""
    rows = schedule.rows(config.seed, NOISE_STREAM, step, config.batch_size, len(loader))
    numbers = range(config.batch_size)[part]
    generators = tuple(schedule.generator(config.seed, NOISE_STREAM, step, number) for number in numbers)
    versions = torch.cat([torch.randint(loader.versions, (1,), generator=generator) for generator in generators])
    return Prepared(thinned(loader.batch(rows[part], versions), config, generators), Draws(generators))


def thinned(sample: Sample, config: TrainConfig, generators: tuple[torch.Generator, ...]) -> Sample:
    """Return the sample with the text, and the history, of some rows taken away: each row by its own generator."""
    context = sample.context
    chance = torch.stack([torch.rand(2, generator=generator) for generator in generators])
    text_valid = context.text_valid & (chance[:, :1] >= config.text_dropout)
    past_valid = context.past_valid & (chance[:, 1] >= config.history_dropout)
    return replace(sample, context=replace(context, text_valid=text_valid, past_valid=past_valid))
