"""Wan's weights in our model: nothing is lost or left over, and what they compute is what Wan computes.

The true sizes are those of Wan2.2-TI2V-5B, on the meta device.
"""

from __future__ import annotations

import pytest
import torch
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from hypothesis import given, settings
from hypothesis import strategies as st
from small_wan import small
from torch import Tensor

from aim import presets
from aim.config import ModelConfig
from aim.model import canvas, wan
from aim.model.batch import Context, KvCache
from aim.model.intent import VARIANTS
from aim.model.world_action_model import WorldActionModel

torch.set_num_threads(1)
WAN22_5B = {
    "added_kv_proj_dim": None, "attention_head_dim": 128, "cross_attn_norm": True, "eps": 1e-6, "ffn_dim": 14336,
    "freq_dim": 256, "image_dim": None, "in_channels": 48, "num_attention_heads": 24, "num_layers": 30,
    "out_channels": 48, "patch_size": (1, 2, 2), "pos_embed_seq_len": None, "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 1024, "text_dim": 4096,
}  # fmt: skip
SHARED = (True, False)


def theirs(config: ModelConfig) -> WanTransformer3DModel:
    """Return Wan's model in the shape of `config`, no weight of it special."""
    torch.manual_seed(1)
    model = WanTransformer3DModel(**wan.expected_transformer_config(config)).eval()
    with torch.no_grad():
        for value in model.parameters():
            fan = value.shape[-1] if value.ndim > 1 else 4
            value.copy_(torch.randn(value.shape) / fan**0.5)
    return model


def filled(config: ModelConfig, source: WanTransformer3DModel) -> WorldActionModel:
    """Return our model with Wan's weights in it, and all that begins from them."""
    torch.manual_seed(2)
    model = WorldActionModel(config).eval()
    weights, state = source.state_dict(), model.state_dict()
    rows = wan.list_weight_sources(config)
    ours = {name: wan.convert_to_ours(row, [weights[part] for part in row.wan], config) for name, row in rows.items()}
    for name, start in wan.list_initializations(config, tuple(state)).items():
        ours[name] = state[name] if start.kind == "fresh" else wan.initial_value(start, state[name].shape, ours)
    model.load_state_dict(ours)
    return model


@pytest.mark.parametrize("shared", SHARED)
@pytest.mark.parametrize("name", VARIANTS)
def test_no_tensor_is_missing_left_over_or_of_another_shape(name: str, shared: bool) -> None:
    config = small(variant=name, shared_map=shared)
    source, model = theirs(config).state_dict(), WorldActionModel(config).state_dict()
    rows = wan.list_weight_sources(config)
    used = [part for row in rows.values() for part in row.wan]
    assert sorted(used) == sorted(source)  # each once
    starts = wan.list_initializations(config, tuple(model))
    assert rows.keys() | starts.keys() == model.keys()
    assert not rows.keys() & starts.keys()
    full = filled(config, theirs(config)).state_dict()  # refuses any other shape
    assert all(value.isfinite().all() for value in full.values())


def test_the_true_size() -> None:
    """5,000 million parameters of Wan in 825 tensors; ours are checked tensor by tensor, all on the meta device."""
    run = presets.wan5b("aloha", ("head", "wrist_left", "wrist_right"), 14, 14)
    config = run.model
    with torch.device("meta"):
        source, model = WanTransformer3DModel(**WAN22_5B).state_dict(), WorldActionModel(config).state_dict()
    assert dict(wan.expected_transformer_config(config)).items() <= WAN22_5B.items()
    rows = wan.list_weight_sources(config)
    assert sorted(part for row in rows.values() for part in row.wan) == sorted(source)
    ours = {}
    for name, row in rows.items():
        ours[name] = wan.convert_to_ours(row, [source[part] for part in row.wan], config)
    for name, start in wan.list_initializations(config, tuple(model)).items():
        fresh = start.kind == "fresh"
        ours[name] = model[name] if fresh else wan.initial_value(start, model[name].shape, ours)
    assert {name: z.shape for name, z in ours.items()} == {name: z.shape for name, z in model.items()}
    assert sum(z.numel() for z in source.values()) == 4_999_787_712
    assert sum(model[name].numel() for name in rows) == 4_999_787_712
    expert = sum(z.numel() for name, z in model.items() if "action" in name)
    assert 0.4e9 < expert < 0.6e9


@settings(max_examples=25, deadline=None)
@given(heads=st.integers(1, 4), half=st.integers(3, 8), channels=st.integers(1, 4), seed=st.integers(0, 99))
def test_every_conversion_has_an_exact_inverse(heads: int, half: int, channels: int, seed: int) -> None:
    inner = heads * 2 * half
    width = inner if inner % 2 == 0 else inner + 1
    config = small(heads=heads, head_dim=2 * half, width=width, token_channels=4 * channels, layers=1)
    source = theirs(config).state_dict()
    draw = torch.Generator().manual_seed(seed)
    source = {name: torch.randn(z.shape, generator=draw) for name, z in source.items()}
    back = {}
    for row in wan.list_weight_sources(config).values():
        back |= wan.convert_to_wan(row, wan.convert_to_ours(row, [source[part] for part in row.wan], config), config)
    assert back.keys() == source.keys()
    assert all(torch.equal(back[name], source[name]) for name in source)


