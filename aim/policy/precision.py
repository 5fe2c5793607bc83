"""Compute precision: bfloat16 where the device has instructions for it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from aim.config import Precision

ComputePrecision = Literal["fp32", "bf16"]


def resolve_precision(precision: Precision, device: torch.device) -> ComputePrecision:
    """Compute precision; "auto" is bf16 on a GPU and on a CPU with instructions for it, elsewhere fp32.

    Without such instructions products of bfloat16 take up to a hundred times as long as those of single precision.
    """
    if precision != "auto":
        return precision
    if device.type != "cpu":
        return "bf16"
    return "bf16" if has_native_bf16() else "fp32"


def autocast(precision: ComputePrecision, device: torch.device) -> torch.autocast:
    """Autocast context of a precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def cast_linear_weights(model: nn.Module, precision: ComputePrecision) -> None:
    """Store the weights of linear layers in the compute precision, in place; autocast gives the same results.

    A model that was trained beside weights of half precision has them in single precision then, where that computes.
    """
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    for part in model.modules():
        if isinstance(part, nn.Linear):
            part.to(dtype)


def has_native_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices by instructions of its own (AVX-512 BF16, AMX, Arm BF16)."""
    return any(found for name, found in torch.cpu.get_capabilities().items() if "bf16" in name)
