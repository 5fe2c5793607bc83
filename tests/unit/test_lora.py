"""Adapters: nothing at first, one with the weights in the end, and only what is meant to train does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_wan import noise, small

from aim.config import ModelConfig
from aim.model import flow, lora
from aim.model.intent import VARIANTS
from aim.model.world_action_model import WorldActionModel

torch.set_num_threads(1)
CONFIGS = {name: small(variant=name) for name in VARIANTS} | {"own-map": small(shared_map=False)}


def model(config: ModelConfig) -> WorldActionModel:
    """Return a model of which no weight is special."""
    torch.manual_seed(0)
    made = WorldActionModel(config)
    with torch.no_grad():
        for value in made.parameters():
            value.copy_(torch.randn(value.shape) / (value.shape[-1] if value.ndim > 1 else 4) ** 0.5)
    return made


def losses(made: WorldActionModel) -> dict[str, torch.Tensor]:
    """Return the losses of a batch, the same noise each time."""
    return made.compute_losses(noise(made.config, 2, 3), flow.seed_rows(3, 2))


def stirred(made: WorldActionModel) -> WorldActionModel:
    """Return the model with adapters that say something."""
    with torch.no_grad():
        for name, value in made.named_parameters():
            if name.endswith("lora_b"):
                value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(4)) * 0.1)
    return made


@pytest.mark.parametrize("name", CONFIGS)
def test_new_adapters_change_no_bit(name: str) -> None:
    before = losses(model(CONFIGS[name]))
    after = losses(lora.add_adapters(model(CONFIGS[name]), rank=4, alpha=8.0))
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", CONFIGS)
def test_merged_adapters_answer_the_same(name: str) -> None:
    made = stirred(lora.add_adapters(model(CONFIGS[name]), rank=4, alpha=8.0))
    plain, before = losses(model(CONFIGS[name])), losses(made)
    assert not torch.equal(before["rgb"], plain["rgb"])
    merged = lora.merge_adapters(made)
    assert merged.state_dict().keys() == model(CONFIGS[name]).state_dict().keys()
    after = losses(merged)
    for key in before:
        torch.testing.assert_close(after[key], before[key], atol=1e-5, rtol=1e-5)
    assert all(value.requires_grad for value in merged.parameters())


@pytest.mark.parametrize("name", CONFIGS)
def test_what_trains_and_what_stands_still(name: str) -> None:
    config = CONFIGS[name]
    made = stirred(lora.add_adapters(model(config), rank=2, alpha=2.0))
    losses(made)["total"].backward()
    still = {key for key, value in made.named_parameters() if not value.requires_grad}
    assert all(made.get_parameter(key).grad is None for key in still)
    assert {key.rpartition(".lora_")[0] for key in lora.list_trained(made) if ".lora_" in key} == {
        key.rpartition(".")[0] for key in still if lora.is_adapted(key)
    }
    trains = set(lora.list_trained(made))
    assert trains | still == set(dict(made.named_parameters()))
    for part in ("trunk.layers.0.action.qkv.weight", "embed.action.weight", "heads.a.out.weight", "embed.state.weight"):
        assert part in trains
    if "m" in made.who:
        assert {"embed.map.weight", "heads.m.out.weight", "embed.value_noise"} <= trains
    for part in ("embed.rgb.weight", "heads.x.out.weight", "trunk.times.rgb.out.weight", "trunk.layers.1.rgb.table"):
        assert part in still
    # the last layer answers x and m only through what their heads see; everything else is reached
    unmoved = {key for key in trains if made.get_parameter(key).grad is None}
    assert all(key.startswith("embed.no_text") for key in unmoved)


def test_the_state_of_adapters_restores_the_model() -> None:
    config = small()
    made = stirred(lora.add_adapters(model(config), rank=4, alpha=8.0))
    kept = {name: value.detach().clone() for name, value in lora.list_trained(made).items()}
    other = lora.add_adapters(model(config), rank=4, alpha=8.0)
    missing = other.load_state_dict(kept, strict=False)
    assert not missing.unexpected_keys
    assert all(torch.equal(losses(made)[key], value) for key, value in losses(other).items())


@pytest.mark.parametrize("alpha", [1.0, 16.0])
def test_the_answer_of_an_adapter_is_alpha_over_rank(alpha: float) -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(6, 4)
    made = lora.LoraLinear(linear, rank=2, alpha=alpha)
    torch.nn.init.normal_(made.lora_b)
    z = torch.randn(1, 3, 6)
    beside = alpha / 2 * z @ made.lora_a.T @ made.lora_b.T
    torch.testing.assert_close(made(z), linear(z) + beside)
    torch.testing.assert_close(made.merge_weights()(z), made(z), atol=1e-5, rtol=1e-5)


def test_halved_weights_train_under_autocast() -> None:
    config = replace(small(), lora_rank=2)
    whole = losses(model(config))
    made = lora.add_adapters(lora.cast_frozen_to_bf16(model(config)), rank=2, alpha=2.0)
    halved = {name for name, value in made.named_parameters() if value.dtype == torch.bfloat16}
    assert halved == {name for name, _ in made.named_parameters() if lora.is_adapted(name)}
    with torch.autocast("cpu", torch.bfloat16):
        found = losses(made)
    torch.testing.assert_close(found["total"], whole["total"], atol=0.05, rtol=0.05)
    found["total"].backward()
    assert {value.dtype for value in lora.list_trained(made).values()} == {torch.float32}
