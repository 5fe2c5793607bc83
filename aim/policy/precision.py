"""Compute precision: bfloat16 where the machine is faster with it."""

from __future__ import annotations

import time
from typing import Literal

import torch
from torch import nn

from aim.config import Precision

ComputePrecision = Literal["fp32", "bf16"]

PROBE_MATRIX_SIZE, NUM_PROBES = 768, 4


def resolve_precision(precision: Precision, device: torch.device) -> ComputePrecision:
    """Compute precision; "auto" is bf16 on a GPU, and on a CPU whose matrix products are twice as fast in it."""
    if precision != "auto":
        return precision
    if device.type != "cpu":
        return "bf16"
    return "bf16" if _time_product(torch.bfloat16) < 0.5 * _time_product(torch.float32) else "fp32"


def autocast(precision: ComputePrecision, device: torch.device) -> torch.autocast:
    """Autocast context of a precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def cast_linear_weights(model: nn.Module, precision: ComputePrecision) -> None:
    """Store the weights of linear layers in the compute precision, in place; autocast gives the same results."""
    if precision == "bf16":
        for part in model.modules():
            if isinstance(part, nn.Linear):
                part.to(torch.bfloat16)


def _time_product(dtype: torch.dtype) -> float:
    """Fastest of a few matrix products in seconds; the first warms up."""
    a = torch.ones(PROBE_MATRIX_SIZE, PROBE_MATRIX_SIZE, dtype=dtype)
    best = float("inf")
    for _ in range(NUM_PROBES):
        start = time.perf_counter()
        torch.mm(a, a)
        best = min(best, time.perf_counter() - start)
    return best
