"""Training the codec: the linear code in closed form, then all weights by gradient, and how good it became.

Two things are easily lost by a codec and so count more than their area: what differs from the backdrop (arms, small
objects), and the peaks of value maps, which are black nearly everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from aim.config import Run, TrainConfig
from aim.data import peaks
from aim.data.peaks import MIN_PEAK_VALUE
from aim.model.codec import STREAM_KINDS, Codec, Kind, PictureCodec, patches, principal_axes, set_linear, to_bytes
from aim.train import precision, schedule
from aim.train.log import Log, Meter
from aim.util import console

Frames = Mapping[tuple[int, Kind], Tensor]  # (view, kind) -> uint8 (r h w 3) at the view's size; row r is one instant

SEEN_MORE = 2.0  # weight of a pixel that differs by one half of the range
PEAK_MORE = 20.0  # the same for maps
MAPS_FIRST = 3.0  # how much larger maps count when the axes of the linear code are chosen
SQUARE = 2.0  # share of the squared error beside the absolute one
KL = 1e-6  # times the divergence of a latent from the standard normal
ROLLED = 2  # other maps laid over a map, each shifted
REPORT_EVERY = 50
CODEC_CHUNK_FRAMES = 32  # pictures coded at once outside training
THING = 25  # bytes: a pixel that differs by more from the backdrop shows a thing
POOR_DB, POOR_PX, POOR_LOST = 18.0, 4.0, 0.1  # a codec beyond these is worth a warning
LOST = 0.5  # of its height: a peak that comes back lower is lost


@dataclass(frozen=True)
class Quality:
    """How well pictures come back: signal to noise in decibels, and by how many pixels a map's peak moves.

    `psnr_things` counts only pixels that differ from the backdrop: arms and objects, small beside the table.
    """

    psnr_rgb: float
    psnr_things: float
    psnr_map: float
    peak_error_px: float
    peak_error_max_px: float
    peaks_lost: float  # share of the peaks that come back less than half as high
    by_view: Mapping[str, float]  # psnr_rgb


def train(run: Run, frames: Frames, device: torch.device, log: Log | None) -> Codec:
    """Return a codec trained on `frames`; what it became follows from the run's seed where no clock stops it."""
    config = run.codec_train
    torch.manual_seed(config.seed)
    codec = Codec(run.codec).to(device)
    _backdrops(codec, frames)
    _linear(codec, frames, config.seed)
    with console.show_progress("codec", config.steps) as bar:
        _descend(codec, frames, config, device, log, bar)
    _normalise(codec, frames)
    return codec.eval()


def _descend(
    codec: Codec, frames: Frames, config: TrainConfig, device: torch.device, log: Log | None, bar: console.ProgressBar
) -> None:
    number = precision.resolve(config.precision, device)
    codec.train()
    optimiser = torch.optim.AdamW(codec.parameters(), weight_decay=config.weight_decay, betas=(0.9, 0.99))
    start, meter, step = time.monotonic(), Meter(), 0
    while (done := schedule.progress(config, step, time.monotonic() - start)) < 1.0:
        draw = schedule.generator(config.seed, "codec", step)
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate(config, step, done)
        losses = []
        for views in sizes(codec):
            x = batch(codec, frames, views, config.batch_size, draw)
            with precision.autocast(number, device):
                losses.append(loss(codec, x, config.batch_size // 3, draw))
        total = torch.stack(losses).mean()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), config.grad_clip)
        optimiser.step()
        step += 1
        meter.add({"loss": total.item()}, config.batch_size * len(losses))
        bar.step(detail=f"loss {total.item():.4f}")
        if log and step % REPORT_EVERY == 0:
            log.write("codec", {"step": step, **meter.take(), "seconds": time.monotonic() - start})


def sizes(codec: Codec) -> list[list[int]]:
    """Return the views grouped by their size, so that each group makes one batch."""
    groups: dict[tuple[int, int], list[int]] = {}
    for index, view in enumerate(codec.config.views):
        groups.setdefault((view.height, view.width), []).append(index)
    return list(groups.values())


def batch(codec: Codec, frames: Frames, views: list[int], count: int, draw: torch.Generator) -> Tensor:
    """Return `count` differences (b 3 h w) of views of one size: a third maps, first, then pictures."""
    maps = count // 3
    parts = []
    shares: tuple[tuple[Kind, int], ...] = (("map", maps), ("rgb", count - maps))
    for kind, share in shares:
        which = torch.randint(len(views), (share,), generator=draw)
        row = torch.randint(len(frames[0, "rgb"]), (share,), generator=draw)
        for v, view in enumerate(views):
            parts.append(codec.difference(frames[view, kind][row[which == v]], view, kind))
    x = torch.cat(parts)
    return torch.cat([laid_over(x[:maps], draw), x[maps:]])


def laid_over(maps: Tensor, draw: torch.Generator) -> Tensor:
    """Return maps (b 3 h w) with others of the batch laid over, shifted and with channels exchanged.

    A map is spots on black: wherever the spots of the data lie, the codec must carry a spot anywhere.
    """
    result = maps
    for _ in range(ROLLED if len(maps) else 0):
        order = torch.randperm(len(maps), generator=draw)
        down, across = torch.randint(max(maps.shape[2:]), (2,), generator=draw).tolist()
        channels = torch.randperm(3, generator=draw)
        result = torch.maximum(result, maps[order][:, channels].roll((down, across), (2, 3)))
    return result


