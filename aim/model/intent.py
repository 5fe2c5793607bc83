"""Who sees whom. A variant is one table; the mask and the attention are functions of it.

The tokens come in segments. Clean: `past_obs` and `past_act`, `o` (the current observation and the proprioception),
and what conditions the actions: `c`, a copy of the maps, or `y`, a copy of the future rgb;
`f`, a crop of the present around the peak of the map, is seen by the actions alone. Noisy: `x` future rgb, `m` future
maps, `a` actions. A table has rows for the segments that its variant uses, and no others exist.
`text` is seen by cross-attention.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

import torch
from torch import Tensor

from aim.config import ModelConfig
from sim.types import UserError

Table = Mapping[str, frozenset[str]]
# of each query and key segment: 0 where it is not seen, 1 where it is, p where each of p parts sees its own part
Pattern = tuple[tuple[int, ...], ...]

# Whose weights the tokens of a segment use; pretrained models let the map use those of rgb. Only the noisy actions use
# the action expert's: so pictures, maps and every cached key and value stay as they are when it is trained alone.
STREAM_OF_SEGMENT: Mapping[str, str] = MappingProxyType(
    {
        "past_obs": "rgb",
        "o": "rgb",
        "x": "rgb",
        "y": "rgb",
        "m": "map",
        "c": "map",
        "f": "rgb",
        "past_act": "rgb",
        "a": "action",
    }
)
ACTION = "action"  # the stream of the action expert
COPY_OF: Mapping[str, str] = MappingProxyType({"c": "m", "y": "x"})  # the clean copies that actions may be given


def parse_mask(picture: str) -> Table:
    """Return the table that a picture shows: a row for each segment, `#` under what it sees, `.` under what not."""
    lines = [line.split() for line in picture.splitlines() if line.strip()]
    columns, rows = lines[0], lines[1:]
    assert [row[0] for row in rows] == [name for name in columns if name != "text"], "rows and columns differ"
    assert {*columns} <= {*STREAM_OF_SEGMENT, "text"}, "a column that is no segment"
    assert all(len(row) == 1 + len(columns) and {*row[1:]} <= {"#", "."} for row in rows), "a row with odd marks"
    seen = {row[0]: frozenset(key for key, mark in zip(columns, row[1:], strict=True) if mark == "#") for row in rows}
    return MappingProxyType(seen)


# Of the past a segment sees what is not later than itself (`attends`), whatever the picture says.
VARIANTS: Mapping[str, Table] = MappingProxyType(
    {
        # AIM's table (arXiv 2604.11135). `c` is to `a` what `m` is in the paper: it must not see x, or x would reach a.
        "paper": parse_mask("""
                      past_obs past_act  o   x   m   c   a  text
            past_obs     #        #      .   .   .   .   .   .
            past_act     #        #      .   .   .   .   .   .
            o            #        #      #   .   .   .   .   .
            x            #        #      #   #   .   .   .   #
            m            #        .      #   #   #   .   .   .
            c            #        .      #   .   .   #   .   .
            a            .        #      #   .   .   #   #   .
        """),
        # As `paper`, and map and actions read the text themselves.
        "text": parse_mask("""
                      past_obs past_act  o   x   m   c   a  text
            past_obs     #        #      .   .   .   .   .   .
            past_act     #        #      .   .   .   .   .   .
            o            #        #      #   .   .   .   .   .
            x            #        #      #   #   .   .   .   #
            m            #        .      #   #   #   .   .   #
            c            #        .      #   .   .   #   .   .
            a            .        #      #   .   .   #   #   #
        """),
        # As `paper`, and the actions see the past pictures.
        "memory": parse_mask("""
                      past_obs past_act  o   x   m   c   a  text
            past_obs     #        #      .   .   .   .   .   .
            past_act     #        #      .   .   .   .   .   .
            o            #        #      #   .   .   .   .   .
            x            #        #      #   #   .   .   .   #
            m            #        .      #   #   #   .   .   .
            c            #        .      #   .   .   #   .   .
            a            #        #      #   .   .   #   #   .
        """),
        # The classical world action model: the actions see the future pictures, and there is no map.
        "no_map": parse_mask("""
                      past_obs past_act  o   x   y   a  text
            past_obs     #        #      .   .   .   .   .
            past_act     #        #      .   .   .   .   .
            o            #        #      #   .   .   .   .
            x            #        #      #   #   .   .   #
            y            #        #      #   .   #   .   .
            a            .        #      #   .   #   #   .
        """),
        # The actions see no future at all: pictures are a task beside theirs, left out when only actions are wanted
        # (as in Fast-WAM, arXiv 2603.16666). Here o reads the text, or the actions could not know what is asked.
        "video_free": parse_mask("""
                      past_obs past_act  o   x   a  text
            past_obs     #        #      .   .   .   .
            past_act     #        #      .   .   .   .
            o            #        #      #   .   .   #
            x            #        #      #   #   .   #
            a            .        #      #   .   #   .
        """),
    }
)


@dataclass(frozen=True)
class Segment:
    """`length` tokens of one kind. `block` orders them in time: negative past, 0 now, 1 future.

    `copy` tells apart several chunks of noisy actions in one training sequence, which do not see each other; nor do
    the `parts` of a segment, chunks of one flow time that lie side by side in it.
    """

    kind: str
    block: int
    length: int
    copy: int = 0
    parts: int = 1


def get_variant(name: str) -> Table:
    """Return the table called `name`; `UserError` naming the valid ones."""
    if name not in VARIANTS:
        near = get_close_matches(name, VARIANTS, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"unknown variant {name!r}; {hint}valid are {', '.join(VARIANTS)}")
    return VARIANTS[name]


def build_table(config: ModelConfig) -> Table:
    """Table of the variant of `config`; with a fovea also a row "f", its crop of the present, which the actions see."""
    who = get_variant(config.variant)
    if not config.fovea:
        return who
    if "m" not in who:
        raise UserError(f"variant {config.variant!r} has no value map for a fovea to be centred on; give fovea 0")
    return MappingProxyType({**who, "f": frozenset({"o", "f"}), "a": who["a"] | {"f"}})


def stream_of_segment(kind: str, config: ModelConfig) -> str:
    """Return whose weights the tokens of `kind` use: those of rgb also for maps where the model shares them."""
    return "rgb" if config.shared_map and STREAM_OF_SEGMENT[kind] == "map" else STREAM_OF_SEGMENT[kind]


def list_streams(config: ModelConfig) -> tuple[str, ...]:
    """Return the streams that have weights of their own in the variant of `config`."""
    return tuple(dict.fromkeys(stream_of_segment(kind, config) for kind in build_table(config)))


def condition_kind(who: Table) -> str | None:
    """Return the kind of the clean copy that conditions the actions: `c`, `y`, or none."""
    return next((kind for kind in COPY_OF if kind in who), None)


def list_text_streams(who: Table, config: ModelConfig) -> tuple[str, ...]:
    """Return the streams that read text."""
    return tuple(dict.fromkeys(stream_of_segment(kind, config) for kind, row in who.items() if "text" in row))


def build_sequence(config: ModelConfig) -> tuple[Segment, ...]:
    """Return the training sequence: past frames and the actions between them in order of time, o, x, m, c, y, f, a."""
    who = build_table(config)
    frames, groups = config.past_frames, config.past_actions // config.actions_per_frame
    acts = config.actions_per_frame // config.action_patch
    past = [Segment("past_obs", -2 * back, config.tokens) for back in range(1, frames + 1)]
    past += [Segment("past_act", -2 * back + 1, acts) for back in range(1, groups + 1)]
    future = config.num_future_frames * config.tokens
    return (
        *sorted(past, key=lambda segment: segment.block),
        Segment("o", 0, config.tokens + 1),
        *(Segment(kind, 1, future) for kind in ("x", "m", "c", "y") if kind in who),
        *([Segment("f", 1, config.fovea_tokens)] if "f" in who else []),
        *(
            Segment("a", 1, config.chunk // config.action_patch, copy)
            for copy in range(config.noise_samples_per_action)
        ),
    )


def attends(who: Table, query: Segment, key: Segment) -> bool:
    """Return whether `query` attends to `key`: the table says so, the key is not later, and no other draw of it."""
    other_draw = query.kind == key.kind and query.copy != key.copy
    return key.kind in who[query.kind] and key.block <= query.block and not other_draw


def build_pattern(who: Table, queries: Iterable[Segment], keys: Iterable[Segment]) -> Pattern:
    """Return which key segments each query segment sees; the parts of a segment do not see each other."""
    keys = tuple(keys)
    return tuple(
        tuple((query.parts if query == key else 1) * attends(who, query, key) for key in keys) for query in queries
    )


def expand_pattern(pattern: Pattern, queries: Sequence[int], keys: Sequence[int]) -> Tensor:
    """Return the boolean mask (q k) of a pattern between segments of these lengths."""
    rows = []
    for row, height in zip(pattern, queries, strict=True):
        blocks = [
            torch.block_diag(*torch.ones(entry, height // entry, width // entry))
            if entry
            else torch.zeros(height, width)
            for entry, width in zip(row, keys, strict=True)
        ]
        rows.append(torch.cat(blocks, 1))
    return torch.cat(rows).bool()


def build_mask(who: Table, queries: Iterable[Segment], keys: Iterable[Segment]) -> Tensor:
    """Return the boolean mask (q k), true where the row's token sees the column's."""
    queries, keys = tuple(queries), tuple(keys)
    lengths = ([segment.length for segment in segments] for segments in (queries, keys))
    return expand_pattern(build_pattern(who, queries, keys), *lengths)


def find_influences(who: Table, target: str) -> frozenset[str]:
    """Return every kind that can influence `target`, through any number of layers: the closure of the table."""
    found = {target}
    while more := set().union(*(who[kind] for kind in found if kind in who)) - found:
        found |= more
    return frozenset(found)
