"""Pictures of a dataset at the sizes of a codec's views, and the cache of their tokens.

The cache is one file a codec and dataset, named after both, so that neither can change unnoticed. Tokens are kept in
half precision: a few kilobytes an instant, so that a whole dataset lies in memory while a model trains.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from aim import console
from aim.config import CodecConfig, View
from aim.data import source
from aim.data.source import Data, R, Ref, Shown, Source
from aim.data.spots import spots
from aim.model import canvas
from aim.model.codec import KINDS, Kind, PictureCodec, resized

Pictures = Mapping[tuple[int, Kind], Tensor]  # (view, kind) -> uint8 (r h w 3)

AT_ONCE = 64  # instants coded together
FEW = 8  # pictures held at full size: an episode of a camera would be gigabytes, and few stay in the processor's cache


@dataclass(frozen=True)
class Latents:
    """Tokens of every picture of a dataset: rows `starts[e]` to `starts[e + 1]` belong to episode e.

    Where a dataset has no maps, those of black ones stand in their place. Only models with geometry need `points`.
    """

    rgb: Tensor  # (r n c) float16
    map: Tensor  # (r n c) float16
    starts: Tensor  # (e + 1,) int64
    points: Tensor | None = None  # (r n 4), where the patches lie: `aim.data.points`


def with_points(latents: Latents, data: Data, config: CodecConfig) -> Latents:
    """Return the latents with the points of their patches; `UserError` where the data has no depth."""
    there, grids = source.of(data), canvas.grids(config)
    parts = [torch.from_numpy(there.points(ref, config.views, grids)) for ref in there.episodes]
    return replace(latents, points=torch.cat(parts))


def pictures(data: Shown[R], ref: R, config: CodecConfig, frames: Sequence[int]) -> Pictures:
    """Return pictures and maps of an episode at the sizes of the codec's views; maps are black where it has none."""
    parts = [frames[i : i + FEW] for i in range(0, len(frames), FEW)]
    return {
        (index, kind): torch.cat([_sized(data, ref, view, kind, part) for part in parts])
        for index, view in enumerate(config.views)
        for kind in KINDS
    }


def _sized(data: Shown[R], ref: R, view: View, kind: Kind, frames: Sequence[int]) -> Tensor:
    found = (data.pictures if kind == "rgb" else data.maps)(ref, view.name, frames)
    return black(view, len(frames)) if found is None else resized(torch.from_numpy(found), view)


def black(view: View, count: int) -> Tensor:
    """Return maps (count h w 3) of a view on which nothing is wanted."""
    return torch.zeros(count, view.height, view.width, 3, dtype=torch.uint8)


def some_pictures(data: Source, refs: Sequence[Ref], config: CodecConfig, count: int, seed: int) -> Pictures:
    """Return about `count` instants, spread evenly over the episodes `refs`, at random times.

    They are for teaching a codec: where a dataset has no maps, drawn ones stand in their place (`aim.data.spots`).
    """
    draw = np.random.default_rng([seed, 11])
    share = -(-count // len(refs))
    if share == 1:
        refs = [refs[i] for i in sorted(draw.choice(len(refs), count, replace=False))]
    parts = []
    for ref in refs:
        frames = np.sort(draw.choice(ref.pictures, min(share, ref.pictures), replace=False))
        parts.append(pictures(data, ref, config, frames.tolist()))
    found = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    return found if data.has_maps else {**found, **_drawn(config, len(found[0, "rgb"]), seed)}


def _drawn(config: CodecConfig, count: int, seed: int) -> Pictures:
    draw = np.random.default_rng([seed, 13])
    views = enumerate(config.views)
    return {(i, "map"): torch.from_numpy(spots(count, view.height, view.width, draw)) for i, view in views}


def encode(codec: PictureCodec, data: Data) -> Latents:
    """Return the tokens of every picture; the next episode is read while one is coded."""
    there = source.of(data)
    refs = there.episodes
    kinds = KINDS if there.has_maps else KINDS[:1]
    found: dict[Kind, list[Tensor]] = {kind: [] for kind in kinds}
    with console.progress("latents", len(refs)) as bar:
        for episode in _ahead(there, refs, codec.config):
            for kind in kinds:
                views = [episode[view, kind].split(AT_ONCE) for view in range(len(codec.config.views))]
                found[kind] += [codec.encode(part, kind).half().cpu() for part in zip(*views, strict=True)]
            bar.step()
    starts = torch.tensor([0, *np.cumsum([ref.pictures for ref in refs])])
    rgb = torch.cat(found["rgb"])
    if there.has_maps:
        return Latents(rgb, torch.cat(found["map"]), starts)
    one = codec.encode([black(view, 1) for view in codec.config.views], "map").half().cpu()
    return Latents(rgb, one.repeat(len(rgb), 1, 1), starts)


def cached(folder: Path, codec: PictureCodec, data: Data) -> Latents:
    """Return the tokens of a dataset, read from `folder` where they are kept there, else coded and kept."""
    path = folder / f"{identity(codec, source.of(data))}.safetensors"
    if path.is_file():
        return Latents(**load_file(path))
    made = encode(codec, data)
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file({name: value for name, value in vars(made).items() if value is not None}, part)
    os.replace(part, path)
    for other in folder.glob("*.safetensors"):
        if other != path:
            other.unlink()  # of a codec or a dataset that is no more
    return made


def identity(codec: PictureCodec, data: Source) -> str:
    """Return a name that changes with any weight of the codec and any episode of the dataset."""
    sha = hashlib.sha256()
    for name, value in sorted(codec.state_dict().items()):
        sha.update(name.encode() + value.detach().cpu().numpy().tobytes())
    for ref in data.episodes:
        sha.update(ref.identity.encode())
    return sha.hexdigest()[:16]


def _ahead(data: Source, refs: Sequence[Ref], config: CodecConfig) -> Iterator[Pictures]:
    with ThreadPoolExecutor(1) as reader:
        waiting = [reader.submit(pictures, data, ref, config, range(ref.pictures)) for ref in refs[:1]]
        for ref in [*refs[1:], None]:
            ready = waiting.pop()
            if ref is not None:
                ready.result()  # one reader at a time: the files of a dataset are not made for more
                waiting.append(reader.submit(pictures, data, ref, config, range(ref.pictures)))
            yield ready.result()
