"""What a training does beside its steps: films of what it imagines, matches in closed loop. It changes no weight."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from aim.config import Run
from aim.data.loader import Loader
from aim.model.codec import PictureCodec
from aim.train import checkpoint, fleet, samples
from aim.train.best import Judge, Match
from aim.train.checkpoint import TrainingState
from aim.train.log import Log
from aim.util.interrupts import PendingSignals

TENTHS = 10


@dataclass(frozen=True)
class Options:
    """How a training runs and is watched, which is no part of the run itself.

    `films` is how many steps lie from one film to the next: None for one at the end of each tenth, 0 for none.
    `compiled` has the layers compiled; `project` is that of Weights & Biases, "" for none.
    """

    films: int | None = 0
    match: Match | None = None
    compiled: bool = False
    project: str = ""


class Beside:
    """Does what is due between two steps. In a fleet every process asks, and the first one films and plays."""

    def __init__(
        self, options: Options, run: Run, loader: Loader, codec: PictureCodec, out: Path, log: Log,
        stops: PendingSignals, device: torch.device,
    ) -> None:  # fmt: skip
        """Hold what films and matches need."""
        self.options, self.run, self.loader, self.codec = options, run, loader, codec
        self.out, self.log, self.device = out, log, device
        match = options.match
        place = device.type
        self.judge = Judge(match, run, out, loader.transform, codec, place, log, stops) if match else None
        self.tenth = self.judged = -1

    def begin(self, share: float) -> None:
        """Start where `share` of the training is done: the films up to there were made."""
        self.tenth = int(TENTHS * share)

    def between(self, step: int, share: float, fresh: bool, training: TrainingState) -> bool:
        """Do what is due after `step` steps, and tell whether anything was.

        `fresh` says that the steps were taken in this sitting; else the films are there.
        """
        filmed = fresh and self._film_due(step, share)
        played = self.judge is not None and step != self.judged and (self.judge.due(step) or share >= 1.0)
        if not (filmed or played):
            return False
        ema = checkpoint.gathered(training.ema)
        if fleet.leads() and filmed:
            with samples.averaged(self.run, training.model, ema, self.device) as model:
                samples.show(model, self.run, self.codec, self.loader, self.out, step, self.log)
        if fleet.leads() and played and self.judge:
            self.judge.judge(step, ema)
        if played:
            self.judged = step
        return True

    def _film_due(self, step: int, share: float) -> bool:
        if self.options.films is not None:
            return self.options.films > 0 and step % self.options.films == 0
        before, self.tenth = self.tenth, int(TENTHS * share)
        return self.tenth > before
