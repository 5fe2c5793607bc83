"""A run as a value: it survives JSON, what is wrong with it is named, and presets have the sizes they promise."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from aim import config as configuration
from aim import presets
from aim.config import Run
from aim.model.image_codec import build_wan_autoencoder
from aim.model.world_action_model import WorldActionModel
from sim.types import UserError


def run(name: str) -> Run:
    return presets.get_preset(name)("panda", ("head", "wrist"), action_dim=5, state_dim=6, text_width=12)


@pytest.mark.parametrize("name", presets.PRESETS)
def test_a_run_survives_json(name: str) -> None:
    whole = run(name)
    assert configuration.decode_run(configuration.encode_run(whole)) == whole


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"heads": 2', '"heads": "two"', r"run\.model\.heads must be int"),
        ('"heads": 2', '"heds": 2', r"no field 'heds'; did you mean 'heads'"),
        ('"precision": "auto"', '"precision": "fp8"', r"'fp8'; valid are 'auto', 'fp32', 'bf16'"),
        ("aim.run/6", "aim.run/0", r"schema 'aim\.run/0'; this version reads 'aim\.run/6'"),
        ('"chunk": 32', '"chunk": 24', r"chunk"),
        (
            '"execution_horizon": 16',
            '"execution_horizon": 64',
            r"horizon 64 does not fit: .* valid are 1, 2, 3",
        ),
        ('"execution_horizon": 16', '"execution_horizon": true', r"execution_horizon must be int"),
        ("{", "[", r"not JSON"),
    ],
)
def test_a_broken_run_is_refused_by_name(old: str, new: str, message: str) -> None:
    text = configuration.encode_run(run("tiny"))
    assert old in text
    with pytest.raises(UserError, match=message):
        configuration.decode_run(text.replace(old, new))


def test_a_missing_field_is_named() -> None:
    text = configuration.encode_run(run("tiny")).replace('"robot": "panda",', "")
    with pytest.raises(UserError, match="run lacks robot"):
        configuration.decode_run(text)


def test_an_unknown_preset_names_the_valid_ones() -> None:
    with pytest.raises(UserError, match=r"unknown preset 'nanno'; did you mean 'nano'\? valid are tiny, nano"):
        presets.get_preset("nanno")


def test_nano_has_the_tokens_of_its_views() -> None:
    aloha = presets.nano("aloha", ("head", "left_wrist", "right_wrist"), 14, 14).model
    assert (aloha.tokens, run("nano").model.tokens, aloha.token_channels) == (24, 20, 192)
    assert aloha.token_grid[:5] == ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3), (0, 1, 0))


def test_an_odd_view_is_refused_by_name() -> None:
    codec = replace(run("tiny").codec, views=(configuration.View("head", 48, 64),))
    with pytest.raises(UserError, match=r"view 'head': sides must be multiples of 32"):
        configuration.build_token_grid(codec)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_stages_are_accepted_where_the_autoencoder_can_be_built(length: int) -> None:
    accepted = 0
    for dim_mult in itertools.product((1, 2, 3, 4, 8), repeat=length):
        view = configuration.View("head", 64, 64)
        try:
            codec = configuration.CodecConfig((view,), latent_channels=4, base_dim=2, dim_mult=dim_mult, factor=8)
        except UserError as error:
            assert f"dim_mult {dim_mult}" in str(error)
            codec = replace(run("tiny").codec, views=(view,), latent_channels=4, base_dim=2, factor=8)
            object.__setattr__(codec, "dim_mult", dim_mult)
            with pytest.raises((ValueError, AssertionError)):
                build_wan_autoencoder(codec)
            continue
        accepted += 1
        with torch.device("meta"):
            build_wan_autoencoder(codec)
    assert accepted >= length


def test_a_factor_that_the_stages_do_not_halve_is_refused() -> None:
    with pytest.raises(UserError, match="factor must be a multiple of 4"):
        replace(run("tiny").codec, dim_mult=(1, 1, 1), factor=2)


@pytest.mark.parametrize("name", presets.PRESETS)
def test_codec_and_model_of_a_preset_can_be_built(name: str) -> None:
    whole = run(name)
    with torch.device("meta"):
        build_wan_autoencoder(whole.codec)
        model = WorldActionModel(whole.model)
    assert sum(value.numel() for value in model.parameters()) > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"past_actions": 32, "action_patch": 32}, "action_patch must divide 16"),
        ({"lora_rank": 4}, "adapters stand beside pretrained weights"),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused(change: dict[str, int], said: str) -> None:
    whole = run("tiny")
    with pytest.raises(UserError, match=said):
        replace(whole, model=replace(whole.model, **change))


@pytest.mark.parametrize("horizon", [0, 10, 32])
def test_an_execution_horizon_that_no_policy_acts_by_is_refused_before_training(horizon: int) -> None:
    whole = run("tiny")
    with pytest.raises(UserError, match=f"execution_?\\s?horizon.* {horizon}"):
        replace(whole, data=replace(whole.data, execution_horizon=horizon))
