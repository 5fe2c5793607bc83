"""Pictures and value maps of a dataset at the sizes of a codec's views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from aim.config import CodecConfig, View
from aim.data.source import R, Ref, Shown, Source
from aim.data.synthetic_maps import draw_maps
from aim.model.image_codec import STREAM_KINDS, Kind, resize_pictures

ViewPictures = Mapping[tuple[int, Kind], Tensor]  # (view, kind) -> uint8 (r h w 3)

PICTURES_AT_ONCE = 8  # held at full size: an episode of a camera would be gigabytes, and few stay in the CPU's cache


def read_view_pictures(data: Shown[R], ref: R, config: CodecConfig, frames: Sequence[int]) -> ViewPictures:
    """Pictures and maps of an episode at the sizes of the codec's views; maps are black where it has none."""
    parts = [frames[i : i + PICTURES_AT_ONCE] for i in range(0, len(frames), PICTURES_AT_ONCE)]
    return {
        (index, kind): torch.cat([_read_resized(data, ref, view, kind, part) for part in parts])
        for index, view in enumerate(config.views)
        for kind in STREAM_KINDS
    }


def _read_resized(data: Shown[R], ref: R, view: View, kind: Kind, frames: Sequence[int]) -> Tensor:
    found = (data.pictures if kind == "rgb" else data.maps)(ref, view.name, frames)
    return make_black_maps(view, len(frames)) if found is None else resize_pictures(torch.from_numpy(found), view)


def make_black_maps(view: View, count: int) -> Tensor:
    """Maps (count h w 3) of a view on which nothing is wanted."""
    return torch.zeros(count, view.height, view.width, 3, dtype=torch.uint8)


def sample_view_pictures(data: Source, refs: Sequence[Ref], config: CodecConfig, count: int, seed: int) -> ViewPictures:
    """Pictures of about `count` instants, spread evenly over the episodes `refs`, at random times.

    They are for teaching a codec: where a dataset has no maps, `aim.data.synthetic_maps` stand in their place.
    """
    draw = np.random.default_rng([seed, 11])
    share = -(-count // len(refs))
    if share == 1:
        refs = [refs[i] for i in sorted(draw.choice(len(refs), count, replace=False))]
    parts = []
    for ref in refs:
        frames = np.sort(draw.choice(ref.pictures, min(share, ref.pictures), replace=False))
        parts.append(read_view_pictures(data, ref, config, frames.tolist()))
    found = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
    return found if data.has_maps else {**found, **_draw_view_maps(config, len(found[0, "rgb"]), seed)}


def _draw_view_maps(config: CodecConfig, count: int, seed: int) -> ViewPictures:
    draw = np.random.default_rng([seed, 13])
    views = enumerate(config.views)
    return {(i, "map"): torch.from_numpy(draw_maps(count, view.height, view.width, draw)) for i, view in views}
