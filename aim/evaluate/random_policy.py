"""Random baseline: joint targets on a mean-reverting random walk about the home posture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Embodiment
from sim.types import CONTROL_HZ, ActionChunk, Observation

RANDOM_CHUNK_STEPS = 16  # actions
CORRELATION_TIME_S = 1.0  # after this time a walk has forgotten all but 1/e of where it was
OFFSET_STD_RAD = 0.35  # standard deviation about home, radians; grippers count 0 closed to 1 open


class RandomPolicy:
    """Random walk of each world from its own seed, independent of the batch and of the other worlds."""

    def __init__(self, robot: Embodiment, seeds: Sequence[int]) -> None:
        self._seeds = tuple(seeds)
        self._home = np.asarray(robot.home_action, np.float64)
        self._low, self._high = np.asarray(robot.action_limits, np.float64).T
        self._random = [np.random.default_rng(seed) for seed in self._seeds]
        self._offset = np.zeros((len(self._seeds), len(self._home)))

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Restart the walks of the masked worlds at home, from their seeds."""
        for i in np.flatnonzero(mask):
            self._random[i] = np.random.default_rng(self._seeds[i])
            self._offset[i] = 0.0

    def act(self, observation: Observation) -> ActionChunk:
        """Next RANDOM_CHUNK_STEPS targets of a first-order autoregressive walk, clipped to the joint limits."""
        decay = np.exp(-1.0 / (CORRELATION_TIME_S * CONTROL_HZ))
        noise_scale = OFFSET_STD_RAD * np.sqrt(
            1 - decay * decay
        )  # makes OFFSET_STD_RAD the walk's stationary deviation
        noise = np.stack([random.standard_normal((RANDOM_CHUNK_STEPS, len(self._home))) for random in self._random])
        actions = np.empty_like(noise)
        for step in range(RANDOM_CHUNK_STEPS):
            self._offset = decay * self._offset + noise_scale * noise[:, step]
            actions[:, step] = np.clip(self._home + self._offset, self._low, self._high)
        return ActionChunk(actions.astype(np.float32))
