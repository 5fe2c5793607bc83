"""Figures of an open-loop evaluation: a video of true and predicted futures, and a sheet of the worst maps."""

from __future__ import annotations

from math import isfinite

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim.evaluate import prediction_metrics
from aim.evaluate.open_loop import GroundTruth, Prediction, Views
from aim.evaluate.prediction_metrics import PeakError
from aim.viz import videos
from aim.viz.videos import MAP_CHANNELS, Frames, Panel

MAX_VIDEO_WINDOWS = 16  # windows
COMPARISON_VIDEO_HZ = 2.0
FIGURE_HEIGHT_PX = 192  # pixels of a panel
NUM_WORST_MAPS = 8  # misses on a sheet


def collect_panels(truth: GroundTruth, prediction: Prediction) -> list[Panel]:
    """Panels of true and predicted futures of the first view; none if the model predicts neither pictures nor maps."""
    head = next(iter(truth.rgb))
    count, frames = truth.rgb[head].shape[:2]
    rows = torch.linspace(0, count - 1, min(MAX_VIDEO_WINDOWS, count)).round().long()

    def select_rows(views: Views) -> Frames:
        return views[head][rows].flatten(0, 1).numpy()

    if prediction.rgb is None and prediction.map is None:
        return []
    true_frames = select_rows(truth.rgb)
    panels = [
        Panel("present", truth.now[head][rows].repeat_interleave(frames, 0).numpy()),
        Panel("true future", true_frames),
    ]
    if prediction.rgb is not None:
        panels.append(Panel("imagined future", select_rows(prediction.rgb)))
    if truth.map is not None:
        panels.append(Panel("true map", videos.overlay_maps(true_frames, select_rows(truth.map)), legend=True))
    if prediction.map is not None:
        panels.append(Panel("imagined map", videos.overlay_maps(true_frames, select_rows(prediction.map))))
    return panels


def render_worst_maps(truth: GroundTruth, prediction: Prediction) -> NDArray[np.uint8] | None:
    """Sheet (h w 3) of the worst maps, two columns of true beside predicted; None without maps or peaks."""
    if truth.map is None or prediction.map is None:
        return None
    head = next(iter(truth.map))
    worst = prediction_metrics.select_worst(
        prediction_metrics.compare_peaks(prediction.map[head], truth.map[head]), NUM_WORST_MAPS
    )
    tiles = [_render_miss(truth.rgb[head], truth.map[head], prediction.map[head], peak) for peak in worst]
    if not tiles:
        return None
    gap = np.full((len(tiles[0]), videos.PANEL_GAP_PX, 3), videos.BACKGROUND_COLOUR, np.uint8)
    if len(tiles) % 2:
        tiles.append(np.full_like(tiles[0], videos.BACKGROUND_COLOUR))
    pairs = zip(tiles[::2], tiles[1::2], strict=True)
    return np.concatenate([np.concatenate([left, gap, right], axis=1) for left, right in pairs])


def _render_miss(pictures: Tensor, true: Tensor, imagined: Tensor, peak: PeakError) -> NDArray[np.uint8]:
    """True and predicted map of one miss side by side, the peak's channel alone over the true picture."""
    picture = pictures[peak.window, peak.frame][None].numpy()
    alone = torch.zeros(3, dtype=torch.uint8)
    alone[peak.channel] = 1
    distance = f"{peak.distance:.0f} px off" if isfinite(peak.distance) else "no peak"
    columns = ((f"true, {MAP_CHANNELS[peak.channel]}", true), (f"imagined, {distance}", imagined))
    panels = [
        Panel(caption, videos.overlay_maps(picture, (maps[peak.window, peak.frame] * alone)[None].numpy()))
        for caption, maps in columns
    ]
    return videos.tile_panels(panels, FIGURE_HEIGHT_PX)[0]
