"""Facts: what the critic, which may look into the simulator, is told of a state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.envs.env import Env
from sim.task.condition import SuccessCondition


class FactReader:
    """Reads the facts of the worlds of an environment."""

    def __init__(self, env: Env) -> None:
        """Read from `env`."""
        self.env = env
        self._condition = SuccessCondition(env.task)

    @property
    def size(self) -> int:
        """p: how many facts there are of a state."""
        return self.env.privileged_size + len(self.env.task.success) + 1

    def read_facts(self) -> NDArray[np.float32]:
        """Return facts (n p): the privileged state, the score of each success predicate, the share of time left."""
        left = 1.0 - self.env.steps / self.env.max_steps
        parts = self.env.privileged_state(), self.read_scores(), left[:, None]
        return np.nan_to_num(np.concatenate(parts, axis=1)).astype(np.float32)

    def read_scores(self) -> NDArray[np.float64]:
        """Return how far each success predicate (n s) is satisfied, 0 to 1; 1 for one that holds."""
        return np.where(self.env.predicates, 1.0, self._condition.evaluate(self.env.view).scores)
