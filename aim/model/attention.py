# ruff: noqa: F722
"""The one attention that all streams meet in, computed in three ways with equal results.

"segments": a segment's queries meet the concatenated keys of the segments that it sees; what it does not see is not
there. No mask, no wasted product: the fastest on a CPU. Only the copies of a segment (chunks of actions that share what
they see, but do not see each other) ask together, under a mask, which spares a copy of the shared keys for each.
"mask": all queries and all keys at once under a boolean mask, the plainest. "flex": the same by FlexAttention, which
skips blocks that the mask leaves empty: for GPUs.
b batch, n tokens, s keys, h heads, d head width.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from aim.config import Attention
from aim.model import intent
from aim.model.batch import KeyValue
from aim.model.intent import Pattern, Segment, Table, attends

Heads = Float[Tensor, "b n h d"]
Keys = Float[Tensor, "b s h d"]
Joined = Float[Tensor, "b n hd"]
SegmentQueries = Mapping[Segment, Float[Tensor, "b _ h d"]]
SegmentKeys = Mapping[Segment, KeyValue]
SegmentOutputs = dict[Segment, Float[Tensor, "b _ hd"]]

SEGMENT_ORDER = {kind: place for place, kind in enumerate(intent.STREAM_OF_SEGMENT)}


@dataclass(frozen=True)
class AttentionGroup:
    """Segments whose queries meet the same keys in one product."""

    queries: tuple[Segment, ...]
    keys: tuple[Segment, ...]  # in the order of time
    mask: Bool[Tensor, "1 1 n s"] | BlockMask | None  # None: every query hears every key


@dataclass(frozen=True)
class AttentionPlan:
    """Who hears whom in one pass, the same in every layer: made once."""

    groups: tuple[AttentionGroup, ...]

    @property
    def queries(self) -> tuple[Segment, ...]:
        """Every asking segment, in the order of the groups."""
        return tuple(segment for group in self.groups for segment in group.queries)


def plan_attention(
    way: Attention, who: Table, queries: Iterable[Segment], keys: Iterable[Segment], device: torch.device
) -> AttentionPlan:
    """Return how `queries` hear `keys` under a table, by time, then by the table's order, then by copy."""
    queries = tuple(queries)
    order = tuple(sorted(keys, key=lambda key: (key.block, SEGMENT_ORDER[key.kind], key.copy)))
    if way != "segments":
        return AttentionPlan((_plan_group(way, who, queries, order, device),) if queries else ())
    copies: dict[tuple[str, int], list[Segment]] = {}
    for query in queries:
        copies.setdefault((query.kind, query.block), []).append(query)
    groups = []
    for group in copies.values():
        heard = tuple(key for key in order if any(attends(who, query, key) for query in group))
        groups.append(_plan_group(way, who, tuple(group), heard, device))
    return AttentionPlan(tuple(groups))


def _plan_group(
    way: Attention, who: Table, queries: tuple[Segment, ...], keys: tuple[Segment, ...], device: torch.device
) -> AttentionGroup:
    """Return how segments hear keys in one product."""
    pattern = intent.build_pattern(who, queries, keys)
    if way == "segments" and all(entry == 1 for row in pattern for entry in row):
        return AttentionGroup(queries, keys, None)
    make_mask = _build_block_mask if way == "flex" else _build_mask
    return AttentionGroup(
        queries, keys, make_mask(pattern, tuple(s.length for s in queries), tuple(s.length for s in keys), device)
    )


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
    """Return what each asking segment of the plan hears."""
    heard: SegmentOutputs = {}
    for group in plan.groups:
        q = _concatenate([asked[query] for query in group.queries])
        joined = _attend_group(group, q, *_concatenate_keys(group.keys, memory))
        parts = joined.split([segment.length for segment in group.queries], 1)
        heard |= dict(zip(group.queries, parts, strict=True))
    return heard


def _attend_group(group: AttentionGroup, q: Heads, k: Keys, v: Keys) -> Joined:
    if not isinstance(group.mask, BlockMask):
        return attend(q, k, v, group.mask)
    # in its plain form on a CPU, forward only, and within a layer that is compiled as a whole
    flex = _compile_flex_attention() if q.is_cuda and not torch.compiler.is_compiling() else flex_attention
    joined = flex(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), block_mask=group.mask)
    assert isinstance(joined, Tensor)
    return joined.transpose(1, 2).flatten(2)


def _concatenate_keys(keys: Iterable[Segment], memory: SegmentKeys) -> KeyValue:
    k, v = zip(*(memory[key] for key in keys), strict=True)
    return _concatenate(k), _concatenate(v)


def _concatenate(parts: Sequence[Float[Tensor, "b _ h d"]]) -> Float[Tensor, "b _ h d"]:
    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts), 1)


@functools.lru_cache(maxsize=64)
def _build_mask(
    pattern: Pattern, queries: tuple[int, ...], keys: tuple[int, ...], device: torch.device
) -> Bool[Tensor, "1 1 n s"]:
    """Return the boolean mask for segments of these lengths under a pattern."""
    return intent.expand_pattern(pattern, queries, keys).to(device)[None, None]


@functools.lru_cache(maxsize=64)
def _build_block_mask(
    pattern: Pattern, queries: tuple[int, ...], keys: tuple[int, ...], device: torch.device
) -> BlockMask:
    """Return FlexAttention's mask for segments of these lengths under a pattern."""
    seen = _build_mask(pattern, queries, keys, device)[0, 0]
    return create_block_mask(lambda b, h, q, k: seen[q, k], None, None, *seen.shape, device=str(device))


@functools.cache
def _compile_flex_attention() -> Callable[..., Tensor]:
    return torch.compile(flex_attention, dynamic=False)
