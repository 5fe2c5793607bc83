"""The plan of memory against what autograd keeps, and what it says of the large preset."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_wan import noise, small
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from aim import presets
from aim.config import ModelConfig, Run
from aim.model import flow, lora
from aim.model.intent import VARIANTS
from aim.model.world_action_model import WorldActionModel
from aim.train import memory_plan
from aim.train.memory_plan import GIB, MemoryPlan, count_activation_bytes, plan_memory

torch.set_num_threads(1)
VIEWS = ("head", "wrist_left", "wrist_right")
LARGE = small(down=4, across=5, width=96, heads=4, head_dim=24, action_width=48, ffn_dim=256, action_ffn_dim=96)
CONFIGS: dict[str, ModelConfig] = {
    **{name: replace(LARGE, variant=name) for name in VARIANTS},
    "own-map": replace(LARGE, shared_map=False),
    "adapted": replace(LARGE, lora_rank=4),
    "long": replace(LARGE, past_frames=2, past_actions=32),
    "deep": replace(LARGE, layers=5, noise_samples_per_action=3),
    "nano": replace(presets.nano("panda", ("head", "wrist"), 5, 6, 16).model),
}
WORDS = 9


def kept(config: ModelConfig, rows: int) -> int:
    """Return the bytes that autograd keeps from the forward to the backward pass, weights apart."""
    torch.manual_seed(0)
    model = WorldActionModel(config)
    if config.lora_rank:
        model = lora.add_adapters(model, config.lora_rank, config.lora_alpha)
    own = {value.untyped_storage().data_ptr() for value in [*model.parameters(), *model.buffers()]}
    alive: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        alive.setdefault(value.untyped_storage().data_ptr(), value)  # held, so that no address is used twice
        return value

    with saved_tensors_hooks(keep, lambda value: value):
        losses = model.compute_losses(noise(config, rows, WORDS), flow.seed_rows(0, rows))
    assert losses["total"].requires_grad
    return sum(value.untyped_storage().nbytes() for place, value in alive.items() if place not in own)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_activations_are_what_autograd_keeps(name: str, rows: int) -> None:
    config = CONFIGS[name]
    said = count_activation_bytes(
        config, rows, "fp32", checkpointing=False, num_text_tokens=WORDS + 1
    )  # one token stands for no text
    assert said == pytest.approx(kept(config, rows), rel=0.25)


def large(rank: int, checkpointing: bool = True, rows: int = 1) -> Run:
    """Return the large preset with these choices."""
    run = presets.wan5b("aloha", VIEWS, 14, 14)
    train = replace(run.train, batch_size=rows, checkpointing=checkpointing)
    return replace(run, model=replace(run.model, lora_rank=rank), train=train)


def test_adapters_fit_where_full_training_does_not() -> None:
    adapted, full = plan_memory(large(16), "bf16"), plan_memory(large(0), "bf16")
    assert adapted.fits_in(24 * GIB), adapted.format_lines()
    assert not full.fits_in(80 * GIB), full.format_lines()
    assert full.rows["weights"] > 5e9 * 4


def test_every_choice_moves_the_plan_its_way() -> None:
    plain = plan_memory(large(16), "bf16")
    assert plan_memory(large(64), "bf16").total > plain.total
    assert plan_memory(large(16, rows=2), "bf16").rows["activations"] > 1.9 * plain.rows["activations"]
    assert plan_memory(large(16, checkpointing=False), "bf16").rows["activations"] > 4 * plain.rows["activations"]
    assert plan_memory(large(16), "fp32").rows["weights"] > 1.7 * plain.rows["weights"]


def test_weights_are_counted_exactly() -> None:
    run = presets.tiny("panda", ("head", "wrist"), 5, 6)
    count = sum(value.numel() for value in WorldActionModel(run.model).parameters())
    rows = plan_memory(run, "fp32").rows
    assert rows["weights"] == rows["gradients"] == rows["average"] == 4 * count
    assert rows["moments"] == 8 * count
    adapted = replace(run, model=replace(run.model, lora_rank=2), weights="wan")
    model = lora.add_adapters(WorldActionModel(run.model), 2, 16.0)
    assert plan_memory(adapted, "fp32").rows["gradients"] == 4 * sum(
        z.numel() for z in lora.list_trained(model).values()
    )


def test_a_plan_adds_up() -> None:
    made = MemoryPlan({"a": GIB, "b": 2 * GIB})
    assert made.total == 3 * GIB
    assert made.fits_in(3 * GIB) and not made.fits_in(3 * GIB - 1)
    assert made.format_lines()[-1].split() == ["total", "3.00", "GiB"]


def test_nothing_is_allocated() -> None:
    assert all(value.is_meta for value in memory_plan.build_meta_model(large(16).model, half=True).parameters())


@pytest.mark.parametrize(("views", "low", "high"), [(("head", "wrist"), 30e6, 60e6), (VIEWS, 30e6, 60e6)])
def test_small_has_the_size_that_it_says(views: tuple[str, ...], low: float, high: float) -> None:
    model = memory_plan.build_meta_model(presets.small("aloha", views, 14, 14).model)
    assert low < sum(value.numel() for value in model.parameters()) < high
