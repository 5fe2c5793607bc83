"""Laws of the tables: what may never be seen, directly or through others, and that attention obeys the mask."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from aim import presets
from aim.config import Attention, ModelConfig
from aim.model import attention, intent
from aim.model.attention import attend
from aim.model.intent import Segment
from sim.types import UserError


def config(name: str = "paper", past_frames: int = 1, past_actions: int = 16) -> ModelConfig:
    model = presets.tiny("panda", ("head", "wrist"), 8, 8).model
    return replace(model, variant=name, past_frames=past_frames, past_actions=past_actions, noise_samples_per_action=1)


torch.set_num_threads(1)
WAYS: tuple[Attention, ...] = ("segments", "mask", "flex")
CPU = torch.device("cpu")
HISTORIES = [(0, 0), (1, 16), (3, 32), (0, 16), (2, 0)]


CLEAN = {"past_obs", "past_act", "o"}


@pytest.mark.parametrize("name", intent.VARIANTS)
def test_no_number_of_layers_carries_the_future_where_it_must_not_go(name: str) -> None:
    who = intent.get_variant(name)
    for clean in CLEAN:
        assert intent.find_influences(who, clean) <= {*CLEAN, "text"}
    assert not intent.find_influences(who, "x") & {"m", "a", "c", "y"}
    assert not intent.find_influences(who, "a") & {"x", "m"}
    for kind in set(who) & {"m", "c", "y"}:
        assert not intent.find_influences(who, kind) & ({"a", "c", "y", "x", "m"} - {kind, *("x",) * (kind == "m")})


@pytest.mark.parametrize("name", intent.VARIANTS)
def test_reaching_is_what_layers_upon_layers_see(name: str) -> None:
    who = intent.get_variant(name)
    found = {kind: {kind} for kind in who}
    for _ in who:
        found = {k: row.union(*(found.get(key, {key}) for key in who[k])) for k, row in found.items()}
    assert found == {kind: intent.find_influences(who, kind) for kind in who}


def test_paper_is_the_table_of_the_paper() -> None:
    """Rows x, m, a against o, past obs, past act, text, x, m, a; the actions' map is the clean copy."""
    columns = ("o", "past_obs", "past_act", "text", "x", "m", "a")
    rows = {"x": (1, 1, 1, 1, 1, 0, 0), "m": (1, 1, 0, 0, 1, 1, 0)}
    paper = intent.get_variant("paper")
    for query, row in rows.items():
        assert tuple(int(key in paper[query]) for key in columns) == row
    condition = (*columns[:5], "c", "a")  # the actions see the map as its clean copy
    assert tuple(int(key in paper["a"]) for key in condition) == (1, 0, 1, 0, 0, 1, 1)
    assert "m" not in paper["a"]


def test_variants_differ_from_the_paper_in_what_they_say() -> None:
    paper = intent.get_variant("paper")
    different = {
        name: {kind for kind in {*paper, *who} if paper.get(kind) != who.get(kind)}
        for name, who in intent.VARIANTS.items()
    }
    assert different == {
        "paper": set(), "text": {"m", "a"}, "memory": {"a"}, "no_map": {"m", "c", "y", "a"},
        "video_free": {"m", "c", "o", "a"},
    }  # fmt: skip
    assert intent.get_variant("text")["a"] - paper["a"] == intent.get_variant("text")["m"] - paper["m"] == {"text"}
    assert intent.get_variant("memory")["a"] - paper["a"] == {"past_obs"}
    assert intent.get_variant("video_free")["a"] < paper["a"]


@pytest.mark.parametrize("name", intent.VARIANTS)
@pytest.mark.parametrize(("frames", "actions"), HISTORIES)
def test_the_mask_is_the_table_block_by_block(name: str, frames: int, actions: int) -> None:
    sequence, who = intent.build_sequence(config(name, frames, actions)), intent.get_variant(name)
    seen = intent.build_mask(who, sequence, sequence)
    size = sum(segment.length for segment in sequence)
    assert seen.shape == (size, size)
    assert seen.diagonal().all()
    owner = [segment for segment in sequence for _ in range(segment.length)]
    for i, query in enumerate(owner):
        for j, key in enumerate(owner):
            assert bool(seen[i, j]) == (key.kind in who[query.kind] and key.block <= query.block)


def test_draws_of_the_actions_do_not_see_each_other() -> None:
    sequence = intent.build_sequence(replace(config("paper"), noise_samples_per_action=3))
    chunks = [segment for segment in sequence if segment.kind == "a"]
    assert len(chunks) == 3
    for query in chunks:
        for key in sequence:
            expected = key == query if key.kind == "a" else intent.attends(intent.get_variant("paper"), chunks[0], key)
            assert intent.attends(intent.get_variant("paper"), query, key) == expected


