"""Reconstruction quality of a codec: what comes back of pictures and maps, and whether it is good enough.

Two things are easily lost and so are measured apart: what differs from the backdrop (arms, small objects), and the
peaks of value maps, which are black nearly everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from aim.data import peaks
from aim.data.peaks import MIN_PEAK_VALUE
from aim.data.view_pictures import ViewPictures
from aim.model.image_codec import STREAM_KINDS, PictureCodec, to_bytes

MIN_FOREGROUND_DIFFERENCE = 25  # bytes: a pixel that differs by more from the backdrop shows a thing
MIN_GOOD_PSNR_DB, MAX_GOOD_PEAK_ERROR_PX, MAX_GOOD_LOST_SHARE = (
    18.0,
    4.0,
    0.1,
)  # a codec beyond these is worth a warning
MIN_KEPT_PEAK_FRACTION = 0.5  # of its height: a peak that comes back lower is lost
QUALITY_CHUNK_FRAMES = 32  # pictures coded at once


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


def measure_quality(codec: PictureCodec, frames: ViewPictures) -> CodecQuality:
    """Reconstruction quality of `frames` through tokens; peaks are those of the first view."""
    views = range(len(codec.config.views))
    count = len(frames[0, "rgb"])
    decoded = {}
    for kind in STREAM_KINDS:
        chunks = (
            [frames[v, kind][i : i + QUALITY_CHUNK_FRAMES] for v in views]
            for i in range(0, count, QUALITY_CHUNK_FRAMES)
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
