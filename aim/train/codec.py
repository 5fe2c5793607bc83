"""Codec training: principal components in closed form, then gradient descent, and reconstruction quality.

Two things are easily lost by a codec and so count more than their area: what differs from the backdrop (arms, small
objects), and the peaks of value maps, which are black nearly everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from aim.config import Run, TrainConfig
from aim.data import peaks
from aim.data.peaks import MIN_PEAK_VALUE
from aim.model.image_codec import (
    STREAM_KINDS,
    Codec,
    Kind,
    PictureCodec,
    compute_principal_axes,
    extract_patches,
    set_linear_code,
    to_bytes,
)
from aim.policy import precision
from aim.train import codec_state, distributed, schedule
from aim.train.codec_state import CodecProgress
from aim.train.log import Log
from aim.util import console
from aim.util.interrupts import PendingSignals, defer_signals
from aim.util.seeds import make_generator

Frames = Mapping[tuple[int, Kind], Tensor]  # (view, kind) -> uint8 (r h w 3) at the view's size; row r is one instant

FOREGROUND_WEIGHT = 2.0  # weight of a pixel that differs by one half of the range
MAP_PEAK_WEIGHT = 20.0  # the same for maps
MAP_PCA_WEIGHT = 3.0  # how much larger maps count when the axes of the linear code are chosen
SQUARED_ERROR_WEIGHT = 2.0  # share of the squared error beside the absolute one
KL_WEIGHT = 1e-6  # times the divergence of a latent from the standard normal
NUM_OVERLAID_MAPS = 2  # other maps laid over a map, each shifted
REPORT_PERIOD_STEPS = 50
SAVE_PERIOD_S = 120.0
CODEC_CHUNK_FRAMES = 32  # pictures coded at once outside training
MIN_FOREGROUND_DIFFERENCE = 25  # bytes: a pixel that differs by more from the backdrop shows a thing
MIN_GOOD_PSNR_DB, MAX_GOOD_PEAK_ERROR_PX, MAX_GOOD_LOST_SHARE = (
    18.0,
    4.0,
    0.1,
)  # a codec beyond these is worth a warning
MIN_KEPT_PEAK_FRACTION = 0.5  # of its height: a peak that comes back lower is lost


@dataclass(frozen=True)
class CodecQuality:
    """Reconstruction quality: PSNR in decibels, and displacement of map peaks in pixels.

    `psnr_things` counts only pixels that differ from the backdrop: arms and objects, small beside the table. A figure
    over nothing is None: over no such pixels, no maps with a peak, or no peaks that came back.
    """

    psnr_rgb: float
    psnr_things: float | None
    psnr_map: float
    peak_error_px: float | None
    peak_error_max_px: float | None
    peaks_lost: float | None  # share of the maps whose peaks come back less than half as high, or not at all
    by_view: Mapping[str, float]  # psnr_rgb


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
    run: Run, frames: Frames, device: torch.device, log: Log | None, state_file: Path | None = None
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
    codec: Codec, frames: Frames, config: TrainConfig, device: torch.device, log: Log | None, bar: console.ProgressBar,
    state_file: Path | None, signals: PendingSignals,
) -> CodecProgress:  # fmt: skip
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
    first = before or CodecProgress(0, 0.0, "fp32")
    is_known = before is not None and config.precision == "auto"
    compute_precision = first.precision if is_known else precision.resolve_precision(config.precision, device)
    start = saved = time.monotonic()
    meter, step = MeanMeter(), first.step
    while True:
        seconds = first.seconds + time.monotonic() - start
        progress = schedule.compute_progress(config, step, seconds)
        ended = progress >= 1.0 or bool(signals)
        reached = CodecProgress(step, seconds, compute_precision)
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


def sample_batch(codec: Codec, frames: Frames, views: list[int], count: int, generator: torch.Generator) -> Tensor:
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


def _set_backdrops(codec: Codec, frames: Frames) -> None:
    """Set the backdrop of every view: the median of each pixel over a few hundred instants."""
    for index in range(len(codec.config.views)):
        pictures = frames[index, "rgb"]
        subset = pictures[:: max(1, len(pictures) // 301)]
        codec.get_buffer(f"backdrop_{index}").copy_(subset.median(0).values.movedim(-1, 0).float() / 127.5 - 1.0)


def _fit_linear_code(codec: Codec, frames: Frames, seed: int) -> None:
    generator = make_generator(seed, "linear", 0)
    side = codec.config.factor
    samples = []
    for (view, kind), pictures in frames.items():
        indices = torch.randperm(len(pictures), generator=generator)[:400]
        scale = MAP_PCA_WEIGHT if kind == "map" else 1.0
        samples.append(scale * extract_patches(codec.compute_difference(pictures[indices], view, kind), side))
    set_linear_code(codec, *compute_principal_axes(torch.cat(samples), codec.config.latent_channels))


@torch.no_grad()
def _set_latent_statistics(codec: Codec, frames: Frames) -> None:
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


def measure_quality(codec: PictureCodec, frames: Frames) -> CodecQuality:
    """Reconstruction quality of `frames` through tokens; peaks are those of the first view."""
    views = range(len(codec.config.views))
    count = len(frames[0, "rgb"])
    decoded = {}
    for kind in STREAM_KINDS:
        chunks = (
            [frames[v, kind][i : i + CODEC_CHUNK_FRAMES] for v in views] for i in range(0, count, CODEC_CHUNK_FRAMES)
        )
        parts = [codec.decode(codec.encode(pictures, kind), kind) for pictures in chunks]
        decoded.update({(v, kind): torch.cat([part[v] for part in parts]).cpu() for v in views})
    psnr = {key: _compute_psnr(frames[key], decoded[key]) for key in decoded}
    foregrounds = [_select_foreground(codec, v, frames[v, "rgb"], decoded[v, "rgb"]) for v in views]
    foreground_psnr = [_compute_psnr(true, back) for true, back in foregrounds if len(true)]
    peak_errors, lost = _compare_peaks(frames[0, "map"], decoded[0, "map"])
    return CodecQuality(
        psnr_rgb=sum(psnr[v, "rgb"] for v in views) / len(views),
        psnr_things=fmean(foreground_psnr) if foreground_psnr else None,
        psnr_map=sum(psnr[v, "map"] for v in views) / len(views),
        peak_error_px=fmean(peak_errors) if peak_errors else None,
        peak_error_max_px=max(peak_errors, default=None),
        peaks_lost=fmean(lost) if lost else None,
        by_view={codec.config.views[v].name: psnr[v, "rgb"] for v in views},
    )


def _compute_psnr(a: Tensor, b: Tensor) -> float:
    """PSNR, 10 log10(255² / mean squared error), over all pictures together."""
    error = (a.float() - b.float()).square().mean().clamp(min=1e-3)
    return float(10.0 * torch.log10(255.0**2 / error))


def _select_foreground(codec: PictureCodec, view: int, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels (r 3) of two sets of pictures where the first differs from the backdrop of its view."""
    backdrop = to_bytes(codec.empty_canvas(view, "rgb")[None]).cpu()
    is_foreground = (a.int() - backdrop.int()).abs().amax(-1) > MIN_FOREGROUND_DIFFERENCE
    return a[is_foreground], b[is_foreground]