def test_a_picture_that_is_askew_is_refused() -> None:
    with pytest.raises(AssertionError, match="odd marks"):
        intent.parse_mask("""
                a text
            a   #   x
        """)
    with pytest.raises(AssertionError, match="differ"):
        intent.parse_mask("""
                a  o
            a   #  .
        """)


def test_history_is_block_causal() -> None:
    sequence = intent.build_sequence(config("paper", 3, 32))
    past = [segment for segment in sequence if segment.block < 0]
    assert [(s.kind, s.block) for s in past] == [
        ("past_obs", -6), ("past_obs", -4), ("past_act", -3), ("past_obs", -2), ("past_act", -1),
    ]  # fmt: skip
    for query in past:
        for key in past:
            assert intent.attends(intent.get_variant("paper"), query, key) == (key.block <= query.block)


Parts = dict[Segment, torch.Tensor]


def parts(sequence: tuple[Segment, ...], seed: int) -> tuple[Parts, attention.SegmentKeys]:
    draw = torch.Generator().manual_seed(seed)
    q, k, v = ({s: torch.randn(2, s.length, 3, 16, generator=draw) for s in sequence} for _ in range(3))
    return q, {s: (k[s], v[s]) for s in sequence}


@pytest.mark.parametrize("name", intent.VARIANTS)
@pytest.mark.parametrize(("frames", "actions"), HISTORIES)
def test_all_ways_of_attention_are_attention_under_the_mask(name: str, frames: int, actions: int) -> None:
    sequence = intent.build_sequence(replace(config(name, frames, actions), noise_samples_per_action=2))
    who, (asked, memory) = intent.get_variant(name), parts(sequence, 0)
    whole = [torch.cat(z, 1).transpose(1, 2) for z in (list(asked.values()), *zip(*memory.values(), strict=True))]
    seen = intent.build_mask(who, sequence, sequence)
    truth = F.scaled_dot_product_attention(*whole, attn_mask=seen).transpose(1, 2).flatten(2)
    for way in WAYS:
        heard = attention.attend_segments(attention.plan_attention(way, who, asked, memory, CPU), asked, memory)
        assert list(heard) == list(sequence)
        torch.testing.assert_close(torch.cat(list(heard.values()), 1), truth, atol=1e-5, rtol=1e-5, msg=way)


@pytest.mark.parametrize("way", WAYS)
def test_fewer_queries_hear_the_same(way: Attention) -> None:
    sequence, who = intent.build_sequence(config()), intent.get_variant("paper")
    asked, memory = parts(sequence, 1)
    every = attention.attend_segments(attention.plan_attention(way, who, asked, memory, CPU), asked, memory)
    few = {s: q for s, q in asked.items() if s.kind in ("o", "a")}
    for segment, heard in attention.attend_segments(
        attention.plan_attention(way, who, few, memory, CPU), few, memory
    ).items():
        torch.testing.assert_close(heard, every[segment], atol=1e-5, rtol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", intent.VARIANTS)
def test_blocks_on_a_gpu_are_the_mask_forwards_and_backwards(name: str) -> None:
    sequence, who = intent.build_sequence(config(name)), intent.get_variant(name)
    asked, memory = parts(sequence, 2)
    results = []
    for way in WAYS[1:]:
        q = {s: z.cuda().requires_grad_() for s, z in asked.items()}
        kv = {s: (k.cuda().requires_grad_(), v.cuda().requires_grad_()) for s, (k, v) in memory.items()}
        plan = attention.plan_attention(way, who, q, kv, torch.device("cuda"))
        heard = torch.cat(list(attention.attend_segments(plan, q, kv).values()), 1)
        slopes = torch.autograd.grad(heard.square().sum(), [*q.values(), *(z for pair in kv.values() for z in pair)])
        results.append((heard, *slopes))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=2e-3)


def test_both_ways_of_attention_agree() -> None:
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(3, n, 2, 16, generator=draw).bfloat16() for n in (5, 7, 7))
    seen = torch.rand(3, 1, 1, 7, generator=draw) > 0.4
    seen[..., 0] = True
    for mask in (None, seen):
        low, full = attend(q, k, v, mask), attend(q.float(), k.float(), v.float(), mask)
        torch.testing.assert_close(low.float(), full, atol=3e-2, rtol=3e-2)


def test_an_unknown_variant_names_the_valid_ones() -> None:
    with pytest.raises(UserError, match=r"unknown variant 'papr'; did you mean 'paper'\? valid are .*no_map"):
        intent.get_variant("papr")


def test_a_segment_is_a_value() -> None:
    assert Segment("x", 1, 3) == Segment("x", 1, 3)
