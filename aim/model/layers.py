# ruff: noqa: F722
"""Mixture of transformers: every stream has its own weights in every layer and all meet in one attention.

A stream's layer is, weight for weight, a block of Wan's video transformer (diffusers' `WanTransformerBlock`): AdaLN by
flow time, attention with q and k normalised over all heads, cross-attention to text where the stream reads, and a
feed-forward net. So pretrained video weights can take the place of any stream of their size (`aim.model.wan`).

Hidden states live a segment apart, because the tokens of a segment share their flow time and what they see; the linear
maps take all segments of a stream at once. Running fewer segments against a cache is the same code as running all.
b batch, n tokens, w width, h heads, d head width.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from aim.config import Attention, ModelConfig
from aim.model import attention, intent
from aim.model.attention import AttentionPlan, Heads, attend
from aim.model.batch import KeyValue, KvCache
from aim.model.embed import TIMESTEP_FEATURES, get_stream_widths, sinusoidal_embedding
from aim.model.intent import ACTION, Segment
from aim.model.rope import RopeTable, apply_rope

Hidden = Float[Tensor, "b n w"]
Vectors = Float[Tensor, "#b 1 _ w"]  # some vectors for each row; one row where all have the same flow time
Vector = Float[Tensor, "#b 1 w"]
Modulation = Sequence[Vector]
SegmentStates = Mapping[Segment, Float[Tensor, "b _ _"]]  # hidden states, of any length and width
RopeTables = Mapping[str, Float[Tensor, "2 _ 1 d"]]  # of each stream's tokens, its segments one behind another

MODULATION_PARTS = 6  # shift, scale and gate of attention and of the feed-forward net
NORM_EPS = 1e-6
GELU_CUBIC = 0.044715


def modulate(z: Hidden, shift: Vector, scale: Vector) -> Hidden:
    """Return the normalised z, scaled and shifted by the flow time (AdaLN)."""
    return torch.addcmul(shift, F.layer_norm(z, z.shape[-1:], eps=NORM_EPS), 1 + scale)


def gelu(z: Hidden) -> Hidden:
    """Return GELU in its tanh form, z / 2 (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))).

    On a CPU that takes no gradients it is computed as z times a sigmoid, in half the time of torch's kernel.
    """
    if z.device.type != "cpu" or z.dtype != torch.float32 or torch.is_grad_enabled():
        return F.gelu(z, approximate="tanh")
    slope = 2.0 * math.sqrt(2.0 / math.pi)
    return z.square().mul_(GELU_CUBIC * slope).add_(slope).mul_(z).sigmoid_().mul_(z)


class TimestepEmbedding(nn.Module):
    """Flow time to the modulation that all layers of a stream share (each adds a table of its own)."""

    def __init__(self, width: int) -> None:
        """Make the net for a stream of `width`."""
        super().__init__()
        self.rise = nn.Linear(TIMESTEP_FEATURES, width)
        self.turn = nn.Linear(width, width)
        self.out = nn.Linear(width, MODULATION_PARTS * width)
        nn.init.zeros_(self.out.weight)  # every gate starts shut (AdaLN-zero): layers begin as the identity
        nn.init.zeros_(self.out.bias)

    def forward(self, s: Float[Tensor, " b"]) -> tuple[Vectors, Vectors]:
        """Return MODULATION_PARTS vectors for the layers, and one for the head."""
        last = self.turn(F.silu(self.rise(sinusoidal_embedding(s))))
        return self.out(F.silu(last)).unflatten(1, (1, MODULATION_PARTS, -1)), last[:, None, None]


class StreamLayer(nn.Module):
    """One stream's own weights in one layer."""

    def __init__(self, width: int, ffn: int, config: ModelConfig, reads: bool) -> None:
        """Make the weights; `reads` gives cross-attention to text."""
        super().__init__()
        self.heads, inner = config.heads, config.heads * config.head_dim
        self.qkv = nn.Linear(width, 3 * inner)
        self.out = nn.Linear(inner, width)
        self.gain = nn.Parameter(torch.ones(2, inner))
        self.up = nn.Linear(width, ffn)
        self.down = nn.Linear(ffn, width)
        self.table = nn.Parameter(torch.zeros(MODULATION_PARTS, width))
        if reads:
            self.read_norm = nn.LayerNorm(width, eps=NORM_EPS)
            self.read_q = nn.Linear(width, inner)
            self.read_kv = nn.Linear(config.width, 2 * inner)
            self.read_out = nn.Linear(inner, width)
            self.read_gain = nn.Parameter(torch.ones(2, inner))

    def project_qkv(self, z: Hidden, turn: RopeTable) -> tuple[Heads, Heads, Heads]:
        """Return queries, keys and values of modulated z, the first two normalised and turned."""
        q, k, v = self.qkv(z).chunk(3, -1)
        q, k = (
            apply_rope(self._normalize_heads(part, gain), turn) for part, gain in zip((q, k), self.gain, strict=True)
        )
        return q, k, self._split_heads(v)

    def feed_forward(self, z: Hidden) -> Hidden:
        """Return what the feed-forward net says to modulated z."""
        return self.down(gelu(self.up(z)))

    def project_text(self, text: Float[Tensor, "b l e"]) -> KeyValue:
        """Return keys and values of the text."""
        k, v = self.read_kv(text).chunk(2, -1)
        return self._normalize_heads(k, self.read_gain[1]), self._split_heads(v)

    def cross_attend(self, z: Hidden, text: KeyValue, seen: Tensor | None) -> Hidden:
        """Return what z hears from the text."""
        q = self._normalize_heads(self.read_q(self.read_norm(z)), self.read_gain[0])
        return self.read_out(attend(q, *text, seen))

    def _normalize_heads(self, z: Float[Tensor, "b n hd"], gain: Float[Tensor, " hd"]) -> Heads:
        return self._split_heads(
            F.rms_norm(z, z.shape[-1:], gain.to(z.dtype), NORM_EPS).to(z.dtype)
        )  # CUDA's autocast widens

    def _split_heads(self, z: Float[Tensor, "b n hd"]) -> Heads:
        return z.unflatten(-1, (self.heads, -1))