def _compare_peaks(a: Tensor, b: Tensor) -> tuple[list[float], list[bool]]:
    """Displacements of peaks in pixels, and whether they were lost, for each map and channel with peaks."""
    pairs = zip(*(maps.movedim(-1, 1).flatten(0, 1).numpy() for maps in (a, b)), strict=True)
    distances, lost = [], []
    for before, after in pairs:
        if before.max() >= MIN_PEAK_VALUE:
            found = peaks.find_peaks(after)
            lost.append(not len(found) or bool(after.max() < MIN_KEPT_PEAK_FRACTION * before.max()))
            if not lost[-1]:
                distances += peaks.distance_to_nearest(peaks.find_peaks(before), found).tolist()
    return distances, lost


def list_warnings(quality: CodecQuality) -> list[str]:
    """Warnings about a codec that loses what a policy needs; none if it is good enough."""
    lines = []
    if quality.psnr_things is not None and quality.psnr_things < MIN_GOOD_PSNR_DB:
        lines.append(f"arms and objects come back at {quality.psnr_things:.1f} dB, under {MIN_GOOD_PSNR_DB:g}")
    if (quality.peak_error_px or 0.0) > MAX_GOOD_PEAK_ERROR_PX or (quality.peaks_lost or 0.0) > MAX_GOOD_LOST_SHARE:
        lines.append(f"map {peaks.describe_peaks(quality.peak_error_px, quality.peaks_lost)}")
    return lines


def describe_quality(quality: CodecQuality) -> str:
    """Quality of a codec in one line."""
    things = "" if quality.psnr_things is None else f" ({quality.psnr_things:.1f} dB arms and objects)"
    told = peaks.describe_peaks(quality.peak_error_px, quality.peaks_lost)
    return f"{quality.psnr_rgb:.1f} dB pictures{things}, {quality.psnr_map:.1f} dB maps, {told}"
