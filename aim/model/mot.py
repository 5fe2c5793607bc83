# ruff: noqa: F722
"""Mixture of transformers: every stream has its own weights in every layer and all meet in one attention.

Hidden states live a segment apart, because the tokens of a segment have the same weights, the same flow time and see
the same others. So attention needs no mask: a segment's queries meet the concatenated keys of the segments that it
sees, and what it does not see is not there. Running fewer segments against a cache is the same code as running all.
b batch, n tokens, w width, h heads, d head width.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aim.config import ModelConfig
from aim.model.batch import Cache, KeyValue
from aim.model.embed import FREQUENCIES, fourier, widths
from aim.model.intent import STREAM, Segment, Table, sees
from aim.model.rope import Turn, rotate

Hidden = Float[Tensor, "b n w"]
Heads = Float[Tensor, "b n h d"]
Keys = Float[Tensor, "b s h d"]
Vectors = Float[Tensor, "#b 1 m w"]  # m vectors for each row; one row where all have the same flow time
Vector = Float[Tensor, "#b 1 w"]
Modulation = tuple[Vector, ...]  # the same, one by one
Many = Mapping[Segment, Float[Tensor, "..."]]  # one tensor for each segment

ORDER = list(STREAM)
PARTS = 6  # shift, scale and gate of attention and of the feed-forward net


def attend(q: Heads, k: Keys, v: Keys, seen: Bool[Tensor, "b 1 1 s"] | None = None) -> Float[Tensor, "b n hd"]:
    """Return softmax(q k / sqrt(d)) v with the heads joined; keys where `seen` is false are left out."""
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        # the fused kernel's backward in bfloat16 on a CPU takes four times as long as these products
        score = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        joined = (score if seen is None else score.masked_fill(~seen, -torch.inf)).softmax(-1) @ v
    else:
        joined = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    return joined.transpose(1, 2).flatten(2)


def gather(who: Table, query: Segment, memory: Mapping[Segment, KeyValue]) -> KeyValue:
    """Return the keys and values that `query` sees, in the order of time and then of the table."""
    seen = (key for key in memory if sees(who, query, key))
    order = sorted(seen, key=lambda key: (key.block, ORDER.index(key.kind)))
    keys, values = zip(*(memory[key] for key in order), strict=True)
    return torch.cat(keys, 1), torch.cat(values, 1)


def modulate(z: Hidden, shift: Vector, scale: Vector) -> Hidden:
    """Return the normalised z, scaled and shifted by the flow time (AdaLN)."""
    return torch.addcmul(shift, F.layer_norm(z, z.shape[-1:]), 1 + scale)


class Time(nn.Module):
    """Flow time to the modulation that all layers of a stream share (each adds a table of its own)."""

    def __init__(self, width: int) -> None:
        """Make the net for a stream of `width`."""
        super().__init__()
        self.rise = nn.Linear(2 * FREQUENCIES, width)
        self.out = nn.Linear(width, (PARTS + 2) * width)
        nn.init.zeros_(self.out.weight)  # every gate starts shut (AdaLN-zero): layers begin as the identity
        nn.init.zeros_(self.out.bias)

    def forward(self, s: Float[Tensor, " b"]) -> Vectors:
        """Return PARTS vectors for the layers and two for the head."""
        return self.out(F.silu(self.rise(fourier(s)))).unflatten(1, (1, PARTS + 2, -1))


class Expert(nn.Module):
    """One stream's own weights in one layer."""

    def __init__(self, width: int, config: ModelConfig, reads: bool) -> None:
        """Make the weights; `reads` gives cross-attention to text."""
        super().__init__()
        self.heads, inner = config.heads, config.heads * config.head_dim
        self.qkv = nn.Linear(width, 3 * inner)
        self.out = nn.Linear(inner, width)
        self.gain = nn.Parameter(torch.ones(2, config.head_dim))
        self.up = nn.Linear(width, config.ffn_ratio * width)
        self.down = nn.Linear(config.ffn_ratio * width, width)
        self.table = nn.Parameter(torch.zeros(PARTS, width))
        if reads:
            self.read_q = nn.Linear(width, inner)
            self.read_kv = nn.Linear(config.width, 2 * inner)
            self.read_out = nn.Linear(inner, width)
            self.read_gain = nn.Parameter(torch.ones(2, config.head_dim))

    def ask(self, z: Hidden, modulation: Modulation, turn: Turn) -> tuple[Heads, Heads, Heads]:
        """Return queries, keys and values, the first two normalised and turned."""
        q, k, v = self.qkv(modulate(z, *modulation[:2])).unflatten(2, (3, self.heads, -1)).unbind(2)
        q, k = (rotate(_unit(part), turn, gain) for part, gain in zip((q, k), self.gain, strict=True))
        return q, k, v

    def answer(self, z: Hidden, heard: Float[Tensor, "b n hd"], modulation: Modulation) -> Hidden:
        """Return z after what was heard in attention."""
        return torch.addcmul(z, self.out(heard), modulation[2])

    def think(self, z: Hidden, modulation: Modulation) -> Hidden:
        """Return z after the feed-forward net."""
        shift, scale, gate = modulation[3:]
        return torch.addcmul(z, self.down(F.gelu(self.up(modulate(z, shift, scale)))), gate)

    def words(self, text: Float[Tensor, "b l e"]) -> KeyValue:
        """Return keys and values of the text."""
        k, v = self.read_kv(text).unflatten(2, (2, self.heads, -1)).unbind(2)
        return _unit(k) * self.read_gain[1].to(k.dtype), v

    def read(self, z: Hidden, text: KeyValue, seen: Tensor | None) -> Hidden:
        """Return z after cross-attention to the text."""
        q = self.read_q(F.layer_norm(z, z.shape[-1:])).unflatten(2, (self.heads, -1))
        return z + self.read_out(attend(_unit(q) * self.read_gain[0].to(q.dtype), *text, seen))


