"""Branching: several chunks are tried from one state, which is restored after each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aim.rl.facts import FactReader
from sim.envs.env import Env


@dataclass(frozen=True)
class Outcomes:
    """What c chunks of actions lead to in n worlds."""

    facts: NDArray[np.float32]  # (n c p) of the state they end in
    success: NDArray[np.bool_]  # (n c) the task was solved on the way
    failed: NDArray[np.bool_]  # (n c) the episode ended without: out of time, or physics failed


def try_chunks(env: Env, facts: FactReader, chunks: NDArray[np.float32]) -> Outcomes:
    """Return what carrying out each of `chunks` (n c k d) leads to; afterwards the worlds are as they were."""
    before = env.snapshot()
    found, success, failed = [], [], []
    for number in range(chunks.shape[1]):
        result = env.step(chunks[:, number])
        found.append(facts.read_facts())
        success.append(result.success)
        failed.append(result.truncated & ~result.success)
        env.restore(before)
    return Outcomes(np.stack(found, 1), np.stack(success, 1), np.stack(failed, 1))
