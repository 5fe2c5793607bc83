"""Foveal crops: squares of the first view at the recorded resolution, centred on the peak of the value map.

One pixel of a head view of 128 pixels is about a centimetre of table. The crop shows the place where the policy means
to act at the resolution of the recording. Its centre is the highest peak of the map of the first future frame, held
away from the edges so that a crop and its jitter lie within the picture; the middle of the picture where the map has
no peak. Training moves crops by a random jitter, since the peaks of predicted maps are off by some pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim.config import Run
from aim.data.peaks import find_peaks
from aim.data.source import Source
from aim.model.batch import Fovea
from sim.types import UserError

JITTER_PX = 12  # by which training moves a crop at most, down or up and right or left


def check_fovea(run: Run, source: Source) -> None:
    """Raise `UserError` where a model with a fovea cannot learn from a dataset: no maps, or pictures too small."""
    if not run.model.fovea:
        return
    least = run.model.fovea + 2 * JITTER_PX
    if not source.has_maps:
        raise UserError(f"{source.path} has no value maps, and a fovea is centred on their peaks; give --model.fovea 0")
    if min(source.size) < least:
        height, width = source.size
        said = (
            f"{source.path} has pictures of {height}x{width}; a fovea of {run.model.fovea} pixels needs {least}x{least}"
        )
        raise UserError(f"{said}: record with --size 256x256, or give a smaller --model.fovea")


def find_centers(maps: NDArray[np.uint8], size: tuple[int, int], side: int) -> NDArray[np.int64]:
    """Centres (k 2: row, column) of crops of `side` pixels on pictures of `size`, for maps (k h w 3) of any size."""
    whole = side + 2 * JITTER_PX
    lowest, found = whole // 2, []
    for values in maps.max(-1):
        places = find_peaks(values)
        center = (places[0] + 0.5) * np.array(size) / values.shape if len(places) else np.array(size) / 2.0
        found.append(np.clip(np.round(center), lowest, np.array(size) - whole + lowest))
    return np.asarray(found, np.int64).reshape(-1, 2)


def crop_pictures(pictures: NDArray[np.uint8], centers: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """Squares (k side side 3) of pictures (k h w 3) around `centers` (k 2)."""
    corners = (centers - side // 2).tolist()
    return np.stack([p[top : top + side, left : left + side] for p, (top, left) in zip(pictures, corners, strict=True)])


def make_cropper(pictures: NDArray[np.uint8], side: int) -> Callable[[NDArray[np.uint8]], Fovea]:
    """Function from predicted maps (n h w 3) of the first view to the crops of its present pictures (n h w 3)."""

    def crop(maps: NDArray[np.uint8]) -> Fovea:
        size = (pictures.shape[1], pictures.shape[2])
        centers = find_centers(maps, size, side)
        return Fovea(
            torch.from_numpy(crop_pictures(pictures, centers, side)),
            scale_center(torch.from_numpy(centers), torch.tensor(size)),
        )

    return crop


def scale_center(center: Tensor, size: Tensor) -> Tensor:
    """Pixels (b 2) as shares of the picture, from -1 to 1."""
    return (2.0 * center / size - 1.0).float()
