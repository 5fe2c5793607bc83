"""Scene variations of a dataset: one for all seeds, or two alternating."""

from __future__ import annotations

DATASET_VARIATIONS = (
    "clean",
    "random",
    "mixed",
)  # what a dataset may hold; what is kept for evaluation is none of them


def choose_variation(dataset_variation: str, seed: int) -> str:
    """Variation of a seed; in a mixed dataset even seeds are clean and odd ones random."""
    if dataset_variation != "mixed":
        return dataset_variation
    return "random" if seed % 2 else "clean"
