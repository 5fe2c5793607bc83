"""Tokens of a dataset in memory, coded without blocks and files: what `aim.data.latents` is compared with."""

from __future__ import annotations

import torch

from aim.config import DataConfig
from aim.data import latents, source
from aim.data.view_pictures import read_view_pictures
from aim.model.image_codec import STREAM_KINDS, PictureCodec


def encode_directly(codec: PictureCodec, data: source.Source, config: DataConfig | None = None) -> latents.Latents:
    """Return the tokens of a dataset, each episode of each version coded on its own, in memory."""
    plan = latents.plan_latents(codec, data, config or DataConfig())
    kept = {"map": latents.black_tokens(codec).half()[None].expand(plan.shape)}
    shown = [read_view_pictures(data, ref, codec.config, range(ref.pictures)) for ref in data.episodes]
    for kind in STREAM_KINDS if data.has_maps else STREAM_KINDS[:1]:
        versions = []
        for shifts in plan.shifts.tolist():
            views = [[each[view, kind] for view in range(len(codec.config.views))] for each in shown]
            versions.append([codec.encode(some, kind, by) for some, by in zip(views, shifts, strict=True)])
        kept[kind] = torch.stack([torch.cat(version).half() for version in versions])
    return latents.Latents(kept["rgb"], kept["map"], plan.starts, plan.shifts)
