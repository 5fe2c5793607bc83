"""Foveal crops of a dataset in a file that is mapped into memory: made once, before training.

FOLDER/fovea-KEY.u8      bytes of the crops (r s s 3), with the margin that jitter needs
FOLDER/fovea-KEY.npy     their centres (r 2)
"""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim.config import Run
from aim.data.fovea import JITTER_PX, crop_pictures, find_centers, scale_center
from aim.data.read_ahead import read_ahead
from aim.data.source import Ref, Source
from aim.data.view_pictures import PICTURES_AT_ONCE
from aim.model.batch import Fovea
from aim.util import console
from sim.types import UserError


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
        return Fovea(found, scale_center(self.center[rows] + moved, self.size))


def read_crops(folder: Path, source: Source, run: Run, workers: int = 0) -> Crops:
    """Crops of a dataset, mapped from a file in `folder`, which is made if it is not there yet."""
    side, refs = run.model.fovea + 2 * JITTER_PX, source.episodes
    said = f"{side} {run.data.frame_stride} {run.codec.views[0].name} " + " ".join(ref.identity for ref in refs)
    name = hashlib.sha256(said.encode()).hexdigest()[:16]
    pictures, centers = folder / f"fovea-{name}.u8", folder / f"fovea-{name}.npy"
    if not (pictures.is_file() and centers.is_file()):
        _write_crops(pictures, centers, source, run, workers)
    center = torch.from_numpy(np.load(centers))
    shape = (len(center), side, side, 3)
    if pictures.stat().st_size != np.prod(shape):
        raise UserError(f"{pictures} is damaged; remove it, and it is made anew")
    mapped = torch.from_file(str(pictures), shared=False, size=int(np.prod(shape)), dtype=torch.uint8).view(shape)
    return Crops(mapped, center, torch.tensor(source.size))


def _write_crops(pictures: Path, centers: Path, source: Source, run: Run, workers: int) -> None:
    """Write the centres and the crops of all episodes; the file of the crops has its name once both are whole."""
    pictures.parent.mkdir(parents=True, exist_ok=True)
    part, found = pictures.with_suffix(".part"), []
    with part.open("wb") as file, console.show_progress("crops", len(source.episodes)) as bar:
        for crops, center in read_ahead(source, source.episodes, functools.partial(_crop_episode, run), workers):
            file.write(crops.tobytes())
            found.append(center)
            bar.step()
    centers.unlink(missing_ok=True)  # another run may share the file
    np.save(centers, np.concatenate(found))
    os.replace(part, pictures)
    for other in pictures.parent.glob("fovea-*"):  # of fewer episodes, or of another size of crop
        if other not in (pictures, centers):
            other.unlink()


def _crop_episode(run: Run, source: Source, ref: Ref) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    camera, side = run.codec.views[0].name, run.model.fovea
    parts = []
    for first in range(0, ref.pictures, PICTURES_AT_ONCE):
        now = np.arange(first, min(first + PICTURES_AT_ONCE, ref.pictures))
        pictures = source.pictures(ref, camera, now.tolist())
        ahead = np.minimum(now + run.data.frame_stride, ref.pictures - 1)
        maps = source.maps(ref, camera, ahead.tolist())
        assert maps is not None, "a fovea needs maps: see `check_fovea`"
        centers = find_centers(maps, (pictures.shape[1], pictures.shape[2]), side)
        parts.append((crop_pictures(pictures, centers, side + 2 * JITTER_PX), centers))
    crops, centers = zip(*parts, strict=True)
    return np.concatenate(crops), np.concatenate(centers)
