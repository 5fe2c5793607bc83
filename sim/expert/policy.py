"""The expert: plays a task's plan through skills, reading the simulator's state; one plan a copy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.envs.env import Env
from sim.expert.arm import ExpertContext, MotionGenerator
from sim.expert.executor import execute_plan
from sim.expert.ik import KinematicChain
from sim.types import ActionChunk, Observation


class ExpertPolicy:
    """A policy with privileged access to `env`, which must have been reset. `finished` (n,): whose plan has ended."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._chains = {arm.name: KinematicChain(arm) for arm in env.robot.arms}
        self._contexts = [self._create_context(i) for i in range(env.n)]
        self._motions = [self._start_plan(i) for i in range(env.n)]
        self.finished = np.zeros(env.n, bool)

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Start the plan anew in the copies where `mask` (n,) is true."""
        for i in np.flatnonzero(mask).tolist():
            self._contexts[i] = self._create_context(i)
            self._motions[i] = self._start_plan(i)
            self.finished[i] = False

    def act(self, observation: Observation | None = None) -> ActionChunk:
        """Return the next action of every copy (n 1 d); the observation is not needed."""
        for i, motion in enumerate(self._motions):
            if not self.finished[i] and not self._env.done[i]:
                self.finished[i] = next(motion, "end") == "end"
        return ActionChunk(np.stack([context.command for context in self._contexts])[:, None].astype(np.float32))

    def _create_context(self, env_index: int) -> ExpertContext:
        return ExpertContext(self._env.world.copies[env_index], self._chains)

    def _start_plan(self, env_index: int) -> MotionGenerator:
        return execute_plan(self._contexts[env_index], lambda: bool(self._env.success[env_index]))
