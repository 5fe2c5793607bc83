"""Codec training: principal components in closed form, then gradient descent.

Two things are easily lost by a codec and so count more than their area: what differs from the backdrop (arms, small
objects), and the peaks of value maps, which are black nearly everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from aim.config import Run, TrainConfig
from aim.data.view_pictures import ViewPictures
from aim.model.image_codec import (
    STREAM_KINDS,
    Codec,
    Kind,
    compute_principal_axes,
    extract_patches,
    set_linear_code,
)
from aim.policy import precision
from aim.train import codec_state, distributed, schedule
from aim.train.checkpoint import TrainingProgress
from aim.train.log import Log
from aim.util import console
from aim.util.interrupts import PendingSignals, defer_signals
from aim.util.seeds import make_generator

FOREGROUND_WEIGHT = 2.0  # weight of a pixel that differs by one half of the range
MAP_PEAK_WEIGHT = 20.0  # the same for maps
MAP_PCA_WEIGHT = 3.0  # how much larger maps count when the axes of the linear code are chosen
SQUARED_ERROR_WEIGHT = 2.0  # share of the squared error beside the absolute one
KL_WEIGHT = 1e-6  # times the divergence of a latent from the standard normal
NUM_OVERLAID_MAPS = 2  # other maps laid over a map, each shifted
REPORT_PERIOD_STEPS = 50
SAVE_PERIOD_S = 120.0
CODEC_CHUNK_FRAMES = 32  # pictures coded at once outside training


class MeanMeter:
    """Means of numbers since the last report, and the throughput."""

    def __init__(self) -> None:
        """Start with no values."""
        self.sums: dict[str, float] = {}
        self.count = self.samples = 0
        self.start = time.monotonic()

    def add(self, values: Mapping[str, float], samples: int) -> None:
        """Add the numbers of one step."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        self.samples += samples

    def pop_means(self) -> dict[str, float]:
        """Means and `samples_per_second`; the meter starts again."""
        seconds = max(time.monotonic() - self.start, 1e-9)
        means = {name: total / max(self.count, 1) for name, total in self.sums.items()}
        result = {**means, "samples_per_second": self.samples / seconds}
        self.__init__()
        return result


def train_codec(
    run: Run, frames: ViewPictures, device: torch.device, log: Log | None, state_file: Path | None = None
) -> Codec:
    """Codec trained on `frames`; deterministic given the run's seed unless a time limit ends it.

    With `state_file` the training goes on from the state there, and keeps its state there.
    `KeyboardInterrupt` with a text that says what was kept, where a signal ends it.
    """
    config = run.codec_train
    torch.manual_seed(config.seed)
    codec = Codec(run.codec).to(device)
    with (
        defer_signals(ignore_repeats=distributed.get_world_size() > 1) as signals,
        console.show_progress("codec", config.steps) as bar,
    ):
        progress = _optimize(codec, frames, config, device, log, bar, state_file, signals)
    if signals:
        kept = f"kept the codec at step {progress.step} in {state_file}; --resume goes on" if state_file else ""
        raise KeyboardInterrupt(kept)
    _set_latent_statistics(codec, frames)
    return codec.eval()


def _optimize(
    codec: Codec, frames: ViewPictures, config: TrainConfig, device: torch.device, log: Log | None,
    bar: console.ProgressBar, state_file: Path | None, signals: PendingSignals,
) -> TrainingProgress:  # fmt: skip
    """Train a codec to the end or to a signal, and return how far it came; its state is kept in `state_file`."""
    codec.train()
    optimiser = torch.optim.AdamW(codec.parameters(), weight_decay=config.weight_decay, betas=(0.9, 0.99))
    before = codec_state.read_codec_progress(state_file) if state_file else None
    if state_file and before:
        codec_state.restore_codec_state(state_file, codec, optimiser)
        bar.step(before.step)
    else:
        _set_backdrops(codec, frames)
        _fit_linear_code(codec, frames, config.seed)
    first = before or TrainingProgress(0, 0.0, "fp32")
    is_known = before is not None and config.precision == "auto"
    compute_precision = first.precision if is_known else precision.resolve_precision(config.precision, device)
    start = saved = time.monotonic()
    meter, step = MeanMeter(), first.step
    while True:
        seconds = first.seconds + time.monotonic() - start
        progress = schedule.compute_progress(config, step, seconds)
        ended = progress >= 1.0 or bool(signals)
        reached = TrainingProgress(step, seconds, compute_precision)
        if state_file and (ended or time.monotonic() - saved > SAVE_PERIOD_S):
            codec_state.save_codec_state(state_file, codec, optimiser, reached)
            saved = time.monotonic()
        if ended:
            return reached
        generator = make_generator(config.seed, "codec", step)
        for group in optimiser.param_groups:
            group["lr"] = schedule.compute_learning_rate(config, step, progress)
        losses = []
        for views in group_views_by_size(codec):
            x = sample_batch(codec, frames, views, config.batch_size, generator)
            with precision.autocast(compute_precision, device):
                losses.append(compute_loss(codec, x, config.batch_size // 3, generator))
        total = torch.stack(losses).mean()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), config.grad_clip)
        optimiser.step()
        step += 1
        meter.add({"loss": total.item()}, config.batch_size * len(losses))
        bar.step(detail=f"loss {total.item():.4f}")
        if log and step % REPORT_PERIOD_STEPS == 0:
            log.write("codec", {"step": step, **meter.pop_means(), "seconds": seconds})