@torch.no_grad()
def ours_on(model: WorldActionModel, video: Tensor, text: Tensor, s: Tensor) -> Tensor:
    """Return the velocity of a video (b z f y x) that our rgb stream says: with no past, no o, only text."""
    config = model.config
    tokens = torch.stack([canvas.latents_to_tokens([frame]) for frame in video.unbind(2)], 1)
    rows = len(video)
    context = Context(
        past_rgb=tokens[:, :0], past_action=torch.zeros(rows, 0, config.action_dim),
        past_valid=torch.zeros(rows, dtype=torch.bool), rgb=tokens[:, 0], state=torch.zeros(rows, config.state_dim),
        text=text, text_valid=torch.ones(text.shape[:2], dtype=torch.bool),
    )  # fmt: skip
    given = model._split_segments(model.embed.embed_future({"x": tokens}))
    outs, _ = model._run_segments(given, dict.fromkeys(given, s), KvCache(), model.embed.embed_text(context))
    said = model._to_frame_velocity(next(iter(outs.values())), tokens, s)
    size = [(video.shape[3] // 2, video.shape[4] // 2)]
    return torch.stack([canvas.tokens_to_latents(frame, size)[0] for frame in said.unbind(1)], 2)


@pytest.mark.parametrize("length", [5, 12])
@pytest.mark.parametrize("futures", [1, 3])
@pytest.mark.parametrize("level", [0.0, 0.137, 0.5, 1.0])
def test_our_video_stream_says_what_wan_says(futures: int, length: int, level: float) -> None:
    config = small(futures, past_frames=0, past_actions=0)
    source = theirs(config)
    model = filled(config, source)
    draw = torch.Generator().manual_seed(3)
    video = torch.randn(2, 8, futures, 4, 6, generator=draw)
    text = torch.randn(2, length, 16, generator=draw)
    s = torch.tensor([level, level * 0.7])
    with torch.no_grad():
        wanted = source(video, 1000.0 * s, text, return_dict=False)[0]
    found = ours_on(model, video, text, s)
    assert wanted.std() > 0.1
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_no_text_is_a_text_of_zeros_to_wan() -> None:
    config = small(1, past_frames=0, past_actions=0)
    source = theirs(config)
    model = filled(config, source)
    video, s = torch.randn(2, 8, 1, 4, 6, generator=torch.Generator().manual_seed(3)), torch.tensor([0.3, 0.9])
    zeros = torch.zeros(2, 7, 16)
    words = (model.embed.no_text.expand(2, 1, -1), torch.ones(2, 1, 1, 1, dtype=torch.bool))
    tokens = canvas.latents_to_tokens([video[:, :, 0]])[:, None]
    given = model._split_segments(model.embed.embed_future({"x": tokens}))
    with torch.no_grad():
        silent = next(iter(model._run_segments(given, dict.fromkeys(given, s), KvCache(), words)[0].values()))
        wanted = source(video, 1000.0 * s, zeros, return_dict=False)[0]
    torch.testing.assert_close(canvas.tokens_to_latents(silent, [(2, 3)])[0], wanted[:, :, 0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("narrow", [(24, 32), (16, 21), (12, 40)])
def test_a_narrow_weight_answers_as_loudly_as_the_wide_one(narrow: tuple[int, int]) -> None:
    config = small(action_width=narrow[0], action_ffn_dim=narrow[1])
    full = filled(config, theirs(config)).state_dict()
    draw = torch.Generator().manual_seed(4)
    for part in ("qkv", "out", "up", "down"):
        wide, thin = (full[f"trunk.layers.1.{stream}.{part}.weight"] for stream in ("rgb", "action"))
        loud = [(torch.randn(20_000, w.shape[1], generator=draw) @ w.T).square().mean() for w in (wide, thin)]
        torch.testing.assert_close(loud[1], loud[0], rtol=0.03, atol=0.0)


def test_interpolation_that_skips_whole_channels_scales_by_the_root_of_the_ratio() -> None:
    """Where the ratio is odd every channel kept is one of Wan's, and the factor is that of the parent's recipe."""
    config = small(action_width=16)  # 48 / 3
    full = filled(config, theirs(config)).state_dict()
    wide, thin = (full[f"trunk.layers.0.{stream}.qkv.weight"] for stream in ("rgb", "action"))
    kept = wide[:, 1::3]
    ratio = thin / kept
    torch.testing.assert_close(ratio, ratio.flatten()[:1].expand_as(ratio).clone(), rtol=1e-4, atol=0.0)
    assert float(ratio.mean()) == pytest.approx(3**0.5, rel=0.1)


def test_groups_are_interpolated_apart() -> None:
    draw = torch.Generator().manual_seed(5)
    z = torch.randn(12, 4, generator=draw)
    made = wan.interpolate_tensor(z, torch.Size([6, 4]), groups=3)
    assert torch.equal(made[2:4], wan.interpolate_tensor(z[4:8], torch.Size([2, 4])))
