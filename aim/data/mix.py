"""Which variation the scene of a seed is drawn in: one for all, or two in turn."""

from __future__ import annotations

MIXES = ("clean", "random", "mixed")  # what a dataset may hold; what is kept for evaluation is none of them


def variation_of(mix: str, seed: int) -> str:
    """Return the variation of a seed: in a mixed dataset even seeds are clean and odd ones random."""
    if mix != "mixed":
        return mix
    return "random" if seed % 2 else "clean"