def group_views_by_size(codec: Codec) -> list[list[int]]:
    """Views grouped by their size; each group makes one batch."""
    groups: dict[tuple[int, int], list[int]] = {}
    for index, view in enumerate(codec.config.views):
        groups.setdefault((view.height, view.width), []).append(index)
    return list(groups.values())


def sample_batch(
    codec: Codec, frames: ViewPictures, views: list[int], count: int, generator: torch.Generator
) -> Tensor:
    """Batch of `count` differences (b 3 h w) of views of one size: one third maps, first, then pictures."""
    num_maps = count // 3
    parts = []
    shares: tuple[tuple[Kind, int], ...] = (("map", num_maps), ("rgb", count - num_maps))
    for kind, share in shares:
        view_index = torch.randint(len(views), (share,), generator=generator)
        row = torch.randint(len(frames[0, "rgb"]), (share,), generator=generator)
        for v, view in enumerate(views):
            parts.append(codec.compute_difference(frames[view, kind][row[view_index == v]], view, kind))
    x = torch.cat(parts)
    return torch.cat([overlay_random_maps(x[:num_maps], generator), x[num_maps:]])


def overlay_random_maps(maps: Tensor, generator: torch.Generator) -> Tensor:
    """Augmented maps (b 3 h w): others of the batch overlaid, shifted and with permuted channels.

    A map is spots on black: wherever the spots of the data lie, the codec must carry a spot anywhere.
    """
    result = maps
    for _ in range(NUM_OVERLAID_MAPS if len(maps) else 0):
        order = torch.randperm(len(maps), generator=generator)
        down, across = torch.randint(max(maps.shape[2:]), (2,), generator=generator).tolist()
        channels = torch.randperm(3, generator=generator)
        result = torch.maximum(result, maps[order][:, channels].roll((down, across), (2, 3)))
    return result


def compute_loss(codec: Codec, x: Tensor, num_maps: int, generator: torch.Generator) -> Tensor:
    """Loss of differences x, of which the first `num_maps` are value maps."""
    mean, logvar = codec.encode_difference(x)
    noise = torch.randn(mean.shape, generator=generator).to(mean.device)
    error = codec.decode_difference(mean + torch.exp(0.5 * logvar) * noise) - x
    magnitude = x.abs()
    foreground = (
        magnitude[num_maps:].amax(1, keepdim=True).expand_as(x[num_maps:])
    )  # what is there counts in all its colours
    weight = 1.0 + torch.cat([MAP_PEAK_WEIGHT * magnitude[:num_maps], FOREGROUND_WEIGHT * foreground])
    divergence = 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar)
    return (weight * (error.abs() + SQUARED_ERROR_WEIGHT * error.square())).mean() + KL_WEIGHT * divergence.sum(
        (1, 2, 3)
    ).mean()


def _set_backdrops(codec: Codec, frames: ViewPictures) -> None:
    """Set the backdrop of every view: the median of each pixel over a few hundred instants."""
    for index in range(len(codec.config.views)):
        pictures = frames[index, "rgb"]
        subset = pictures[:: max(1, len(pictures) // 301)]
        codec.get_buffer(f"backdrop_{index}").copy_(subset.median(0).values.movedim(-1, 0).float() / 127.5 - 1.0)


def _fit_linear_code(codec: Codec, frames: ViewPictures, seed: int) -> None:
    generator = make_generator(seed, "linear", 0)
    side = codec.config.factor
    samples = []
    for (view, kind), pictures in frames.items():
        indices = torch.randperm(len(pictures), generator=generator)[:400]
        scale = MAP_PCA_WEIGHT if kind == "map" else 1.0
        samples.append(scale * extract_patches(codec.compute_difference(pictures[indices], view, kind), side))
    set_linear_code(codec, *compute_principal_axes(torch.cat(samples), codec.config.latent_channels))


@torch.no_grad()
def _set_latent_statistics(codec: Codec, frames: ViewPictures) -> None:
    """Set mean and standard deviation of each latent channel over all views, for pictures and for maps."""
    codec.eval()
    for which, kind in enumerate(STREAM_KINDS):
        parts = []
        for view in range(len(codec.config.views)):
            pictures = frames[view, kind]
            for part in pictures[:: max(1, len(pictures) // 400)].split(CODEC_CHUNK_FRAMES):
                parts.append(
                    codec.encode_difference(codec.compute_difference(part, view, kind))[0].transpose(0, 1).flatten(1)
                )
        latents = torch.cat(parts, 1)
        codec.mean[which] = latents.mean(1)
        codec.std[which] = latents.std(1).clamp(min=1e-3)
