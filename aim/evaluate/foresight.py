"""Pictures of an open-loop evaluation: a film of true beside imagined futures, and a sheet of the worst maps."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim.evaluate import films, likeness
from aim.evaluate.films import CHANNELS, Frames, Panel
from aim.evaluate.likeness import Peak
from aim.evaluate.open_loop import Guess, Truth, Views

FILMED = 16  # windows
FILM_HZ = 2.0
FIGURE_HEIGHT_PX = 192  # pixels of a panel
ROWS = 8  # misses on a sheet


def film(truth: Truth, guess: Guess) -> Frames | None:
    """Return true beside imagined futures of the first view; None where the model imagines nothing."""
    head = next(iter(truth.rgb))
    count, frames = truth.rgb[head].shape[:2]
    rows = torch.linspace(0, count - 1, min(FILMED, count)).round().long()

    def some(views: Views) -> Frames:
        return views[head][rows].flatten(0, 1).numpy()

    if guess.rgb is None and guess.map is None:
        return None
    came = some(truth.rgb)
    panels = [Panel("present", truth.now[head][rows].repeat_interleave(frames, 0).numpy()), Panel("true future", came)]
    if guess.rgb is not None:
        panels.append(Panel("imagined future", some(guess.rgb)))
    if truth.map is not None:
        panels.append(Panel("true map", films.overlay(came, some(truth.map)), legend=True))
    if guess.map is not None:
        panels.append(Panel("imagined map", films.overlay(came, some(guess.map))))
    return films.tile(panels, FIGURE_HEIGHT_PX)


def misses(truth: Truth, guess: Guess) -> NDArray[np.uint8] | None:
    """Return a sheet (h w 3) of the worst maps, two columns of true beside imagined; None without maps or peaks."""
    if truth.map is None or guess.map is None:
        return None
    head = next(iter(truth.map))
    found = likeness.worst(likeness.peaks(guess.map[head], truth.map[head]), ROWS)
    tiles = [_row(truth.rgb[head], truth.map[head], guess.map[head], peak) for peak in found]
    if not tiles:
        return None
    gap = np.full((len(tiles[0]), films.GAP, 3), films.PAPER, np.uint8)
    if len(tiles) % 2:
        tiles.append(np.full_like(tiles[0], films.PAPER))
    pairs = zip(tiles[::2], tiles[1::2], strict=True)
    return np.concatenate([np.concatenate([left, gap, right], axis=1) for left, right in pairs])


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture (h w 3), red first, as PNG."""
    import cv2

    ok, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    assert ok, "OpenCV could not encode the picture"
    path.write_bytes(data.tobytes())


def _row(pictures: Tensor, true: Tensor, imagined: Tensor, peak: Peak) -> NDArray[np.uint8]:
    """Return true and imagined map of one miss, with the peak's channel alone, over the true picture, side by side."""
    picture = pictures[peak.window, peak.frame][None].numpy()
    alone = torch.zeros(3, dtype=torch.uint8)
    alone[peak.channel] = 1
    apart = f"{peak.distance:.0f} px off" if isfinite(peak.distance) else "no peak"
    shown = ((f"true, {CHANNELS[peak.channel]}", true), (f"imagined, {apart}", imagined))
    panels = [
        Panel(caption, films.overlay(picture, (maps[peak.window, peak.frame] * alone)[None].numpy()))
        for caption, maps in shown
    ]
    return films.tile(panels, FIGURE_HEIGHT_PX)[0]
