"""Stage I: pictures, value maps and actions learned together by flow matching.

What step s draws (rows, noise, dropout) follows from the seed and s alone; so a training that stops and goes on is the
training that never stopped, bit for bit, as long as no clock decides the learning rate (`minutes` = 0).
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from aim import console
from aim.config import Run, TrainConfig
from aim.data.loader import Loader
from aim.model.aim import AIM
from aim.model.batch import Sample, move
from aim.model.codec import Codec
from aim.stops import Stops
from aim.train import checkpoint, precision, schedule
from aim.train.checkpoint import Progress, Training
from aim.train.log import Log, Meter
from aim.train.precision import Number

LOG_EVERY = 20  # steps
SAVE_EVERY_S = 120.0
RECENT = 100  # steps over which the loss that is reported is averaged


@dataclass(frozen=True)
class Outcome:
    """What became of a training: `loss` is the mean of the last steps."""

    steps: int
    loss: dict[str, float]
    seconds: float
    samples_per_second: float
    checkpoint: Path
    finished: bool


def begin(run: Run, device: torch.device) -> Training:
    """Return the model of a run as it is before the first step, its average and its optimiser."""
    torch.manual_seed(run.train.seed)
    model = AIM(run.model).to(device)
    ema = {name: value.detach().clone() for name, value in model.named_parameters()}
    return Training(model, ema, torch.optim.AdamW(
        model.parameters(), lr=run.train.lr, weight_decay=run.train.weight_decay, betas=(0.9, 0.95), fused=True,
    ))  # fmt: skip


def train(
    run: Run, loader: Loader, codec: Codec, out: Path, log: Log, stops: Stops, device: torch.device,
    until: int | None = None,
) -> Outcome:  # fmt: skip
    """Train from the newest checkpoint in `out`, or from nothing, to the end of the run, to `until` or to a stop."""
    config, training = run.train, begin(run, device)
    done = Progress(0, 0.0, precision.resolve(config.precision, device))
    if kept := checkpoint.steps(out):
        done = checkpoint.restore(kept[-1], training)
    begun, first, step = time.monotonic(), done, done.step
    saved, meter, recent = begun, Meter(), deque(maxlen=RECENT)

    def so_far() -> Progress:
        return replace(done, step=step, seconds=first.seconds + time.monotonic() - begun)

    def keep() -> Path:
        return checkpoint.save(out, run, loader.transform, codec, training, so_far())

    with console.progress("steps", config.steps) as bar:
        bar.step(step)
        while (share := schedule.progress(config, step, so_far().seconds)) < 1.0 and step != until and not stops:
            rate = schedule.learning_rate(config, step, share)
            losses = advance(training, loader, config, step, rate, done.precision, device)
            step += 1
            recent.append(losses)
            meter.add(losses, config.batch_size)
            bar.step(detail=" ".join(f"{name} {value:.3f}" for name, value in losses.items()))
            if step % LOG_EVERY == 0:
                log.write("stage1", {"step": step, **meter.take(), "lr": rate, "seconds": so_far().seconds})
            if time.monotonic() - saved > SAVE_EVERY_S:
                saved = time.monotonic()
                keep()
    folder = keep() if step > first.step or not kept else kept[-1]
    seconds = time.monotonic() - begun
    return Outcome(
        steps=step,
        loss={name: sum(row[name] for row in recent) / len(recent) for name in recent[0]} if recent else {},
        seconds=seconds,
        samples_per_second=(step - first.step) * config.batch_size / seconds,
        checkpoint=folder,
        finished=schedule.progress(config, step, so_far().seconds) >= 1.0,
    )


def advance(
    training: Training, loader: Loader, config: TrainConfig, step: int, rate: float, number: Number,
    device: torch.device,
) -> dict[str, float]:  # fmt: skip
    """Take one step and return its losses; `FloatingPointError` where they are not finite."""
    draw = schedule.generator(config.seed, "stage1", step)
    sample = loader.batch(schedule.rows(config.seed, "stage1", step, config.batch_size, len(loader)))
    sample = move(thinned(sample, config, draw), device)
    for group in training.optimiser.param_groups:
        group["lr"] = rate
    with precision.autocast(number, device):
        losses = training.model.losses(sample, draw)
    training.optimiser.zero_grad(set_to_none=True)
    losses["total"].backward()
    torch.nn.utils.clip_grad_norm_(training.model.parameters(), config.grad_clip)
    values = {name: value.item() for name, value in losses.items()}
    if not all(value == value and abs(value) < float("inf") for value in values.values()):
        raise FloatingPointError(f"the loss is not finite at step {step}: {values}")
    training.optimiser.step()
    _average(training, config.ema_decay, step)
    return values


def thinned(sample: Sample, config: TrainConfig, draw: torch.Generator) -> Sample:
    """Return the sample with the text, and the history, of some rows taken away."""
    context = sample.context
    no_text, no_past = (_rows(len(sample.rgb), p, draw) for p in (config.text_dropout, config.history_dropout))
    text_valid = context.text_valid & ~no_text[:, None]
    return replace(sample, context=replace(context, text_valid=text_valid, past_valid=context.past_valid & ~no_past))


def _rows(count: int, probability: float, draw: torch.Generator) -> Tensor:
    return torch.rand(count, generator=draw) < probability


@torch.no_grad()
def _average(training: Training, decay: float, step: int) -> None:
    """Move the average towards the model; early on faster, so that it forgets the first weights."""
    share = 1.0 - min(decay, (1.0 + step) / (10.0 + step))
    for name, value in training.model.named_parameters():
        training.ema[name].lerp_(value, share)
