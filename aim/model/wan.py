# ruff: noqa: F722
"""Wan's video transformer as our rgb stream: one table that says where every tensor comes from.

A stream's layer is a block of Wan's weight for weight, but laid out otherwise. Ours joins q, k and v; it turns channel
i of a head with i + d/2, where Wan turns 2 i with 2 i + 1 (so rows of q and k change places inside each head); and it
writes a token as (z, y, x) on both sides, where Wan writes its output as (y, x, z). Every conversion has its inverse.

What Wan has no tensor for starts as `list_initializations` says. Names are those of
`WorldActionModel.state_dict` and of diffusers' `WanTransformer3DModel.state_dict`. w width, i = heads x head width,
c channels of a token, z latent channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from aim.config import TOKEN_PATCH, ModelConfig
from aim.model import intent
from aim.model.embed import TIMESTEP_FEATURES
from aim.model.layers import MODULATION_PARTS, NORM_EPS

ROPE_BASE = 10_000.0
Parts = Sequence[Tensor]  # tensors of Wan that one of ours is made of
Kind = Literal["copy", "narrow", "thin", "silence", "zero", "fresh"]


@dataclass(frozen=True)
class Conversion:
    """A conversion and its inverse, given the number of heads."""

    ours: Callable[[Parts, int], Tensor]
    wan: Callable[[Tensor, int], Parts]


@dataclass(frozen=True)
class WeightSource:
    """One tensor of ours: the tensors of Wan that it is made of, and the name of the conversion."""

    wan: tuple[str, ...]
    way: str


@dataclass(frozen=True)
class Initialization:
    """How a tensor of ours begins that is not Wan's.

    copy: of `of`. narrow: a weight interpolated from `of`, scaled so that the size of what it answers is kept. thin: a
    bias or a table interpolated from `of`. silence: what Wan reads where there is no text. fresh: as the model makes
    it. `groups` parts of equally many rows are interpolated each for itself.
    """

    kind: Kind
    of: str = ""
    groups: int = 1


def interleaved_to_halves(z: Float[Tensor, "i ..."], heads: int) -> Float[Tensor, "i ..."]:
    """Return rows with each head's even channels before its odd ones: from Wan's rotary pairs to ours."""
    return z.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def halves_to_interleaved(z: Float[Tensor, "i ..."], heads: int) -> Float[Tensor, "i ..."]:
    """Return rows with each head's channels i and i + d/2 side by side: the inverse of `interleaved_to_halves`."""
    return z.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def _fuse_qkv(parts: Parts, heads: int) -> Tensor:
    q, k, v = parts
    return torch.cat([interleaved_to_halves(q, heads), interleaved_to_halves(k, heads), v])


def _split_qkv(z: Tensor, heads: int) -> Parts:
    q, k, v = z.chunk(3)
    return halves_to_interleaved(q, heads), halves_to_interleaved(k, heads), v


def _channels_first(rows: Float[Tensor, "c ..."], heads: int) -> Float[Tensor, "c ..."]:
    """Return rows of (y, x, z) in the order (z, y, x)."""
    return rows.unflatten(0, (TOKEN_PATCH * TOKEN_PATCH, -1)).transpose(0, 1).flatten(0, 1)


def _channels_last(rows: Float[Tensor, "c ..."], heads: int) -> Float[Tensor, "c ..."]:
    return rows.unflatten(0, (-1, TOKEN_PATCH * TOKEN_PATCH)).transpose(0, 1).flatten(0, 1)


