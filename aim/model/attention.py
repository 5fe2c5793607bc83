# ruff: noqa: F722
"""The one attention that all streams meet in, computed in three ways with equal results.

"segments": a segment's queries meet the concatenated keys of the segments that it sees; what it does not see is not
there. No mask, no wasted product: the fastest on a CPU. "mask": all queries and all keys at once under a boolean mask,
the plainest. "flex": the same by FlexAttention, which skips blocks that the mask leaves empty: for GPUs.
b batch, n tokens, s keys, h heads, d head width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from aim.config import Attention
from aim.model import intent
from aim.model.batch import KeyValue
from aim.model.intent import Segment, Table, attends

Heads = Float[Tensor, "b n h d"]
Keys = Float[Tensor, "b s h d"]
Joined = Float[Tensor, "b n hd"]
SegmentQueries = Mapping[Segment, Float[Tensor, "b _ h d"]]
SegmentKeys = Mapping[Segment, KeyValue]
SegmentOutputs = dict[Segment, Float[Tensor, "b _ hd"]]

SEGMENT_ORDER = {kind: place for place, kind in enumerate(intent.STREAM_OF_SEGMENT)}


@dataclass(frozen=True)
class AttentionPlan:
    """Who hears whom in one pass, the same in every layer: made once."""

    backend: Attention
    visible: Mapping[Segment, tuple[Segment, ...]]  # what each asking segment sees, in the order of time
    keys: tuple[Segment, ...]  # all that there is, in the order of time
    mask: Bool[Tensor, "1 1 n s"] | BlockMask | None


def plan_attention(
    way: Attention, who: Table, queries: Iterable[Segment], keys: Iterable[Segment], device: torch.device
) -> AttentionPlan:
    """Return how `queries` hear `keys` under a table, by time, then by the table's order, then by copy."""
    queries = tuple(queries)
    order = tuple(sorted(keys, key=lambda key: (key.block, SEGMENT_ORDER[key.kind], key.copy)))
    heard = {query: tuple(key for key in order if attends(who, query, key)) for query in queries}
    if way == "segments" or not queries:
        return AttentionPlan(way, heard, order, None)
    if way == "mask":
        return AttentionPlan(way, heard, order, intent.build_mask(who, queries, order).to(device)[None, None])
    pattern = tuple(tuple(key in heard[query] for key in order) for query in queries)
    lengths = tuple(s.length for s in queries), tuple(s.length for s in order)
    return AttentionPlan(way, heard, order, _build_block_mask(pattern, *lengths, device))


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


def attend_segments(plan: AttentionPlan, asked: SegmentQueries, memory: SegmentKeys) -> SegmentOutputs:
    """Return what each asking segment hears; those of `asked` are those of the plan, in its order."""
    if plan.backend == "segments" or not asked:
        return {query: attend(q, *_concatenate_keys(plan.visible[query], memory)) for query, q in asked.items()}
    q, (k, v) = torch.cat(list(asked.values()), 1), _concatenate_keys(plan.keys, memory)
    if isinstance(plan.mask, BlockMask):
        # in its plain form on a CPU, forward only, and within a layer that is compiled as a whole
        flex = _compile_flex_attention() if q.is_cuda and not torch.compiler.is_compiling() else flex_attention
        joined = flex(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), block_mask=plan.mask)
        assert isinstance(joined, Tensor)
        joined = joined.transpose(1, 2).flatten(2)
    else:
        joined = attend(q, k, v, plan.mask)
    return dict(zip(asked, joined.split([segment.length for segment in asked], 1), strict=True))


def _concatenate_keys(keys: Iterable[Segment], memory: SegmentKeys) -> KeyValue:
    k, v = zip(*(memory[key] for key in keys), strict=True)
    return torch.cat(k, 1), torch.cat(v, 1)


@functools.lru_cache(maxsize=64)
def _build_block_mask(
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
def _compile_flex_attention() -> Callable[..., Tensor]:
    return torch.compile(flex_attention, dynamic=False)
