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
    """Optimizer of parameters by name, with weight decay for those that `is_decayed` names.

    The matrices of the layers have Muon where `config` asks for it; embeddings, heads and vectors have AdamW.
    """
    decayed = {name: value for name, value in parameters.items() if is_decayed(name, value)}
    others = {"params": [value for name, value in parameters.items() if name not in decayed], "weight_decay": 0.0}
    if config.optimizer == "muon":
        inner = [value for name, value in decayed.items() if name.startswith("trunk.layers.")]
        ends = [value for name, value in decayed.items() if not name.startswith("trunk.layers.")]
        groups = [
            {"params": inner, "weight_decay": config.weight_decay, "muon": True},
            {"params": ends, "weight_decay": config.weight_decay},
            others,
        ]
        return Muon(groups, lr=config.lr, betas=BETAS)
    groups = [{"params": list(decayed.values()), "weight_decay": config.weight_decay}, others]
    return torch.optim.AdamW(groups, lr=config.lr, betas=BETAS, fused=True)