CONVERSIONS: Mapping[str, Conversion] = MappingProxyType(
    {
        "same": Conversion(lambda parts, heads: parts[0], lambda z, heads: (z,)),
        "fused": Conversion(_fuse_qkv, _split_qkv),
        "joined": Conversion(lambda parts, heads: torch.cat(list(parts)), lambda z, heads: z.chunk(2)),
        "gains": Conversion(
            lambda parts, heads: torch.stack([interleaved_to_halves(part, heads) for part in parts]),
            lambda z, heads: [halves_to_interleaved(part, heads) for part in z.unbind()],
        ),
        "stacked": Conversion(lambda parts, heads: torch.stack(list(parts)), lambda z, heads: z.unbind()),
        "bare": Conversion(lambda parts, heads: parts[0][0], lambda z, heads: (z[None],)),
        "patch": Conversion(
            lambda parts, heads: parts[0].flatten(1),
            lambda z, heads: (z.unflatten(1, (-1, 1, TOKEN_PATCH, TOKEN_PATCH)),),
        ),
        "unpatch": Conversion(
            lambda parts, heads: _channels_first(parts[0], heads), lambda z, heads: (_channels_last(z, heads),)
        ),
    }
)

# of one block: ours, Wan's, the conversion; weight and bias alike
LINEAR_LAYERS = (
    ("qkv", ("attn1.to_q", "attn1.to_k", "attn1.to_v"), "fused"),
    ("out", ("attn1.to_out.0",), "same"),
    ("read_norm", ("norm2",), "same"),
    ("read_q", ("attn2.to_q",), "same"),
    ("read_kv", ("attn2.to_k", "attn2.to_v"), "joined"),
    ("read_out", ("attn2.to_out.0",), "same"),
    ("up", ("ffn.net.0.proj",), "same"),
    ("down", ("ffn.net.2",), "same"),
)
BLOCK_TENSORS = (
    ("gain", ("attn1.norm_q.weight", "attn1.norm_k.weight"), "gains"),
    ("read_gain", ("attn2.norm_q.weight", "attn2.norm_k.weight"), "stacked"),
    ("table", ("scale_shift_table",), "bare"),
)
OUTER_LAYERS = (
    ("embed.rgb", ("patch_embedding",), "patch"),
    ("embed.text.0", ("condition_embedder.text_embedder.linear_1",), "same"),
    ("embed.text.2", ("condition_embedder.text_embedder.linear_2",), "same"),
    ("trunk.times.rgb.rise", ("condition_embedder.time_embedder.linear_1",), "same"),
    ("trunk.times.rgb.turn", ("condition_embedder.time_embedder.linear_2",), "same"),
    ("trunk.times.rgb.out", ("condition_embedder.time_proj",), "same"),
    ("heads.x.out", ("proj_out",), "unpatch"),
)


def expected_transformer_config(config: ModelConfig) -> dict[str, object]:
    """Return what the configuration of a `WanTransformer3DModel` must say for its weights to fit the model."""
    channels = config.token_channels // TOKEN_PATCH**2
    return {
        "patch_size": (1, TOKEN_PATCH, TOKEN_PATCH), "num_layers": config.layers, "num_attention_heads": config.heads,
        "attention_head_dim": config.head_dim, "ffn_dim": config.ffn_dim, "in_channels": channels,
        "out_channels": channels, "text_dim": config.text_width, "freq_dim": TIMESTEP_FEATURES, "eps": NORM_EPS,
        "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "image_dim": None, "added_kv_proj_dim": None,
        "pos_embed_seq_len": None,
    }  # fmt: skip


def list_weight_sources(config: ModelConfig) -> dict[str, WeightSource]:
    """Return where every tensor of the rgb stream comes from: each tensor of Wan is in one row, once."""
    rows = {"heads.x.table": WeightSource(("scale_shift_table",), "bare")}
    blocks = [(f"trunk.layers.{i}.rgb.", f"blocks.{i}.") for i in range(config.layers)]
    for here, there, linear, plain in [
        ("", "", OUTER_LAYERS, ()),
        *((h, t, LINEAR_LAYERS, BLOCK_TENSORS) for h, t in blocks),
    ]:
        for ours, names, way in linear:
            for end, how in (("weight", way), ("bias", "same" if way == "patch" else way)):
                rows[f"{here}{ours}.{end}"] = WeightSource(tuple(f"{there}{name}.{end}" for name in names), how)
        rows |= {here + ours: WeightSource(tuple(there + name for name in names), way) for ours, names, way in plain}
    return rows


