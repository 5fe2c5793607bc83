"""Training schedule: progress, learning rate, and the rows of each step."""

from __future__ import annotations

import functools
import math

import numpy as np

from aim.config import TrainConfig

FINAL_LR_FRACTION = 0.02  # of the learning rate, at the end


def compute_progress(config: TrainConfig, step: int, seconds: float) -> float:
    """Progress of the training, 0 to 1: the larger share of its limits of steps and minutes."""
    by_clock = seconds / (60.0 * config.minutes) if config.minutes else 0.0
    return min(1.0, max(step / config.steps if config.steps else 0.0, by_clock))


def compute_learning_rate(config: TrainConfig, step: int, progress: float) -> float:
    """Learning rate: linear warm-up over `warmup` steps, then cosine decay to FINAL_LR_FRACTION."""
    warmup_factor = min(1.0, (step + 1) / max(config.warmup, 1))
    decay_factor = FINAL_LR_FRACTION + (1.0 - FINAL_LR_FRACTION) * 0.5 * (1.0 + math.cos(math.pi * progress))
    return config.lr * warmup_factor * decay_factor


def select_rows(seed: int, stream: str, step: int, batch: int, count: int) -> np.ndarray:
    """Row numbers of a step's batch: every row of `count` once an epoch, shuffled for each epoch."""
    places = np.arange(step * batch, (step + 1) * batch)
    orders = {epoch: _shuffle_epoch(seed, stream, epoch, count) for epoch in np.unique(places // count).tolist()}
    return np.array([orders[place // count][place % count] for place in places.tolist()])


@functools.lru_cache(maxsize=4)
def _shuffle_epoch(seed: int, stream: str, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, *stream.encode(), epoch]).permutation(count)
