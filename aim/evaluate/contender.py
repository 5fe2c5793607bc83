"""Who is evaluated: the expert, the random policy, or a checkpoint, each with what it needs to see."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.env import Env
from sim.types import Policy

Start = Callable[[Env, Sequence[int]], Policy]

DIGESTED = ("run.json", "transform.json", "codec.safetensors", "ema.safetensors")  # what a policy is made of


@dataclass(frozen=True)
class Contender:
    """A policy to be: `start` returns it for the copies of an Env that play the given seeds."""

    name: str
    digest: str  # of its weights, "" where there are none
    robot: str  # the only one it can drive, "" for any
    start: Start
    cameras: tuple[str, ...] = ()  # what it looks at; none: it is not shown pictures
    size: tuple[int, int] = (128, 128)
    settings: dict[str, Any] = field(default_factory=dict)  # whatever else decides what it does


def contender(policy: str) -> Contender:
    """Return who `policy` names: expert, random, or the folder of a checkpoint; `UserError` for none of these."""
    if policy == "expert":
        return Contender("expert", "", "", _expert)
    if policy == "random":
        return Contender("random", "", "", _random)
    return _checkpoint(Path(policy))


def _expert(env: Env, seeds: Sequence[int]) -> Policy:
    from sim.expert import Expert

    return Expert(env)


def _random(env: Env, seeds: Sequence[int]) -> Policy:
    from aim.evaluate.random_policy import RandomPolicy

    return RandomPolicy(env.robot, seeds)