def list_initializations(config: ModelConfig, names: Sequence[str]) -> dict[str, Initialization]:
    """Return how those of our tensors `names` begin that are not in `list_weight_sources`."""
    known = list_weight_sources(config)
    return {name: _choose_initialization(name, config) for name in names if name not in known}


def _choose_initialization(name: str, config: ModelConfig) -> Initialization:
    parts = name.split(".")
    if name == "embed.no_text":
        return Initialization("silence")
    if parts[:2] == ["embed", "place"]:
        return Initialization("fresh" if intent.stream_of_segment(parts[2], config) == "action" else "zero")
    if parts[:2] in (["embed", "map"], ["heads", "m"]):
        return Initialization("copy", name.replace("embed.map", "embed.rgb").replace("heads.m", "heads.x"))
    if parts[0] == "trunk":
        stream = "map" if "map" in parts else "action"
        of = name.replace(f".{stream}.", ".rgb.")
        return Initialization("copy", of) if stream == "map" else _interpolate_from(parts, of)
    return Initialization("fresh")


def _interpolate_from(parts: Sequence[str], of: str) -> Initialization:
    """Return how a tensor of the action expert begins."""
    weight = parts[-1] == "weight" and parts[-2] != "read_norm"
    modulation = parts[1] == "times" and parts[-2] == "out"
    return Initialization("narrow" if weight else "thin", of, MODULATION_PARTS if modulation else 1)


def convert_to_ours(row: WeightSource, parts: Parts, config: ModelConfig) -> Tensor:
    """Return our tensor, given those of Wan in the order of the row."""
    return CONVERSIONS[row.way].ours(parts, config.heads).contiguous()


def convert_to_wan(row: WeightSource, z: Tensor, config: ModelConfig) -> dict[str, Tensor]:
    """Return Wan's tensors by name, given ours: the inverse of `convert_to_ours`."""
    parts = CONVERSIONS[row.way].wan(z, config.heads)
    return {name: part.contiguous() for name, part in zip(row.wan, parts, strict=True)}


def initial_value(start: Initialization, shape: torch.Size, ours: Mapping[str, Tensor]) -> Tensor:
    """Return a tensor of this shape that is not Wan's, given those that are; not for "fresh" ones."""
    if start.kind == "copy":
        return ours[start.of].clone()
    if start.kind == "zero":
        like = ours["heads.x.table"]
        return torch.zeros(shape, device=like.device)
    if start.kind == "silence":
        return _null_text(ours)
    assert start.kind in ("narrow", "thin"), start
    made = interpolate_tensor(ours[start.of], shape, start.groups)
    return made * _gain_correction(ours[start.of], made) if start.kind == "narrow" else made


def interpolate_tensor(z: Tensor, shape: torch.Size, groups: int = 1) -> Tensor:
    """Return a vector or matrix, linearly interpolated along each dimension of another size, in single precision."""
    if groups > 1:
        each = torch.Size([shape[0] // groups, *shape[1:]])
        return torch.cat([interpolate_tensor(part, each) for part in z.chunk(groups)])
    if z.shape == shape:
        return z.float().clone()
    return F.interpolate(z.float()[None, None], tuple(shape), mode="linear" if z.ndim == 1 else "bilinear")[0, 0]


def _gain_correction(wide: Float[Tensor, "_ _"], narrow: Float[Tensor, "_ _"]) -> Tensor:
    """Return the factor that makes a narrow map answer white input as loudly as the wide one.

    It is sqrt(d_wide / d_narrow) of the inputs (LingBot-VA), and whatever averaging neighbours has cost.
    """
    fans = math.sqrt(wide.shape[1] / narrow.shape[1])
    return fans * wide.float().square().mean().sqrt() / narrow.square().mean().sqrt().clamp(min=1e-12)


def _null_text(ours: Mapping[str, Tensor]) -> Float[Tensor, " w"]:
    """Return what a text token of zeros becomes: where there is no text, Wan reads nothing else."""
    hidden = F.gelu(ours["embed.text.0.bias"].float(), approximate="tanh")
    return ours["embed.text.2.weight"].float() @ hidden + ours["embed.text.2.bias"].float()
