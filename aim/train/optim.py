"""The optimizer of Stage I: AdamW whose weight decay is for the matrices of linear maps alone.

Biases, gains of norms, tables of modulation, embeddings of positions and learned tokens do not decay: pulled to zero,
they would stand for something else, not for less.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aim.config import TrainConfig

BETAS = (0.9, 0.95)


def is_decayed(name: str, value: Tensor) -> bool:
    """Whether weight decay is for the parameter: the matrix of a linear map, or a factor of its adapter."""
    return value.ndim > 1 and name.rpartition(".")[2] in ("weight", "lora_a", "lora_b")


def build_optimizer(parameters: dict[str, Tensor], config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW over parameters by name, in two groups: with the weight decay of `config`, and without any."""
    decayed = [value for name, value in parameters.items() if is_decayed(name, value)]
    others = [value for name, value in parameters.items() if not is_decayed(name, value)]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=config.lr, betas=BETAS, fused=True,
    )  # fmt: skip
