"""The expert: plays a task's plan through skills, reading the simulator's state; one plan a copy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.embodiment.kinematics import KinematicChain
from sim.envs.env import Env
from sim.expert.arm import ExpertContext, MotionGenerator
from sim.expert.executor import execute_plan
from sim.task.spec import describe_item
from sim.types import ActionChunk, Observation


class ExpertPolicy:
    """Scripted expert with privileged access to `env`, which must have been reset.

    `finished` (n,) says whose plan has ended; a world without a scene has none.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self._chains = {arm.name: KinematicChain(arm) for arm in env.robot.arms}
        self._contexts: list[ExpertContext | None] = [None] * env.n
        self._motions: list[MotionGenerator] = [iter(())] * env.n
        self.finished = np.ones(env.n, bool)
        self.reset(np.ones(env.n, bool))

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Start the plan anew, from whatever state they are in, in the worlds where `mask` (n,) is true."""
        for i in np.flatnonzero(mask).tolist():
            has_scene = self._env.scenes.scenes[i] is not None
            context = ExpertContext(self._env.world_view(i), self._chains) if has_scene else None
            self._contexts[i] = context
            self._motions[i] = iter(()) if context is None else self._start_plan(i, context)
            self.finished[i] = context is None

    def act(self, observation: Observation | None = None) -> ActionChunk:
        """Return the next action of every world (n 1 d); the observation is not needed."""
        for i, motion in enumerate(self._motions):
            if not self.finished[i] and not self._env.done[i]:
                self.finished[i] = next(motion, "end") == "end"
        home = np.array(self._env.robot.home_action)
        commands = [home if context is None else context.command for context in self._contexts]
        return ActionChunk(np.stack(commands)[:, None].astype(np.float32))

    def _start_plan(self, index: int, context: ExpertContext) -> MotionGenerator:
        return execute_plan(context, lambda: bool(self._env.success[index]))

    def describe_failure(self, index: int) -> str:
        """Return why a world's attempt has not succeeded, "" if it has: the skill, its reason, what does not hold."""
        env, context = self._env, self._contexts[index]
        if env.success[index]:
            return ""
        if context is None or env.failure[index]:
            return env.failure[index]
        reason = context.last_failure or "the plan was carried out"
        if not self.finished[index]:
            reason = f"timed out in {context.present_skill}" + (
                f" after {context.last_failure}" if context.last_failure else ""
            )
        unmet = [
            describe_item(item)
            for item, holds in zip(env.task.success, env.predicates[index], strict=True)
            if not holds
        ]
        return f"{reason}; does not hold: {', '.join(unmet)}"
