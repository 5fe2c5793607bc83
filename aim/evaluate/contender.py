"""Who is evaluated: the expert, the random policy, or a checkpoint, each with what it needs to see."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aim.evaluate.plan import Batch, Plan
from aim.evaluate.results import Identity
from sim.env import Env
from sim.types import STEPS_PER_PICTURE, Policy, UserError

if TYPE_CHECKING:
    from aim.policy import LearnedPolicy

Start = Callable[[Env, Batch], Policy]

DIGESTED = ("run.json", "transform.json", "codec.safetensors", "ema.safetensors")  # what a learned policy is made of
PRIVILEGED, FLOOR = "expert", "random"


@dataclass(frozen=True)
class Contender:
    """A policy to be: `start` returns it for an Env that plays a batch. It may be sent to other processes."""

    name: str
    start: Start
    digest: str = ""  # of its weights
    robot: str = ""  # the only one it can drive; "": any
    cameras: tuple[str, ...] = ()  # what it looks at; none: it is shown no pictures
    size: tuple[int, int] = (128, 128)  # height, width of the pictures that it is shown
    depth: bool = False  # whether it is shown depth beside them
    ahead: int = STEPS_PER_PICTURE  # control steps from one predicted picture to the next
    settings: Mapping[str, object] = field(default_factory=dict)  # what else decides how it acts

    def identity(self, plan: Plan) -> Identity:
        """Return whose results those of the plan will be."""
        return Identity(self.name, self.digest, plan.robot, plan.variation, self.settings)


def contender(policy: str, size: tuple[int, int] = (128, 128), device: str = "auto") -> Contender:
    """Return who `policy` names: expert, random, or the folder of a checkpoint; `UserError` for none of these."""
    if policy == PRIVILEGED:
        return Contender(PRIVILEGED, _expert, size=size)
    if policy == FLOOR:
        return Contender(FLOOR, _random, size=size)
    if not Path(policy).is_dir():
        raise UserError(f"no policy {policy!r}; give {PRIVILEGED}, {FLOOR} or the folder of a training or checkpoint")
    return _learned(Path(policy), size, device)


def robot_of(who: Contender, asked: str, default: str) -> str:
    """Return the robot to use; `UserError` where the policy was made for another than the one asked for."""
    if asked and who.robot and asked != who.robot:
        raise UserError(f"{who.name} drives the robot {who.robot!r}, not {asked!r}")
    return asked or who.robot or default


def _expert(env: Env, batch: Batch) -> Policy:
    from sim.expert import Expert

    return Expert(env)


def _random(env: Env, batch: Batch) -> Policy:
    from aim.evaluate.random_policy import RandomPolicy

    return RandomPolicy(env.robot, batch.seeds)


def _learned(path: Path, size: tuple[int, int], device: str) -> Contender:
    from aim import machine
    from aim.train import checkpoint

    folder = checkpoint.newest(path)
    where = str(machine.device(device))
    digest = _digest(folder)
    loaded = _loaded(folder, where, digest)
    return Contender(
        name=f"{loaded.run.preset} {folder.name}",
        start=functools.partial(_learner, folder, where, digest),
        digest=digest,
        robot=loaded.run.robot,
        cameras=loaded.cameras,
        size=size,
        depth=loaded.run.model.geometry,
        ahead=loaded.run.model.actions_per_frame,
        settings={
            "size": list(size),
            "execute": loaded.execute,
            "video_steps": loaded.video_steps,
            "action_steps": loaded.action_steps,
            "policy_seed": loaded.seed,
        },
    )


def _learner(folder: Path, where: str, digest: str, env: Env, batch: Batch) -> Policy:
    from aim.policy import LearnedPolicy

    loaded = _loaded(folder, where, digest)
    return LearnedPolicy(
        loaded.run, loaded.transform, loaded.codec, loaded.model, imagine=batch.filmed, number=loaded.number
    )


@functools.lru_cache(maxsize=1)
def _loaded(folder: Path, where: str, digest: str) -> LearnedPolicy:
    """Return the policy, read once in every process; the digest makes other weights another policy."""
    from aim.policy import load_policy

    return load_policy(folder, device=where)


def _digest(folder: Path) -> str:
    """Return the SHA-256 of all files that decide what a checkpoint does."""
    total = hashlib.sha256()
    for name in DIGESTED:
        with (folder / name).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
