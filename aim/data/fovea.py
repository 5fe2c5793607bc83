"""Foveal crops: squares of the first view at the recorded resolution, centred on the peak of the value map.

One pixel of a head view of 128 pixels is about a centimetre of table. The crop shows the place where the policy means
to act at the resolution of the recording. Its centre is the highest peak of the map of the first future frame, held
away from the edges so that a crop and its jitter lie within the picture; the middle of the picture where the map has
no peak. Training moves crops by a random jitter, since the peaks of predicted maps are off by some pixels.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim.config import Run
from aim.data.peaks import find_peaks
from aim.data.source import Ref, Source
from aim.model.batch import Fovea
from aim.util import console
from sim.types import UserError

JITTER_PX = 12  # by which training moves a crop at most, down or up and right or left


@dataclass(frozen=True)
class Crops:
    """Crops of all pictures of a dataset, with the margin that jitter needs, one episode behind another."""

    picture: Tensor  # (r s s 3) uint8, s = fovea + 2 JITTER_PX
    center: Tensor  # (r 2) int64 pixels of the recorded picture: row, column
    size: Tensor  # (2,) height and width of the recorded pictures

    def take(self, rows: Tensor, jitter: Tensor | None) -> Fovea:
        """Crops (b) of pictures `rows`, moved by `jitter` (b 2) pixels down and right."""
        moved = torch.zeros(len(rows), 2, dtype=torch.int64) if jitter is None else jitter
        side = self.picture.shape[1] - 2 * JITTER_PX
        found = torch.stack([
            self.picture[row, top : top + side, left : left + side]
            for row, (top, left) in zip(rows.tolist(), (JITTER_PX + moved).tolist(), strict=True)
        ])  # fmt: skip
        return Fovea(found, _scale_center(self.center[rows] + moved, self.size))


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
    lowest = side // 2 + JITTER_PX
    found = []
    for values in maps.max(-1):
        places = find_peaks(values)
        center = (places[0] + 0.5) * np.array(size) / values.shape if len(places) else np.array(size) / 2.0
        found.append(np.clip(np.round(center), lowest, np.array(size) - lowest))
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
            _scale_center(torch.from_numpy(centers), torch.tensor(size)),
        )

    return crop


def read_crops(folder: Path, source: Source, run: Run) -> Crops:
    """Crops of a dataset, mapped from a file in `folder`, which is made if it is not there yet."""
    side, refs = run.model.fovea + 2 * JITTER_PX, source.episodes
    said = f"{side} {run.data.frame_stride} {run.codec.views[0].name} " + " ".join(ref.identity for ref in refs)
    name = hashlib.sha256(said.encode()).hexdigest()[:16]
    pictures, centers = folder / f"fovea-{name}.u8", folder / f"fovea-{name}.npy"
    if not (pictures.is_file() and centers.is_file()):
        _write_crops(pictures, centers, source, run)
    center = torch.from_numpy(np.load(centers))
    shape = (len(center), side, side, 3)
    if pictures.stat().st_size != np.prod(shape):
        raise UserError(f"{pictures} is damaged; remove it, and it is made anew")
    mapped = torch.from_file(str(pictures), shared=False, size=int(np.prod(shape)), dtype=torch.uint8).view(shape)
    return Crops(mapped, center, torch.tensor(source.size))


def _write_crops(pictures: Path, centers: Path, source: Source, run: Run) -> None:
    """Write the crops of all episodes and their centres; a file has its name only when it is whole."""
    pictures.parent.mkdir(parents=True, exist_ok=True)
    part, found = pictures.with_suffix(".part"), []
    with part.open("wb") as file, console.show_progress("crops", len(source.episodes)) as bar:
        for ref in source.episodes:
            crops, center = _crop_episode(source, ref, run)
            file.write(crops.tobytes())
            found.append(center)
            bar.step()
    np.save(centers, np.concatenate(found))
    os.replace(part, pictures)


def _crop_episode(source: Source, ref: Ref, run: Run) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    camera, side = run.codec.views[0].name, run.model.fovea
    pictures = source.pictures(ref, camera, range(ref.pictures))
    ahead = np.minimum(np.arange(ref.pictures) + run.data.frame_stride, ref.pictures - 1)
    maps = source.maps(ref, camera, ahead.tolist())
    assert maps is not None, "a fovea needs maps: see `check_fovea`"
    centers = find_centers(maps, (pictures.shape[1], pictures.shape[2]), side)
    return crop_pictures(pictures, centers, side + 2 * JITTER_PX), centers


def _scale_center(center: Tensor, size: Tensor) -> Tensor:
    """Pixels (b 2) as shares of the picture, from -1 to 1."""
    return (2.0 * center / size - 1.0).float()
