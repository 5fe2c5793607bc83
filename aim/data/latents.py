"""Tokens of the pictures of a dataset, and their cache.

The cache is one folder a codec and dataset, named after both, so that neither can change unnoticed. Tokens are kept in
half precision, a few kilobytes an instant, in files that are mapped into memory while a model trains.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from aim.config import CodecConfig, DataConfig, build_token_grid, compute_token_channels
from aim.data import latent_files, source
from aim.data.read_ahead import read_ahead
from aim.data.source import Data, Ref, Source
from aim.data.view_pictures import ViewPictures, make_black_maps, read_view_pictures
from aim.model import canvas
from aim.model.image_codec import STREAM_KINDS, Kind, PictureCodec
from aim.util import console

BLOCK_PICTURES = 4096  # written at once: what a coding that is stopped has to do again
ENCODE_BATCH_FRAMES = 64  # instants coded together


@dataclass(frozen=True)
class Latents:
    """Tokens of every picture of a dataset, in v versions: rows `starts[e]` to `starts[e + 1]` belong to episode e.

    In the first version pictures are as they are; in each other the pictures of an episode are moved, view by view.

    Where a dataset has no maps, those of black ones stand in their place. Only models with geometry need `points`.
    """

    rgb: Tensor  # (v r n c) float16
    map: Tensor  # (v r n c) float16
    starts: Tensor  # (e + 1,) int64
    shifts: Tensor  # (v e views 2) int64, pixels down and right; none in the first version
    points: Tensor | None = None  # (v r n 4), where the patches lie: `aim.data.patch_points`


def with_points(latents: Latents, data: Data, config: CodecConfig) -> Latents:
    """Return the latents with the points of their patches; `UserError` where the data has no depth."""
    there, grids = source.of(data), canvas.compute_token_grids(config)
    versions = [
        torch.cat([torch.from_numpy(there.points(ref, config.views, grids, shift.tolist()))
                   for ref, shift in zip(there.episodes, shifts, strict=True)])
        for shifts in latents.shifts
    ]  # fmt: skip
    return replace(latents, points=torch.stack(versions))


def black_tokens(codec: PictureCodec) -> Tensor:
    """Return the tokens (1 n c) of maps on which nothing is wanted: those of a dataset without maps."""
    return codec.encode([make_black_maps(view, 1) for view in codec.config.views], "map")


def drawn_shifts(data: Source, config: DataConfig, views: int) -> Tensor:
    """Return by how much each episode's pictures are moved in each version (v e views 2), as its identity decides."""
    parts = [torch.zeros(1, len(data.episodes), views, 2, dtype=torch.int64)]
    for version in range(1, config.shift_augmentations + 1):
        draws = [np.random.default_rng([version, *ref.identity.encode()]) for ref in data.episodes]
        moved = [draw.integers(-config.max_shift_px, config.max_shift_px, (views, 2), endpoint=True) for draw in draws]
        parts.append(torch.from_numpy(np.stack(moved))[None])
    return torch.cat(parts)


@dataclass(frozen=True)
class LatentsPlan:
    """Shape (v r n c) of the tokens of a dataset, where each episode's rows start, and by how much it is moved."""

    shape: tuple[int, int, int, int]
    starts: Tensor
    shifts: Tensor


@dataclass(frozen=True)
class LatentsBlock:
    """Tokens (v rows n c) of some episodes one behind another, from row `first` on; `end` is the episode after them."""

    first: int
    end: int
    tokens: Mapping[str, Tensor]  # by kind


def plan_latents(codec: PictureCodec, data: Source, config: DataConfig) -> LatentsPlan:
    """Return how the tokens of a dataset will lie."""
    starts = torch.tensor([0, *np.cumsum([ref.pictures for ref in data.episodes])])
    shifts = drawn_shifts(data, config, len(codec.config.views))
    shape = len(shifts), int(starts[-1]), len(build_token_grid(codec.config)), compute_token_channels(codec.config)
    return LatentsPlan(shape, starts, shifts)


