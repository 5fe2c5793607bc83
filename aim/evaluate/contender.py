"""Who is evaluated: the expert, the random policy, or a checkpoint, each with what it needs to see."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aim.evaluate.plan import Batch, EvaluationPlan
from aim.evaluate.results import Identity
from sim.envs.env import Env
from sim.types import STEPS_PER_IMAGE, Policy, UserError

if TYPE_CHECKING:
    from aim.policy import LearnedPolicy
    from aim.train.precision import Number

Start = Callable[[Env, Batch], Policy]

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
    ahead: int = STEPS_PER_IMAGE  # control steps from one predicted picture to the next
    settings: Mapping[str, object] = field(default_factory=dict)  # what else decides how it acts

    def identity(self, plan: EvaluationPlan) -> Identity:
        """Return whose results those of the plan will be."""
        settings = {**self.settings, "first_seed": plan.first}
        return Identity(self.name, self.digest, plan.robot, plan.variation, settings)


def contender(
    policy: str, size: tuple[int, int] | None = None, device: str = "auto", policy_seed: int = 0
) -> Contender:
    """Return who `policy` names: expert, random, or the folder of a checkpoint; `UserError` for none of these.

    A learned one is shown pictures of the `size` that it learned from, unless another is given.
    """
    if policy == PRIVILEGED:
        return Contender(PRIVILEGED, _expert, size=size or (128, 128))
    if policy == FLOOR:
        return Contender(FLOOR, _random, size=size or (128, 128))
    if not Path(policy).is_dir():
        raise UserError(f"no policy {policy!r}; give {PRIVILEGED}, {FLOOR} or the folder of a training or checkpoint")
    return _learned(Path(policy), size, device, policy_seed)


def robot_of(who: Contender, asked: str, default: str) -> str:
    """Return the robot to use; `UserError` where the policy was made for another than the one asked for."""
    if asked and who.robot and asked != who.robot:
        raise UserError(f"{who.name} drives the robot {who.robot!r}, not {asked!r}")
    return asked or who.robot or default


def _expert(env: Env, batch: Batch) -> Policy:
    from sim.expert.policy import ExpertPolicy

    return ExpertPolicy(env)


def _random(env: Env, batch: Batch) -> Policy:
    from aim.evaluate.random_policy import RandomPolicy

    return RandomPolicy(env.robot, batch.seeds)


def _learned(path: Path, asked: tuple[int, int] | None, device: str, policy_seed: int) -> Contender:
    import torch

    from aim import config
    from aim.train import checkpoint, precision
    from aim.util import console, machine

    folder = checkpoint.newest(path)
    where = str(machine.resolve_device(device))
    number = precision.resolve(config.load(folder).train.precision, torch.device(where))
    digest = checkpoint.digest(folder)
    loaded = _loaded(folder, where, digest, number)
    height, width = learned = loaded.transform.size
    size = asked or learned
    if size[0] * width != size[1] * height:
        console.print_note(f"note: it learned from pictures of {height}x{width}, which show another part of the scene")
    return Contender(
        name=f"{loaded.run.preset} {folder.name}",
        start=functools.partial(_learner, folder, where, digest, number, policy_seed),
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
            "policy_seed": policy_seed,
            "precision": loaded.number,
            "device": loaded.device.type,
        },
    )


def _learner(folder: Path, where: str, digest: str, number: Number, policy_seed: int, env: Env, batch: Batch) -> Policy:
    from aim.policy import LearnedPolicy

    loaded = _loaded(folder, where, digest, number)
    return LearnedPolicy(
        loaded.run, loaded.transform, loaded.codec, loaded.model, seed=policy_seed, imagine=batch.filmed,
        number=loaded.number, worlds=batch.seeds,
    )  # fmt: skip


@functools.lru_cache(maxsize=1)
def _loaded(folder: Path, where: str, digest: str, number: Number) -> LearnedPolicy:
    """Return the policy, read once in every process; the digest makes other weights another policy."""
    from aim.policy import load_policy

    return load_policy(folder, device=where, number=number)
