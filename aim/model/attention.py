# ruff: noqa: F722
"""The one attention that all streams meet in, computed in three ways with equal results.

"segments": a segment's queries meet the concatenated keys of the segments that it sees; what it does not see is not
there. No mask, no wasted product: the fastest on a CPU. "mask": all queries and all keys at once under a boolean mask,
the plainest. "flex": the same by FlexAttention, which skips blocks that the mask leaves empty: for GPUs.
b batch, n tokens, s keys, h heads, d head width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from aim.model import intent
from aim.model.batch import KeyValue
from aim.model.intent import Segment, Table, sees

Heads = Float[Tensor, "b n h d"]
Keys = Float[Tensor, "b s h d"]
Joined = Float[Tensor, "b n hd"]
Asked = Mapping[Segment, Float[Tensor, "b _ h d"]]
Parts = Float[Tensor, "b _ hd"]
Memory = Mapping[Segment, KeyValue]
Way = Callable[[Table, Asked, Memory], dict[Segment, Parts]]

ORDER = {kind: place for place, kind in enumerate(intent.STREAM)}


def attend(q: Heads, k: Keys, v: Keys, seen: Bool[Tensor, "#b 1 #n s"] | None = None) -> Joined:
    """Return softmax(q k / sqrt(d)) v with the heads joined; keys where `seen` is false are left out."""
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        # the fused kernel's backward in bfloat16 on a CPU takes four times as long as these products
        score = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        joined = (score if seen is None else score.masked_fill(~seen, -torch.inf)).softmax(-1) @ v
    else:
        joined = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    return joined.transpose(1, 2).flatten(2)


def by_segments(who: Table, asked: Asked, memory: Memory) -> dict[Segment, Parts]:
    """Return what each segment hears, one after another."""
    heard = {}
    for query, q in asked.items():
        keys, values = zip(*(memory[key] for key in _ordered(memory) if sees(who, query, key)), strict=True)
        heard[query] = attend(q, torch.cat(keys, 1), torch.cat(values, 1))
    return heard


def by_mask(who: Table, asked: Asked, memory: Memory) -> dict[Segment, Parts]:
    """Return what each segment hears, all at once under a boolean mask."""
    q, k, v, order = _laid_out(asked, memory)
    return _parted(asked, attend(q, k, v, intent.mask(who, asked, order).to(q.device)[None, None]))


def by_blocks(who: Table, asked: Asked, memory: Memory) -> dict[Segment, Parts]:
    """Return what each segment hears, all at once by FlexAttention; forward only on a CPU."""
    q, k, v, order = _laid_out(asked, memory)
    pattern = tuple(tuple(sees(who, query, key) for key in order) for query in asked)
    lengths = tuple(s.length for s in asked), tuple(s.length for s in order)
    blocks = _block_mask(pattern, *lengths, q.device)
    flex = _compiled() if q.is_cuda else flex_attention
    joined = flex(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), block_mask=blocks)
    assert isinstance(joined, Tensor)
    return _parted(asked, joined.transpose(1, 2).flatten(2))


WAYS: Mapping[str, Way] = MappingProxyType({"segments": by_segments, "mask": by_mask, "flex": by_blocks})


def _ordered(memory: Memory) -> list[Segment]:
    """Return the segments in the order of time, then of the table, then of their copies."""
    return sorted(memory, key=lambda key: (key.block, ORDER[key.kind], key.copy))


def _laid_out(asked: Asked, memory: Memory) -> tuple[Heads, Keys, Keys, list[Segment]]:
    """Return all queries, keys and values as one sequence each, and the order of the keys."""
    order = _ordered(memory)
    keys, values = zip(*(memory[key] for key in order), strict=True)
    return torch.cat(list(asked.values()), 1), torch.cat(keys, 1), torch.cat(values, 1), order


def _parted(asked: Asked, joined: Joined) -> dict[Segment, Parts]:
    return dict(zip(asked, joined.split([segment.length for segment in asked], 1), strict=True))


@functools.lru_cache(maxsize=64)
def _block_mask(
    pattern: tuple[tuple[bool, ...], ...], queries: tuple[int, ...], keys: tuple[int, ...], device: torch.device
) -> BlockMask:
    """Return FlexAttention's mask for segments of these lengths of which `pattern` says who sees whom."""
    seen = torch.tensor(pattern, device=device)
    of_query = torch.repeat_interleave(torch.tensor(queries)).to(device)
    of_key = torch.repeat_interleave(torch.tensor(keys)).to(device)

    return create_block_mask(
        lambda b, h, q, k: seen[of_query[q], of_key[k]], None, None, len(of_query), len(of_key), device=str(device)
    )


@functools.cache
def _compiled() -> Callable[..., Tensor]:
    return torch.compile(flex_attention, dynamic=False)
