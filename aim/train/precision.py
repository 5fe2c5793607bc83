"""Which numbers to compute with: bfloat16 where this machine is faster with it."""

from __future__ import annotations

import time
from typing import Literal

import torch
from torch import nn

from aim.config import Precision

Number = Literal["fp32", "bf16"]

SIDE, TIMES = 768, 4


def resolve(precision: Precision, device: torch.device) -> Number:
    """Return the precision to use; "auto" is bf16 on a GPU, and on a CPU where a matrix product is twice as fast."""
    if precision != "auto":
        return precision
    if device.type != "cpu":
        return "bf16"
    return "bf16" if _seconds(torch.bfloat16) < 0.5 * _seconds(torch.float32) else "fp32"


def autocast(number: Number, device: torch.device) -> torch.autocast:
    """Return the context in which `number` is computed with."""
    return torch.autocast(device.type, torch.bfloat16, enabled=number == "bf16")


def hold(model: nn.Module, number: Number) -> None:
    """Keep the weights of linear maps in the numbers they are used in, in place; autocast gives the same results."""
    if number == "bf16":
        for part in model.modules():
            if isinstance(part, nn.Linear):
                part.to(torch.bfloat16)


def _seconds(dtype: torch.dtype) -> float:
    """Return the fastest of a few matrix products; the first warms up."""
    a = torch.ones(SIDE, SIDE, dtype=dtype)
    best = float("inf")
    for _ in range(TIMES):
        start = time.perf_counter()
        torch.mm(a, a)
        best = min(best, time.perf_counter() - start)
    return best
