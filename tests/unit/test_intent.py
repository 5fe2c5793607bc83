"""Laws of the tables: what may never be seen, directly or through others, and that attention obeys the mask."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from aim import presets
from aim.config import ModelConfig
from aim.model import intent
from aim.model.intent import Segment
from aim.model.mot import attend, gather
from sim.types import UserError


def config(past_frames: int = 1, past_actions: int = 16) -> ModelConfig:
    model = presets.tiny("panda", ("head", "wrist"), 8, 8).model
    return replace(model, past_frames=past_frames, past_actions=past_actions)


torch.set_num_threads(1)
HISTORIES = [(0, 0), (1, 16), (3, 32), (0, 16), (2, 0)]


def reach(name: str) -> dict[str, set[str]]:
    """Return all that each kind of segment can learn of through any number of layers."""
    who = intent.variant(name)
    found = {kind: {kind} for kind in who}
    for _ in who:
        found = {kind: row.union(*(found[key] for key in who[kind] if key in found)) for kind, row in found.items()}
    return found


@pytest.mark.parametrize("name", intent.VARIANTS)
def test_no_number_of_layers_carries_the_future_where_it_must_not_go(name: str) -> None:
    found = reach(name)
    for clean in ("past_obs", "past_act", "o"):
        assert found[clean] <= {"past_obs", "past_act", "o"}
    assert not found["x"] & {"m", "a", "c"}
    assert not found["m"] & {"a", "c"}
    assert not found["c"] & {"x", "m", "a"}
    assert not found["a"] & {"x", "m"}


def test_paper_is_the_table_of_the_paper() -> None:
    """Rows x, m, a against o, past obs, past act, text, x, m, a; the actions' map is the clean copy."""
    columns = ("o", "past_obs", "past_act", "text", "x", "m", "a")
    rows = {"x": (1, 1, 1, 1, 1, 0, 0), "m": (1, 1, 0, 0, 1, 1, 0)}
    paper = intent.variant("paper")
    for query, row in rows.items():
        assert tuple(int(key in paper[query]) for key in columns) == row
    condition = (*columns[:5], "c", "a")  # the actions see the map as its clean copy
    assert tuple(int(key in paper["a"]) for key in condition) == (1, 0, 1, 0, 0, 1, 1)
    assert "m" not in paper["a"]


@pytest.mark.parametrize("name", intent.VARIANTS)
def test_only_noisy_segments_read_text(name: str) -> None:
    assert {kind for kind, row in intent.variant(name).items() if "text" in row} <= {"x", "m", "a"}


@pytest.mark.parametrize(("frames", "actions"), HISTORIES)
def test_the_mask_has_the_picture_of_its_docstring(frames: int, actions: int) -> None:
    sequence = intent.segments(config(frames, actions))
    seen = intent.mask(intent.variant("paper"), sequence)
    size = sum(segment.length for segment in sequence)
    assert seen.shape == (size, size)
    assert seen.diagonal().all()
    kinds = [segment.kind for segment in sequence for _ in range(segment.length)]
    picture = [line.split() for line in (intent.mask.__doc__ or "").splitlines() if "#" in line and "`" not in line]
    columns = ("past_obs", "past_act", "o", "x", "m", "c", "a")
    assert [row[0] for row in picture] == list(columns)
    drawn = {(row[0], key): mark == "#" for row in picture for key, mark in zip(columns, row[1:], strict=True)}
    for i, query in enumerate(kinds):
        for j, key in enumerate(kinds):
            if not (query.startswith("past") and key.startswith("past")):  # those follow time, tested below
                assert bool(seen[i, j]) == drawn[query, key]
    if (frames, actions) == (1, 16):
        assert all(bool(seen[i, j]) == drawn[q, k] for i, q in enumerate(kinds) for j, k in enumerate(kinds))


def test_history_is_block_causal() -> None:
    sequence = intent.segments(config(3, 32))
    past = [segment for segment in sequence if segment.block < 0]
    assert [(s.kind, s.block) for s in past] == [
        ("past_obs", -6), ("past_obs", -4), ("past_act", -3), ("past_obs", -2), ("past_act", -1),
    ]  # fmt: skip
    for query in past:
        for key in past:
            assert intent.sees(intent.variant("paper"), query, key) == (key.block <= query.block)


@pytest.mark.parametrize("name", intent.VARIANTS)
@pytest.mark.parametrize(("frames", "actions"), HISTORIES)
def test_attention_by_segment_is_attention_under_the_mask(name: str, frames: int, actions: int) -> None:
    sequence, who = intent.segments(config(frames, actions)), intent.variant(name)
    draw = torch.Generator().manual_seed(0)
    q, k, v = ({s: torch.randn(2, s.length, 3, 8, generator=draw) for s in sequence} for _ in range(3))
    memory = {s: (k[s], v[s]) for s in sequence}
    mine = torch.cat([attend(q[s], *gather(who, s, memory)) for s in sequence], 1)
    whole = [torch.cat(list(part.values()), 1).transpose(1, 2) for part in (q, k, v)]
    masked = F.scaled_dot_product_attention(*whole, attn_mask=intent.mask(who, sequence)).transpose(1, 2).flatten(2)
    torch.testing.assert_close(mine, masked, atol=1e-5, rtol=1e-5)


def test_both_ways_of_attention_agree() -> None:
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(3, n, 2, 16, generator=draw).bfloat16() for n in (5, 7, 7))
    seen = torch.rand(3, 1, 1, 7, generator=draw) > 0.4
    seen[..., 0] = True
    for mask in (None, seen):
        low, full = attend(q, k, v, mask), attend(q.float(), k.float(), v.float(), mask)
        torch.testing.assert_close(low.float(), full, atol=3e-2, rtol=3e-2)


def test_an_unknown_variant_names_the_valid_ones() -> None:
    with pytest.raises(UserError, match=r"unknown variant 'papr'; valid are .*paper"):
        intent.variant("papr")


def test_a_segment_is_a_value() -> None:
    assert Segment("x", 1, 3) == Segment("x", 1, 3)
