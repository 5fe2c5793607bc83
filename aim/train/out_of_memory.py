"""Out-of-memory errors as one line that names what to change."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

from sim.types import UserError

# how torch says it, in a plain RuntimeError: of a processor; of a GPU's context or pinned memory; of its libraries
OUT_OF_MEMORY_MESSAGES = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


@contextlib.contextmanager
def explain_out_of_memory(describe_remains: Callable[[], str], *remedies: str) -> Iterator[None]:
    """Turn an out-of-memory error into a `UserError` with the remaining checkpoint and the remedies."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"out of memory; {describe_remains()}; {' or '.join(remedies)} needs less") from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        said in str(error) for said in OUT_OF_MEMORY_MESSAGES
    )
