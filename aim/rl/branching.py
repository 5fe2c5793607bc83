"""Branching: several chunks are tried from one state, which is restored after each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aim.rl.facts import FactReader
from sim.envs.env import Env

ONGOING, SUCCESS, FAILURE = 0, 1, 2


@dataclass(frozen=True)
class Outcomes:
    """What c chunks of actions lead to in n worlds."""

    facts: NDArray[np.float32]  # (n c p) of the states that they end in
    outcome: NDArray[np.int8]  # (n c) ONGOING; SUCCESS: the task was solved; FAILURE: out of time, or physics failed


def try_chunks(env: Env, facts: FactReader, chunks: NDArray[np.float32]) -> Outcomes:
    """Return what carrying out each of `chunks` (n c k d) leads to; afterwards the worlds are as they were."""
    before = env.snapshot()
    found, outcome = [], []
    for number in range(chunks.shape[1]):
        result = env.step(chunks[:, number])
        found.append(facts.read_facts())
        outcome.append(np.where(result.success, SUCCESS, np.where(result.truncated, FAILURE, ONGOING)))
        env.restore(before)
    return Outcomes(np.stack(found, 1), np.stack(outcome, 1).astype(np.int8))
