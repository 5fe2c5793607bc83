"""The optimizer of Stage I: AdamW or Muon, whose weight decay is for the matrices of linear maps alone.

Biases, gains of norms, tables of modulation, embeddings of positions and learned tokens do not decay: pulled to zero,
they would stand for something else, not for less.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aim.config import TrainConfig
from aim.train.muon import Muon
from sim.types import UserError

BETAS = (0.9, 0.95)


def check_optimizer(config: TrainConfig, num_processes: int) -> None:
    """Raise `UserError` where several processes would share what the optimizer needs as a whole."""
    if config.optimizer == "muon" and num_processes > 1:
        raise UserError("muon trains in one process, as it needs matrices as a whole; give --train.optimizer adamw")


def is_decayed(name: str, value: Tensor) -> bool:
    """Whether weight decay is for the parameter: the matrix of a linear map, or a factor of its adapter."""
    return value.ndim > 1 and name.rpartition(".")[2] in ("weight", "lora_a", "lora_b")


def build_optimizer(parameters: dict[str, Tensor], config: TrainConfig) -> torch.optim.Optimizer:
    """Optimizer of parameters by name: weight decay for `decayed` ones alone, and Muon for the matrices of the layers.

    Muon is for the layers' matrices where `config` asks for it; embeddings, heads and vectors have AdamW.
    """
    decayed = [value for name, value in parameters.items() if is_decayed(name, value)]
    others = [value for name, value in parameters.items() if not is_decayed(name, value)]
    if config.optimizer == "muon":
        names = [name for name, value in parameters.items() if is_decayed(name, value)]
        is_in_layer = [name.startswith("trunk.layers.") for name in names]
        matrices, ends = (
            [p for p, inside in zip(decayed, is_in_layer, strict=True) if inside == w] for w in (True, False)
        )
        return Muon(
            [
                {"params": matrices, "weight_decay": config.weight_decay, "muon": True},
                {"params": ends, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=config.lr, betas=BETAS,
        )  # fmt: skip
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=config.lr, betas=BETAS, fused=True,
    )  # fmt: skip
