"""Out of memory, said in one line that names what to change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch

from aim.config import TrainConfig
from aim.train import checkpoint
from sim.types import UserError

REFUSED = "can't allocate memory"  # how torch says it of a CPU, in a plain RuntimeError


@contextlib.contextmanager
def named(config: TrainConfig, out: Path) -> Iterator[None]:
    """Turn running out of memory into a `UserError` that names what to change, and what remains in `out`."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not short(error):
            raise
        remedy = [f"a --batch-size below {config.batch_size}"]
        remedy += [] if config.checkpointing else ["--checkpointing"]
        less = f"{', '.join(remedy)} or a smaller preset needs less"
        raise UserError(f"out of memory; {checkpoint.remains(out)}; {less}") from error


def short(error: Exception) -> bool:
    """Tell whether an error means that there was not memory enough."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or REFUSED in str(error)
