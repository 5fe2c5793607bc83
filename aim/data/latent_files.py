"""Tokens of a dataset in files that are mapped into memory: written block by block, and gone on with if stopped.

    FOLDER/rgb.f16, map.f16     half-precision numbers (v r n c), as large as they will be from the start
    FOLDER/progress.json        {"episodes": how many are written as a whole, "total": of how many}

Blocks are written with ordinary writes, and `progress.json` is replaced once they lie on the disk: a full disk is an
error of a call, and never a fault of a mapped page.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from aim.util import atomic_file
from aim.util.full_disk import describe_disk
from sim.types import UserError

PROGRESS_FILE = "progress.json"
BYTES_PER_HALF = 2
COPY_BYTES = 2**26  # copied at once
SPARE_DISK_BYTES = 2**26  # that must stay free beside the tokens

Shape = tuple[int, int, int, int]  # v r n c


def count_done(folder: Path) -> int:
    """Number of episodes whose tokens a folder holds as a whole; `UserError` where it does not say."""
    return read_progress(folder)[0]


def read_progress(folder: Path) -> tuple[int, int]:
    """Number of episodes that a folder holds as a whole, and of how many; `UserError` where it does not say."""
    path = folder / PROGRESS_FILE
    if not path.is_file():
        return 0, 0
    try:
        progress = json.loads(path.read_text())
        return int(progress["episodes"]), int(progress.get("total", progress["episodes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged; remove {folder}, and it is made anew") from error


def is_coded(folder: Path) -> bool:
    """Whether a folder holds the tokens of all its episodes; `UserError` where it does not say."""
    done, total = read_progress(folder)
    return done == total > 0


def reserve(folder: Path, shape: Shape, kinds: Sequence[str]) -> None:
    """Make the files of tokens, at full size, unless all are there; `UserError` where the disk has no room for them.

    Where one is missing, the others go: all episodes are coded again, and another run may have a link to those files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if all(_path(folder, kind).is_file() for kind in kinds):
        return
    for path in (folder / PROGRESS_FILE, *(_path(folder, kind) for kind in kinds)):
        path.unlink(missing_ok=True)
    check_disk_room(folder, shape, len(kinds))
    for kind in kinds:
        part = folder / f".{kind}.part"
        with part.open("wb") as file:
            file.truncate(_count_bytes(shape))
        os.replace(part, _path(folder, kind))


def check_disk_room(folder: Path, shape: Shape, count: int) -> None:
    """Raise `UserError` where the disk of a folder has no room for tokens (v r n c) of `count` kinds."""
    need = count * _count_bytes(shape)
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if need + SPARE_DISK_BYTES > shutil.disk_usage(existing).free:
        said = f"{shape[1]} pictures, each coded {shape[0]} times, take {need / 1e6:.0f} MB"
        spare = f"beside which {SPARE_DISK_BYTES / 1e6:.0f} MB must stay free"
        advice = "make room, and --resume goes on, or give smaller --shifts or fewer demonstrations"
        raise UserError(f"{said}, {spare}, on {describe_disk(folder)}; {advice}")


def write_block(
    folder: Path, shape: Shape, first: int, tokens: Mapping[str, Tensor], done: int, total: int
) -> None:  # fmt: skip
    """Write tokens (v rows n c) of each kind from row `first` on, after which `done` of `total` episodes are whole."""
    row_bytes = BYTES_PER_HALF * math.prod(shape[2:])
    for kind, block in tokens.items():
        with _path(folder, kind).open("r+b") as file:
            for version, part in enumerate(block):
                file.seek((version * shape[1] + first) * row_bytes)
                file.write(part.contiguous().numpy().tobytes())
            file.flush()
            os.fsync(file.fileno())
    _write_progress(folder, done, total)


def take_over_rows(
    old: Path, old_shape: Shape, folder: Path, shape: Shape, rows: int, kinds: Sequence[str], done: int, total: int
) -> bool:  # fmt: skip
    """Copy the first `rows` rows of every version, those of `done` episodes, from one folder of tokens to another.

    Nothing is copied, and False returned, where a file of the old folder is not whole.
    """
    if any(not _is_whole(old, old_shape, kind) for kind in kinds):
        return False
    row_bytes = BYTES_PER_HALF * math.prod(shape[2:])
    for kind in kinds:
        with _path(old, kind).open("rb") as source, _path(folder, kind).open("r+b") as target:
            for version in range(shape[0]):
                source.seek(version * old_shape[1] * row_bytes)
                target.seek(version * shape[1] * row_bytes)
                for first in range(0, rows * row_bytes, COPY_BYTES):
                    target.write(source.read(min(COPY_BYTES, rows * row_bytes - first)))
            target.flush()
            os.fsync(target.fileno())
    _write_progress(folder, done, total)
    return True


def _write_progress(folder: Path, done: int, total: int) -> None:
    atomic_file.write_text(folder / PROGRESS_FILE, json.dumps({"episodes": done, "total": total}) + "\n")


def check_tokens(folder: Path, shape: Shape, kinds: Iterable[str]) -> None:
    """Raise `UserError` where a file of tokens is missing or of another size."""
    for kind in kinds:
        if not _is_whole(folder, shape, kind):
            raise UserError(f"{_path(folder, kind)} is damaged; remove {folder}, and it is made anew")


def open_tokens(folder: Path, shape: Shape, kind: str) -> Tensor:
    """Tokens (v r n c) of one kind, read from the disk where they are used; `UserError` where the file is damaged."""
    check_tokens(folder, shape, [kind])
    path = str(_path(folder, kind))
    return torch.from_file(path, shared=False, size=math.prod(shape), dtype=torch.float16).view(shape)


def remove_others(folder: Path) -> None:
    """Remove the tokens beside a folder: those of a codec or a dataset that is no more."""
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder and (other / PROGRESS_FILE).is_file():
            shutil.rmtree(other)
        elif other.suffix == ".safetensors":
            other.unlink()  # as tokens were kept before


def _path(folder: Path, kind: str) -> Path:
    return folder / f"{kind}.f16"


def _is_whole(folder: Path, shape: Shape, kind: str) -> bool:
    path = _path(folder, kind)
    return path.is_file() and path.stat().st_size == _count_bytes(shape)


def _count_bytes(shape: Shape) -> int:
    return BYTES_PER_HALF * math.prod(shape)