@dataclass(frozen=True)
class LayerInputs:
    """What all layers of one pass share."""

    streams: Mapping[str, tuple[Segment, ...]]  # whose segments run
    times: Mapping[Segment, Float[Tensor, "_ 1 m _"]]
    turns: RopeTables
    words: Float[Tensor, "b l e"] | None  # the text
    seen: Bool[Tensor, "b 1 1 l"] | None  # which words count
    plan: AttentionPlan  # who hears whom


SegmentKeyValues = dict[Segment, KeyValue]
TextKeyValues = dict[str, KeyValue]


class JointLayer(nn.ModuleDict):
    """One layer: an expert a stream."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the experts of a layer."""
        who = intent.build_table(config)
        reads, sizes = intent.list_text_streams(who, config), get_stream_widths(config)
        super().__init__(
            {name: StreamLayer(*sizes[name], config, name in reads) for name in intent.list_streams(config)}
        )
        self.who, self.reads = who, reads

    def forward(
        self, hidden: SegmentStates, step: LayerInputs, memory: Mapping[Segment, KeyValue],
        told: Mapping[str, KeyValue],
    ) -> tuple[dict[Segment, Tensor], SegmentKeyValues, TextKeyValues]:  # fmt: skip
        """Return hidden states after the layer (of the plan's segments), and keys and values of all and of text."""
        parts = {
            s: (step.times[s] + self._get_stream(name).table).unbind(-2)
            for name, ss in step.streams.items()
            for s in ss
        }
        asked, kept = {}, {}
        for name, group in step.streams.items():
            z = torch.cat([modulate(hidden[s], *parts[s][:2]) for s in group], 1)
            cut = [split_segments(part, group) for part in self._get_stream(name).project_qkv(z, step.turns[name])]
            for s, q, k, v in zip(group, *cut, strict=True):
                asked[s], kept[s] = q, (k, v)
        if step.words is not None:
            # the action expert's are not cached: what is cached depends on no weight of its own
            new = [name for name in self.reads if name not in told and (name != ACTION or name in step.streams)]
            told = {**told, **{name: self._get_stream(name).project_text(step.words) for name in new}}
        heard = attention.attend_segments(step.plan, asked, {**memory, **kept})
        result: dict[Segment, Tensor] = {}
        for name, group in step.streams.items():
            group = [s for s in group if s in heard]
            if group:
                result |= self._apply_outputs(name, group, hidden, heard, parts, step, told)
        return result, kept, dict(told)

    def _apply_outputs(
        self, name: str, group: Sequence[Segment], hidden: SegmentStates, heard: SegmentStates,
        parts: Mapping[Segment, Modulation], step: LayerInputs, told: Mapping[str, KeyValue],
    ) -> dict[Segment, Tensor]:  # fmt: skip
        """Return a stream's hidden states after what was heard and read, and after the feed-forward net."""
        expert = self._get_stream(name)
        said = split_segments(expert.out(torch.cat([heard[s] for s in group], 1)), group)
        z = {s: torch.addcmul(hidden[s], word, parts[s][2]) for s, word in zip(group, said, strict=True)}
        readers = [s for s in group if "text" in self.who[s.kind]]
        if readers:
            said = split_segments(
                expert.cross_attend(torch.cat([z[s] for s in readers], 1), told[name], step.seen), readers
            )
            z |= {s: z[s] + word for s, word in zip(readers, said, strict=True)}
        said = split_segments(expert.feed_forward(torch.cat([modulate(z[s], *parts[s][3:5]) for s in group], 1)), group)
        return {s: torch.addcmul(z[s], word, parts[s][5]) for s, word in zip(group, said, strict=True)}

    def _get_stream(self, stream: str) -> StreamLayer:
        return cast(StreamLayer, self[stream])


