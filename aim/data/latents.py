"""Pictures of a dataset at the sizes of a codec's views, and the cache of their tokens.

The cache is one file a codec and dataset, named after both, so that neither can change unnoticed. Tokens are kept in
half precision: a few kilobytes an instant, so that a whole dataset lies in memory while a model trains.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from aim import console
from aim.config import CodecConfig
from aim.data.store import Dataset, EpisodeRef
from aim.model.codec import KINDS, Codec, Kind, resized

Pictures = Mapping[tuple[int, Kind], Tensor]  # (view, kind) -> uint8 (r h w 3)

AT_ONCE = 64  # instants coded together


@dataclass(frozen=True)
class Latents:
    """Tokens of every picture of a dataset: rows `starts[e]` to `starts[e + 1]` belong to episode e."""

    rgb: Tensor  # (r n c) float16
    map: Tensor  # (r n c) float16
    starts: Tensor  # (e + 1,) int64


def pictures(dataset: Dataset, ref: EpisodeRef, config: CodecConfig, frames: Sequence[int]) -> Pictures:
    """Return pictures and maps of an episode at the sizes of the codec's views."""
    read = {"rgb": dataset.pictures, "map": dataset.maps}
    return {
        (index, kind): resized(torch.from_numpy(read[kind](ref, view.name, frames)), view)
        for index, view in enumerate(config.views)
        for kind in KINDS
    }


def some_pictures(
    dataset: Dataset, refs: Sequence[EpisodeRef], config: CodecConfig, count: int, seed: int
) -> Pictures:
    """Return about `count` instants, spread evenly over the episodes `refs`, at random times."""
    draw = np.random.default_rng([seed, 11])
    share = -(-count // len(refs))
    if share == 1:
        refs = [refs[i] for i in sorted(draw.choice(len(refs), count, replace=False))]
    parts = []
    for ref in refs:
        frames = np.sort(draw.choice(ref.pictures, min(share, ref.pictures), replace=False))
        parts.append(pictures(dataset, ref, config, frames.tolist()))
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}


def encode(codec: Codec, dataset: Dataset) -> Latents:
    """Return the tokens of every picture; the next episode is read while one is coded."""
    refs = dataset.episodes
    found: dict[Kind, list[Tensor]] = {kind: [] for kind in KINDS}
    with console.progress("latents", len(refs)) as bar:
        for episode in _ahead(dataset, refs, codec.config):
            for kind in KINDS:
                views = [episode[view, kind].split(AT_ONCE) for view in range(len(codec.config.views))]
                found[kind] += [codec.encode(part, kind).half().cpu() for part in zip(*views, strict=True)]
            bar.step()
    starts = torch.tensor([0, *np.cumsum([ref.pictures for ref in refs])])
    return Latents(torch.cat(found["rgb"]), torch.cat(found["map"]), starts)


def cached(folder: Path, codec: Codec, dataset: Dataset) -> Latents:
    """Return the tokens of a dataset, read from `folder` where they are kept there, else coded and kept."""
    path = folder / f"{identity(codec, dataset)}.safetensors"
    if path.is_file():
        return Latents(**load_file(path))
    made = encode(codec, dataset)
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(vars(made), part)
    os.replace(part, path)
    for other in folder.glob("*.safetensors"):
        if other != path:
            other.unlink()  # of a codec or a dataset that is no more
    return made


def identity(codec: Codec, dataset: Dataset) -> str:
    """Return a name that changes with any weight of the codec and any episode of the dataset."""
    sha = hashlib.sha256()
    for name, value in sorted(codec.state_dict().items()):
        sha.update(name.encode() + value.detach().cpu().numpy().tobytes())
    for ref in dataset.episodes:
        sha.update(ref.sha256.encode())
    return sha.hexdigest()[:16]


def _ahead(dataset: Dataset, refs: Sequence[EpisodeRef], config: CodecConfig) -> Iterator[Pictures]:
    with ThreadPoolExecutor(1) as reader:
        waiting = [reader.submit(pictures, dataset, ref, config, range(ref.pictures)) for ref in refs[:1]]
        for ref in [*refs[1:], None]:
            ready = waiting.pop()
            if ref is not None:
                ready.result()  # one reader at a time: the files of a dataset are not made for more
                waiting.append(reader.submit(pictures, dataset, ref, config, range(ref.pictures)))
            yield ready.result()