class Trunk(nn.Module):
    """All layers of all streams."""

    def __init__(self, config: ModelConfig, who: Table) -> None:
        """Make the layers; the streams whose segments see text in `who` read it."""
        super().__init__()
        self.who = who
        self.readers = sorted({STREAM[kind] for kind, row in who.items() if "text" in row})
        sizes = widths(config)
        self.times = nn.ModuleDict({name: Time(width) for name, width in sizes.items()})
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: Expert(width, config, name in self.readers) for name, width in sizes.items()})
            for _ in range(config.layers)
        )

    def words(self, text: Float[Tensor, "b l e"]) -> dict[str, tuple[KeyValue, ...]]:
        """Return the text's keys and values for every layer of each stream that reads."""
        depths = range(len(self.layers))
        return {name: tuple(self._expert(depth, name).words(text) for depth in depths) for name in self.readers}

    def forward(
        self,
        hidden: Many,  # b n w
        times: Many,  # b 1 PARTS w
        turns: Many,  # 2 n 1 d
        cache: Cache,
        wanted: Collection[Segment],
    ) -> tuple[dict[Segment, Hidden], dict[Segment, tuple[KeyValue, ...]]]:
        """Return the last hidden states of the `wanted` segments, and keys and values of all given ones by layer."""
        hidden = dict(hidden)
        kept: dict[Segment, tuple[KeyValue, ...]] = {segment: () for segment in hidden}
        for depth in range(len(self.layers)):
            experts = {s: self._expert(depth, STREAM[s.kind]) for s in hidden}
            modulation = {s: (times[s] + expert.table).unbind(-2) for s, expert in experts.items()}
            asked = {s: experts[s].ask(z, modulation[s], turns[s]) for s, z in hidden.items()}
            for segment, (_, k, v) in asked.items():
                kept[segment] += ((k, v),)
            memory = {s: layers[depth] for s, layers in {**cache.segments, **kept}.items()}
            if depth + 1 == len(self.layers):  # after the last attention only predictions are of use
                hidden = {s: z for s, z in hidden.items() if s in wanted}
            for s, z in hidden.items():
                z = experts[s].answer(z, attend(asked[s][0], *gather(self.who, s, memory)), modulation[s])
                if "text" in self.who[s.kind]:
                    z = experts[s].read(z, cache.text[STREAM[s.kind]][depth], cache.text_seen)
                hidden[s] = experts[s].think(z, modulation[s])
        return hidden, kept

    def _expert(self, depth: int, stream: str) -> Expert:
        return cast(Expert, cast(nn.ModuleDict, self.layers[depth])[stream])


def _unit(z: Heads) -> Heads:
    return F.rms_norm(z, z.shape[-1:], eps=1e-6)
