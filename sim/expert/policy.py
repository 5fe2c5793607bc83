"""The expert: plays a task's plan through skills, reading the simulator's state; one plan a copy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.envs.env import Env
from sim.expert.arm import Actor, Motion
from sim.expert.executor import play
from sim.expert.ik import Chain
from sim.types import Chunk, Observation


class Expert:
    """A policy with privileged access to `env`, which must have been reset. `finished` (n,): whose plan has ended."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._chains = {arm.name: Chain(arm) for arm in env.robot.arms}
        self._actors = [self._actor(i) for i in range(env.n)]
        self._motions = [self._motion(i) for i in range(env.n)]
        self.finished = np.zeros(env.n, bool)

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Start the plan anew in the copies where `mask` (n,) is true."""
        for i in np.flatnonzero(mask).tolist():
            self._actors[i] = self._actor(i)
            self._motions[i] = self._motion(i)
            self.finished[i] = False

    def act(self, observation: Observation | None = None) -> Chunk:
        """Return the next action of every copy (n 1 d); the observation is not needed."""
        for i, motion in enumerate(self._motions):
            if not self.finished[i] and not self._env.done[i]:
                self.finished[i] = next(motion, "end") == "end"
        return Chunk(np.stack([actor.command for actor in self._actors])[:, None].astype(np.float32))

    def _actor(self, i: int) -> Actor:
        return Actor(self._env.world.copies[i], self._chains)

    def _motion(self, i: int) -> Motion:
        return play(self._actors[i], lambda: bool(self._env.success[i]))
