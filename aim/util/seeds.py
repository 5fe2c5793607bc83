"""Random generators that follow from names and numbers alone, whatever was drawn before."""

from __future__ import annotations

import numpy as np
import torch


def make_generator(seed: int, stream: str, *numbers: int) -> torch.Generator:
    """Generator seeded by (seed, stream, numbers) alone: of a training step, of a row of one, or of a control step."""
    words = np.random.SeedSequence([seed, *stream.encode(), *numbers]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed((int(words[0]) << 31) ^ int(words[1]))
