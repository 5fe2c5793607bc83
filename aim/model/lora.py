# ruff: noqa: F722
"""Low-rank adapters (LoRA, arXiv 2106.09685) beside the frozen linear layers of the rgb and the map stream.

The adapters train, the action expert, and what belongs to maps, states and actions alone; all else of the wide streams
stands still and may be kept in half precision. A tensor keeps its name when its layer is adapted, so the table of
`aim.model.wan`, checkpoints and sharding by layers need to know nothing of adapters. i inputs, o outputs, r rank.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from aim.model.intent import ACTION
from aim.model.layers import JointLayer
from aim.model.world_action_model import WorldActionModel

ADAPTED_LINEARS = ("qkv", "out", "up", "down", "read_q", "read_kv", "read_out")  # linear layers of an expert
FROZEN_PREFIXES = ("embed.rgb.", "embed.text.", "heads.x.")  # beside the trunk's wide streams


class LoraLinear(nn.Module):
    """A linear layer that stands still and the low-rank answer beside it, which is nothing at first."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        """Take over the weights of `linear`; the first factor is drawn from torch's generator."""
        super().__init__()
        self.weight, self.bias, self.scale = linear.weight, linear.bias, alpha / rank
        place = linear.weight.device
        self.lora_a = nn.Parameter(torch.empty(rank, linear.in_features, device=place))
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, rank, device=place))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def forward(self, z: Float[Tensor, "b n i"]) -> Float[Tensor, "b n o"]:
        """Return the answers of both."""
        beside = F.linear(F.linear(z, self.lora_a), self.lora_b)
        return F.linear(z, self.weight, self.bias) + self.scale * beside

    def merge_weights(self) -> nn.Linear:
        """Return one linear layer that answers the same."""
        rows, columns = self.weight.shape
        linear = nn.Linear(columns, rows, device="meta")
        more = self.scale * self.lora_b @ self.lora_a
        linear.weight = nn.Parameter((self.weight.float() + more).to(self.weight.dtype).detach())
        linear.bias = nn.Parameter(self.bias.detach())
        return linear


def add_adapters(model: WorldActionModel, rank: int, alpha: float) -> WorldActionModel:
    """Give the model, in place, adapters of this rank, and let only those train and what is not frozen."""
    for expert, name in _list_adapted_layers(model):
        linear = expert.get_submodule(name)
        assert isinstance(linear, nn.Linear), f"{name} is adapted already"
        setattr(expert, name, LoraLinear(linear, rank, alpha))
    for name, value in model.named_parameters():
        value.requires_grad_(not is_frozen(name))
    return model


def cast_frozen_to_bf16(model: WorldActionModel) -> WorldActionModel:
    """Keep, in place, the weights that adapters stand beside in bfloat16; for use under autocast."""
    for expert, name in _list_adapted_layers(model):
        for value in (expert.get_parameter(f"{name}.{part}") for part in ("weight", "bias")):
            value.data = value.data.bfloat16()
    return model


def merge_adapters(model: WorldActionModel) -> WorldActionModel:
    """Add the adapters, in place, to the weights they stand beside; all weights may train again."""
    for expert, name in _list_adapted_layers(model):
        setattr(expert, name, cast(LoraLinear, expert.get_submodule(name)).merge_weights())
    return cast(WorldActionModel, model.requires_grad_(True))


def is_frozen(name: str) -> bool:
    """Tell whether the tensor of this name stands still where there are adapters."""
    parts = name.split(".")
    wide = parts[0] == "trunk" and ACTION not in parts and not parts[-1].startswith("lora_")
    return wide or name.startswith(FROZEN_PREFIXES)


def is_adapted(name: str) -> bool:
    """Tell whether the tensor of this name is a weight or a bias that an adapter stands beside."""
    parts = name.split(".")
    return is_frozen(name) and len(parts) > 1 and parts[1] == "layers" and parts[-2] in ADAPTED_LINEARS


def list_trained(model: nn.Module) -> dict[str, Tensor]:
    """Return by name the tensors that train: all that a checkpoint beside the frozen weights must hold."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def _list_adapted_layers(model: WorldActionModel) -> Iterator[tuple[nn.Module, str]]:
    """Yield each expert of a wide stream with the name of each of its layers that is adapted."""
    for layer in model.trunk.layers:
        for stream, expert in cast(JointLayer, layer).items():
            if stream != ACTION:
                yield from ((expert, name) for name in ADAPTED_LINEARS if name in dict(expert.named_children()))