def split_segments(z: Tensor, group: Sequence[Segment]) -> Sequence[Tensor]:
    """Return the parts (b n ...) of z that belong to the segments, one behind another."""
    return z.split([s.length for s in group], 1)


class Transformer(nn.Module):
    """All layers of all streams.

    `attention_backend` is how attention is computed. With `checkpointing` a layer is recomputed in the backward pass
    instead of being kept.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Make the layers; the streams whose segments see text read it."""
        super().__init__()
        sizes = get_stream_widths(config)
        self.who = intent.build_table(config)
        self.attention_backend: Attention = "segments"
        self.times = nn.ModuleDict({name: TimestepEmbedding(sizes[name][0]) for name in intent.list_streams(config)})
        self.layers = nn.ModuleList(JointLayer(config) for _ in range(config.layers))
        self.checkpointing = False

    def forward(
        self, hidden: SegmentStates, streams: Mapping[str, tuple[Segment, ...]], times: Mapping[Segment, Tensor],
        turns: RopeTables, cache: KvCache, wanted: Collection[Segment],
    ) -> tuple[dict[Segment, Tensor], KvCache]:  # fmt: skip
        """Return the last hidden states of the `wanted` segments, and the cache with all given segments added."""
        device, keys = next(iter(hidden.values())).device, (*cache.segments, *hidden)
        every, few = (
            attention.plan_attention(self.attention_backend, self.who, some, keys, device) for some in (hidden, wanted)
        )
        step = LayerInputs(streams, times, turns, cache.text_tokens, cache.text_seen, every)
        kept: dict[Segment, tuple[KeyValue, ...]] = {segment: () for segment in hidden}
        told: dict[str, tuple[KeyValue, ...]] = {}
        for depth, layer in enumerate(self.layers):
            memory = {s: layers[depth] for s, layers in cache.segments.items()}
            known = {name: layers[depth] for name, layers in cache.text.items()}
            if depth + 1 == len(self.layers):  # after the last attention only predictions are of use
                step = replace(step, plan=few)
            again = self.checkpointing and torch.is_grad_enabled()
            given = (hidden, step, memory, known)
            hidden, new, read = checkpoint(layer, *given, use_reentrant=False) if again else layer(*given)
            kept = {s: (*layers, new[s]) for s, layers in kept.items()}
            told = {name: (*told.get(name, ()), pair) for name, pair in read.items() if name != ACTION}
        return dict(hidden), replace(cache, segments={**cache.segments, **kept}, text=told)
