"""How far a training is, and what follows from that: when to stop, how fast to learn, which numbers to draw."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch

from aim.config import TrainConfig

LAST = 0.02  # of the learning rate, at the end


def progress(config: TrainConfig, step: int, seconds: float) -> float:
    """Return how much of the training is done, 0 to 1: the nearer of its two limits counts."""
    by_clock = seconds / (60.0 * config.minutes) if config.minutes else 0.0
    return min(1.0, max(step / config.steps if config.steps else 0.0, by_clock))


def learning_rate(config: TrainConfig, step: int, done: float) -> float:
    """Return the learning rate: a linear rise over `warmup` steps, then a cosine down to a fiftieth."""
    rise = min(1.0, (step + 1) / max(config.warmup, 1))
    fall = LAST + (1.0 - LAST) * 0.5 * (1.0 + math.cos(math.pi * done))
    return config.lr * rise * fall


def generator(seed: int, stream: str, *numbers: int) -> torch.Generator:
    """Return the generator of a step, or of a row of a step: what it draws depends on (seed, stream, numbers) alone."""
    words = np.random.SeedSequence([seed, *stream.encode(), *numbers]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed((int(words[0]) << 31) ^ int(words[1]))


def rows(seed: int, stream: str, step: int, batch: int, count: int) -> np.ndarray:
    """Return the `batch` row numbers of one step: every row of `count` once an epoch, in an order of its own."""
    places = np.arange(step * batch, (step + 1) * batch)
    orders = {epoch: _order(seed, stream, epoch, count) for epoch in np.unique(places // count).tolist()}
    return np.array([orders[place // count][place % count] for place in places.tolist()])


@functools.lru_cache(maxsize=4)
def _order(seed: int, stream: str, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, *stream.encode(), epoch]).permutation(count)
