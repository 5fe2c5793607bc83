"""The expert: plays a task's plan through skills, reading the simulator's state; one plan a copy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.env import Env
from sim.expert.actor import Actor, Failed, Motion
from sim.expert.ik import Chain
from sim.skills import start
from sim.types import Chunk, Observation

RETRIES = 3  # times a skill that failed is planned anew
LINGER = 10  # control steps to stay after the plan has ended


class Expert:
    """A policy with privileged access to `env`, which must have been reset. `finished` (n,): whose plan has ended."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._chains = {arm.name: Chain(arm) for arm in env.robot.arms}
        self._actors = [Actor(copy, self._chains) for copy in env.world.copies]
        self._motions = [_play(actor) for actor in self._actors]
        self.finished = np.zeros(env.n, bool)

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Start the plan anew in the copies where `mask` (n,) is true."""
        for i in np.nonzero(mask)[0]:
            self._actors[i] = Actor(self._env.world.copies[i], self._chains)
            self._motions[i] = _play(self._actors[i])
            self.finished[i] = False

    def act(self, observation: Observation | None = None) -> Chunk:
        """Return the next action of every copy (n 1 d); the observation is not needed."""
        for i, motion in enumerate(self._motions):
            if not self.finished[i] and not self._env.done[i]:
                self.finished[i] = next(motion, "end") == "end"
        return Chunk(np.stack([actor.command for actor in self._actors])[:, None].astype(np.float32))


def _play(actor: Actor) -> Motion:
    """Run the plan; a skill that fails is planned again from where things are now."""
    for item in actor.copy.task.plan:
        for attempt in range(RETRIES + 1):
            try:
                yield from start(item, actor)
                break
            except Failed:
                if attempt == RETRIES:
                    return
                yield
    for _ in range(LINGER):
        yield