def encode_blocks(
    codec: PictureCodec, data: Source, starts: Tensor, shifts: Tensor, done: int = 0, signals: Sequence[int] = (),
    workers: int = 0,
) -> Iterator[LatentsBlock]:  # fmt: skip
    """Yield the tokens of the episodes from number `done` on, block by block; those that follow are read meanwhile.

    Where `signals` are pending, the block under way ends with its episode, and is the last one.
    """
    refs = data.episodes
    kinds = _coded_kinds(data)
    parts: dict[str, list[Tensor]] = {kind: [] for kind in kinds}
    began = done
    with console.show_progress("latents", len(refs)) as bar:
        bar.step(done)
        read = functools.partial(_read_episode, codec.config)
        for number, episode in enumerate(read_ahead(data, refs[done:], read, workers), done):
            for kind in kinds:
                views = [episode[view, kind].split(ENCODE_BATCH_FRAMES) for view in range(len(codec.config.views))]
                versions = [
                    torch.cat([codec.encode(part, kind, by).half().cpu() for part in zip(*views, strict=True)])
                    for by in shifts[:, number].tolist()
                ]
                parts[kind].append(torch.stack(versions))
            bar.step()
            rows = int(starts[number + 1] - starts[began])
            stopped = bool(signals)
            if rows >= BLOCK_PICTURES or number + 1 == len(refs) or stopped:
                tokens = {kind: torch.cat(some, 1) for kind, some in parts.items()}
                yield LatentsBlock(int(starts[began]), number + 1, tokens)
                parts, began = {kind: [] for kind in kinds}, number + 1
            if stopped:
                return


def _read_episode(config: CodecConfig, data: Source, ref: Ref) -> ViewPictures:
    return read_view_pictures(data, ref, config, range(ref.pictures))


def _coded_kinds(data: Source) -> tuple[Kind, ...]:
    return STREAM_KINDS if data.has_maps else STREAM_KINDS[:1]


def cached(
    folder: Path, codec: PictureCodec, data: Data, config: DataConfig, signals: Sequence[int] = (), workers: int = 0
) -> Latents:
    """Return the tokens of a dataset, mapped from the files in `folder`; what is not there yet is coded first.

    Blocks are written one by one: whatever ends the coding, all but the last block is kept, and coding goes on there.
    Where a file is missing, everything is coded again; `UserError` where one is of another size than its tokens.
    Pending `signals` end it after an episode: `KeyboardInterrupt` with a text that says what was kept.
    """
    there = source.of(data)
    path = folder / identity(codec, there.episodes, config)
    plan = plan_latents(codec, there, config)
    black = None if there.has_maps else black_tokens(codec).half().cpu()[None].expand(plan.shape)
    latent_files.reserve(path, plan.shape, _coded_kinds(there))
    latent_files.check_tokens(path, plan.shape, _coded_kinds(there))
    done = latent_files.count_done(path)
    missing = done < len(there.episodes)
    if missing:
        done = done or _take_over_coded(path, codec, there, config, plan)
        for block in encode_blocks(codec, there, plan.starts, plan.shifts, done, signals, workers):
            latent_files.write_block(path, plan.shape, block.first, block.tokens, block.end, len(there.episodes))
            done = block.end
    if signals:
        said = f"kept the tokens of {done} of {len(there.episodes)} episodes in {path}"
        raise KeyboardInterrupt(f"{said}; --resume goes on")
    if missing:
        latent_files.remove_others(path)
    kept = {kind: latent_files.open_tokens(path, plan.shape, kind) for kind in _coded_kinds(there)}
    return Latents(kept["rgb"], kept["map"] if black is None else black, plan.starts, plan.shifts)


def check_disk_room(folder: Path, data: Data, codec: CodecConfig, config: DataConfig) -> None:
    """Raise `UserError` where no tokens are in `folder` yet, and its disk has no room for those of a dataset."""
    if folder.is_dir() and any(folder.iterdir()):
        return
    there = source.of(data)
    pictures_count = sum(ref.pictures for ref in there.episodes)
    shape = (
        1 + config.shift_augmentations,
        pictures_count,
        len(build_token_grid(codec)),
        compute_token_channels(codec),
    )
    latent_files.check_disk_room(folder, shape, len(_coded_kinds(there)))


def _take_over_coded(
    path: Path, codec: PictureCodec, data: Source, config: DataConfig, plan: LatentsPlan
) -> int:  # fmt: skip
    """Take over the tokens that lie beside `path` of the first episodes of `data`; return of how many."""
    total = len(data.episodes)
    for other in sorted(path.parent.iterdir()):
        done, count = latent_files.read_progress(other)
        if done and count < total and other.name == identity(codec, data.episodes[:count], config):
            shape = (plan.shape[0], int(plan.starts[count]), *plan.shape[2:])
            rows = int(plan.starts[done])
            if latent_files.take_over_rows(other, shape, path, plan.shape, rows, _coded_kinds(data), done, total):
                return done
    return 0


def identity(codec: PictureCodec, episodes: Sequence[Ref], config: DataConfig) -> str:
    """Return a name that changes with any weight of the codec, any of the episodes and the shifts."""
    sha = hashlib.sha256(f"{config.shift_augmentations} {config.max_shift_px}".encode())
    for name, value in sorted(codec.state_dict().items()):
        sha.update(name.encode() + value.detach().cpu().numpy().tobytes())
    for ref in episodes:
        sha.update(ref.identity.encode())
    return sha.hexdigest()[:16]
