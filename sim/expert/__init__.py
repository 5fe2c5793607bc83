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
    """A policy with privileged access to `env`. `finished` (n,) tells whose plan has ended."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._chains = {arm.name: Chain(arm) for arm in env.robot.arms}
        self.reset(np.ones(env.n, bool))

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Start the plan anew in the copies where `mask` (n,) is true; the environment must have been reset."""
        if not hasattr(self, "finished"):
            self.finished = np.ones(self._env.n, bool)
            self._actors: list[Actor | None] = [None] * self._env.n
            self._motions: list[Motion | None] = [None] * self._env.n
        for i in np.nonzero(mask)[0]:
            if i < len(self._env.world.copies):
                self._actors[i] = actor = Actor(self._env.world.copies[i], self._chains)
                self._motions[i] = _play(actor)
                self.finished[i] = False

    def act(self, observation: Observation | None = None) -> Chunk:
        """Return the next action of every copy (n 1 d); the observation is not needed."""
        for i, motion in enumerate(self._motions):
            if motion is not None and not self.finished[i] and not self._env.done[i]:
                self.finished[i] = next(motion, "end") == "end"
        commands = [np.array(self._env.robot.home) if actor is None else actor.command for actor in self._actors]
        return Chunk(np.stack(commands)[:, None].astype(np.float32))


def _play(actor: Actor) -> Motion:
    """Run the plan; a skill that fails is planned again from where things are now."""
    for item in actor.copy.task.plan:
        for attempt in range(RETRIES + 1):
            try:
                yield from start(item, actor)
                break
            except Failed as f:
                print("FAILED",actor.copy.scene.seed,item.name,item.args.get('arm'),f)
                if attempt == RETRIES:
                    return
                yield
    for _ in range(LINGER):
        yield