def loss(codec: Codec, x: Tensor, maps: int, draw: torch.Generator) -> Tensor:
    """Return the loss of differences x, the first `maps` of which are value maps."""
    mean, logvar = codec.analyse(x)
    noise = torch.randn(mean.shape, generator=draw).to(mean.device)
    error = codec.synthesise(mean + torch.exp(0.5 * logvar) * noise) - x
    size = x.abs()
    seen = size[maps:].amax(1, keepdim=True).expand_as(x[maps:])  # what is there counts in all its colours
    weight = 1.0 + torch.cat([PEAK_MORE * size[:maps], SEEN_MORE * seen])
    divergence = 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar)
    return (weight * (error.abs() + SQUARE * error.square())).mean() + KL * divergence.sum((1, 2, 3)).mean()


def _backdrops(codec: Codec, frames: Frames) -> None:
    """Set the backdrop of every view: the median of each pixel over a few hundred instants."""
    for index in range(len(codec.config.views)):
        seen = frames[index, "rgb"]
        few = seen[:: max(1, len(seen) // 301)]
        codec.get_buffer(f"backdrop_{index}").copy_(few.median(0).values.movedim(-1, 0).float() / 127.5 - 1.0)


def _linear(codec: Codec, frames: Frames, seed: int) -> None:
    draw = schedule.generator(seed, "linear", 0)
    side = codec.config.factor
    found = []
    for (view, kind), pictures in frames.items():
        some = torch.randperm(len(pictures), generator=draw)[:400]
        scale = MAPS_FIRST if kind == "map" else 1.0
        found.append(scale * patches(codec.difference(pictures[some], view, kind), side))
    set_linear(codec, *principal_axes(torch.cat(found), codec.config.latent_channels))


@torch.no_grad()
def _normalise(codec: Codec, frames: Frames) -> None:
    """Set mean and standard deviation of each latent channel over all views, for pictures and for maps."""
    codec.eval()
    for which, kind in enumerate(STREAM_KINDS):
        found = []
        for view in range(len(codec.config.views)):
            pictures = frames[view, kind]
            for part in pictures[:: max(1, len(pictures) // 400)].split(CODEC_CHUNK_FRAMES):
                found.append(codec.analyse(codec.difference(part, view, kind))[0].transpose(0, 1).flatten(1))
        latents = torch.cat(found, 1)
        codec.mean[which] = latents.mean(1)
        codec.std[which] = latents.std(1).clamp(min=1e-3)


def quality(codec: PictureCodec, frames: Frames) -> Quality:
    """Return how well `frames` come back through tokens; peaks are those of the first view."""
    views = range(len(codec.config.views))
    count = len(frames[0, "rgb"])
    back = {}
    for kind in STREAM_KINDS:
        some = (
            [frames[v, kind][i : i + CODEC_CHUNK_FRAMES] for v in views] for i in range(0, count, CODEC_CHUNK_FRAMES)
        )
        parts = [codec.decode(codec.encode(pictures, kind), kind) for pictures in some]
        back.update({(v, kind): torch.cat([part[v] for part in parts]).cpu() for v in views})
    psnr = {key: _psnr(frames[key], back[key]) for key in back}
    things = [_psnr(*_things(codec, v, frames[v, "rgb"], back[v, "rgb"])) for v in views]
    moved, lost = _moved(frames[0, "map"], back[0, "map"])
    return Quality(
        psnr_rgb=sum(psnr[v, "rgb"] for v in views) / len(views),
        psnr_things=sum(things) / len(views),
        psnr_map=sum(psnr[v, "map"] for v in views) / len(views),
        peak_error_px=sum(moved) / max(len(moved), 1),
        peak_error_max_px=max(moved, default=0.0),
        peaks_lost=sum(lost) / max(len(lost), 1),
        by_view={codec.config.views[v].name: psnr[v, "rgb"] for v in views},
    )


def _psnr(a: Tensor, b: Tensor) -> float:
    """Return 10 log10(255² / mean squared error) over all pictures together."""
    error = (a.float() - b.float()).square().mean().nan_to_num().clamp(min=1e-3)  # no pixels: no error
    return float(10.0 * torch.log10(255.0**2 / error))


def _things(codec: PictureCodec, view: int, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixels (r 3) of two sets of pictures where the first differs from the backdrop of its view."""
    backdrop = to_bytes(codec.empty(view, "rgb")[None]).cpu()
    apart = (a.int() - backdrop.int()).abs().amax(-1) > THING
    return a[apart], b[apart]


def _moved(a: Tensor, b: Tensor) -> tuple[list[float], list[bool]]:
    """Return by how many pixels peaks moved, and whether they were lost, for each map and channel that has some."""
    pairs = zip(*(maps.movedim(-1, 1).flatten(0, 1).numpy() for maps in (a, b)), strict=True)
    pairs = [(here, there) for here, there in pairs if here.max() >= MIN_PEAK_VALUE]
    lost = [bool(there.max() < LOST * here.max()) for here, there in pairs]
    kept = [tuple(map(peaks.find_peaks, pair)) for pair, gone in zip(pairs, lost, strict=True) if not gone]
    return [float(far) for here, there in kept if len(there) for far in peaks.distance_to_nearest(here, there)], lost


def warnings(quality: Quality) -> list[str]:
    """Return what a codec loses that a policy needs, in words: nothing where it is good enough."""
    found = []
    if quality.psnr_things < POOR_DB:
        found.append(f"arms and objects come back at {quality.psnr_things:.1f} dB, under {POOR_DB:g}")
    if quality.peak_error_px > POOR_PX or quality.peaks_lost > POOR_LOST:
        lost = f"{100 * quality.peaks_lost:.0f} % of them lost"
        found.append(f"map peaks move by {quality.peak_error_px:.1f} pixels, {lost}")
    return found
