"""Who sees whom. A variant is one table; the mask and the attention are functions of it.

The tokens come in segments. Clean: `past_obs` and `past_act`, `o` (the current observation and the proprioception),
`c` (the map that conditions the actions). Noisy: `x` future rgb, `m` future maps, `a` actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from aim.config import ModelConfig
from sim.types import UserError

Table = Mapping[str, frozenset[str]]

# whose weights the tokens of a segment use
STREAM: Mapping[str, str] = MappingProxyType(
    {"past_obs": "rgb", "o": "rgb", "x": "rgb", "m": "map", "c": "map", "past_act": "action", "a": "action"}
)


def table(**rows: str) -> Table:
    """Return a table from one row a segment: the names of what it sees. `text` is seen by cross-attention."""
    assert rows.keys() == STREAM.keys(), "a table has one row for each segment"
    return MappingProxyType({query: frozenset(keys.split()) for query, keys in rows.items()})


VARIANTS: Mapping[str, Table] = MappingProxyType(
    {
        # AIM's table (arXiv 2604.11135). `c` is to `a` what `m` is in the paper: it must not see x, or x would reach a.
        "paper": table(
            past_obs="past_obs past_act",
            past_act="past_obs past_act",
            o="past_obs past_act o",
            x="past_obs past_act o x text",
            m="past_obs o x m",
            c="past_obs o c",
            a="past_act o c a",
        ),
    }
)


@dataclass(frozen=True)
class Segment:
    """`length` tokens of one kind. `block` orders them in time: negative past, 0 now, 1 future."""

    kind: str
    block: int
    length: int


def variant(name: str) -> Table:
    """Return the table called `name`; `UserError` naming the valid ones."""
    if name not in VARIANTS:
        raise UserError(f"unknown variant {name!r}; valid are {', '.join(VARIANTS)}")
    return VARIANTS[name]


def segments(config: ModelConfig) -> tuple[Segment, ...]:
    """Return the training sequence: past frames and the actions between them in order of time, o, x, m, c, a."""
    frames, groups = config.past_frames, config.past_actions // config.actions_per_frame
    future = config.futures * config.tokens
    past = [Segment("past_obs", -2 * back, config.tokens) for back in range(1, frames + 1)]
    acts = config.actions_per_frame // config.action_patch
    past += [Segment("past_act", -2 * back + 1, acts) for back in range(1, groups + 1)]
    return (
        *sorted(past, key=lambda segment: segment.block),
        Segment("o", 0, config.tokens + 1),
        Segment("x", 1, future),
        Segment("m", 1, future),
        Segment("c", 1, future),
        Segment("a", 1, config.chunk // config.action_patch),
    )


def sees(who: Table, query: Segment, key: Segment) -> bool:
    """Return whether `query` attends to `key`: the table says so and the key is not later (block-causal)."""
    return key.kind in who[query.kind] and key.block <= query.block


def mask(who: Table, sequence: tuple[Segment, ...]) -> Tensor:
    """Return the boolean mask (s s), true where the row's token sees the column's.

    For `paper` with one frame of history (`#` sees, `.` does not); only x reads text, by cross-attention:

                  past_obs past_act  o   x   m   c   a
        past_obs     #        .      .   .   .   .   .
        past_act     #        #      .   .   .   .   .
        o            #        #      #   .   .   .   .
        x            #        #      #   #   .   .   .
        m            #        .      #   #   #   .   .
        c            #        .      #   .   .   #   .
        a            .        #      #   .   .   #   #
    """
    rows = [torch.cat([torch.full((key.length,), sees(who, query, key)) for key in sequence]) for query in sequence]
    return torch.cat([row.expand(query.length, -1) for query, row in zip(sequence, rows, strict=True)])
