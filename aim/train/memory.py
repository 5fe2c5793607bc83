"""Out of memory, said in one line that names what to change."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch

from sim.types import UserError

# how torch says it, in a plain RuntimeError: of a processor; of a GPU's context or pinned memory; of its libraries
REFUSED = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


@contextlib.contextmanager
def named(remains: Callable[[], str], *remedies: str) -> Iterator[None]:
    """Turn running out of memory into a `UserError` that says what remains and names what needs less."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not short(error):
            raise
        raise UserError(f"out of memory; {remains()}; {' or '.join(remedies)} needs less") from error


def short(error: Exception) -> bool:
    """Tell whether an error means that there was not memory enough."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(said in str(error) for said in REFUSED)
