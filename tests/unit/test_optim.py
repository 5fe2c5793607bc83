"""Weight decay is for the matrices of linear maps alone, in every preset and variant."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from models import CONFIGS
from torch import nn

from aim.config import Optimizer, TrainConfig
from aim.model import lora
from aim.model.world_action_model import WorldActionModel
from aim.train.optim import build_optimizer, is_decayed

CONFIG = TrainConfig(steps=1, batch_size=1, lr=0.1, weight_decay=0.5)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_decays_are_the_weights_of_linear_maps(name: str) -> None:
    with torch.device("meta"):
        model = WorldActionModel(CONFIGS[name])
    matrices = {id(part.weight) for part in model.modules() if isinstance(part, nn.Linear)}
    for parameter, value in model.named_parameters():
        assert is_decayed(parameter, value) == (id(value) in matrices), parameter


def test_adapters_decay_with_what_they_stand_beside() -> None:
    model = lora.add_adapters(WorldActionModel(CONFIGS["shared-map"]), 2, 2.0)
    decayed = {name for name, value in lora.list_trained(model).items() if is_decayed(name, value)}
    assert any(name.endswith("lora_a") for name in decayed) and any(name.endswith("lora_b") for name in decayed)


def test_a_step_without_gradient_shrinks_matrices_and_leaves_all_else() -> None:
    model = WorldActionModel(CONFIGS["tiny-paper"])
    values = dict(model.named_parameters())
    before = {name: value.detach().clone() for name, value in values.items()}
    for value in values.values():
        value.grad = torch.zeros_like(value)
    build_optimizer(dict(values), CONFIG).step()
    for name, value in values.items():
        shrunk = before[name] * (1 - 0.1 * 0.5) if is_decayed(name, value) else before[name]
        torch.testing.assert_close(value.detach(), shrunk)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_moments_fade_by_a_tenth_and_by_a_twentieth_a_step(optimizer: Optimizer) -> None:
    """Gradients 1 and 3: means 0.1 and 0.39, of squares 0.05 and 0.4975, over 1 - 0.9² and 1 - 0.95²."""
    bias = nn.Parameter(torch.zeros(1))
    stepper = build_optimizer({"some.bias": bias}, replace(CONFIG, optimizer=optimizer))
    places = []
    for gradient in (1.0, 3.0):
        bias.grad = torch.tensor([gradient])
        stepper.step()
        places.append(bias.item())
    second = (0.39 / 0.19) / (0.4975 / 0.0975) ** 0.5
    assert places == pytest.approx([-0.1, -0.1 - 0.1 * second], rel=1e-5)
