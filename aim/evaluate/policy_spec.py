"""Policy specifications: expert, random policy, checkpoint, class or server, each with the observations it needs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aim.data.action_space import find_channel_difference
from aim.evaluate.plan import EvaluationPlan, SeedBatch
from aim.evaluate.plugin_policy import (
    check_cameras,
    compute_source_digest,
    is_plugin_reference,
    list_cameras,
    make_plugin_policy,
)
from aim.evaluate.results import ResultsIdentity
from aim.serve.client import RemotePolicy, is_address
from aim.serve.description import PolicyDescription
from aim.util import console
from sim import DEFAULT_ROBOT, robots
from sim.envs.env import Env
from sim.types import STEPS_PER_IMAGE, Policy, UserError

if TYPE_CHECKING:
    from aim.policy import LearnedPolicy

MakePolicy = Callable[[Env, SeedBatch], Policy]

EXPERT, RANDOM = "expert", "random"


@dataclass(frozen=True)
class PolicySpec:
    """Picklable specification of a policy; `make_policy` creates it for an Env that runs a batch."""

    name: str
    make_policy: MakePolicy
    digest: str = ""  # of its weights
    robot: str = ""  # the only one it can drive; "": any
    cameras: tuple[str, ...] = ()  # what it looks at; none: it is shown no pictures
    size: tuple[int, int] = (128, 128)  # height, width of the pictures that it is shown
    depth: bool = False  # whether it is shown depth beside them
    steps_per_prediction: int = STEPS_PER_IMAGE  # control steps from one predicted picture to the next
    settings: Mapping[str, object] = field(default_factory=dict)  # what else decides how it acts
    variant: str = ""  # of its model, "+geometry" where tokens carry positions

    def make_for_seeds(self, env: Env, seeds: Sequence[int]) -> Policy:
        """Policy for an environment that runs the scenes of some seeds, none of which is filmed."""
        return self.make_policy(env, SeedBatch(tuple(seeds), filmed=False))

    def check_recording(self, robot: str, cameras: Sequence[str], size: tuple[int, int], depth: bool) -> None:
        """Raise `UserError` where the policy cannot act on what a dataset records, for it is shown just that."""
        lacking = [name for name in self.cameras if name not in cameras]
        if self.robot and self.robot != robot:
            raise UserError(f"{self.name} drives the robot {self.robot!r}, not {robot!r}; give --robot {self.robot}")
        if lacking:
            needed = ",".join(dict.fromkeys((*cameras, *lacking)))
            raise UserError(f"{self.name} looks at {', '.join(self.cameras)}; give --cameras {needed}")
        if self.cameras and self.size != size:
            shown, recorded = ("x".join(map(str, sides)) for sides in (self.size, size))
            raise UserError(f"{self.name} looks at pictures of {shown}, not {recorded}; give --size {shown}")
        if self.depth and not depth:
            raise UserError(f"{self.name} looks at depth; give --depth")

    def make_identity(self, plan: EvaluationPlan) -> ResultsIdentity:
        """Identity under which the results of a plan are stored."""
        settings = {**self.settings, "first_seed": plan.first_seed}
        return ResultsIdentity(self.name, self.digest, plan.robot, plan.variation, settings)


def parse_policy(
    policy: str, size: tuple[int, int] | None = None, device: str = "auto", policy_seed: int = 0, robot: str = "",
    candidates: int | None = None,
) -> PolicySpec:  # fmt: skip
    """Policy specification of "expert", "random", MODULE:CLASS, HOST:PORT or a checkpoint; else `UserError`.

    A checkpoint is a folder, or the name of a policy that comes with the project. A learned policy is shown pictures
    of the `size` that it learned from, unless another is given; one with a verifier chooses among `candidates` chunks,
    or among as many as the verifier learned from.
    """
    if candidates is not None and (policy in (EXPERT, RANDOM) or is_address(policy) or is_plugin_reference(policy)):
        raise UserError("--candidates is for the folder or the name of a policy with a verifier")
    if policy == EXPERT:
        return PolicySpec(EXPERT, _make_expert, size=size or (128, 128))
    if policy == RANDOM:
        return PolicySpec(RANDOM, _make_random_policy, size=size or (128, 128))
    if is_address(policy):
        return _parse_address(policy, size, policy_seed)
    if is_plugin_reference(policy):
        body, shown = robots.load_robot(robot or DEFAULT_ROBOT), size or (128, 128)
        return PolicySpec(
            policy, functools.partial(_make_plugin, policy), compute_source_digest(policy), body.name,
            list_cameras(policy, body), shown, settings={"size": list(shown)},
        )  # fmt: skip
    from aim.policy.shipped import describe_valid_names, locate_policy

    if locate_policy(Path(policy)) is None:
        raise UserError(
            f"no policy {policy!r}; give {EXPERT}, {RANDOM}, the folder of a training or checkpoint, MODULE:CLASS, "
            f"HOST:PORT of a policy server, {describe_valid_names()}"
        )
    return _parse_checkpoint(Path(policy), size, device, policy_seed, candidates)


def resolve_robot(spec: PolicySpec, requested: str, default: str) -> str:
    """Robot to evaluate on; `UserError` if the policy was trained for another than the requested one."""
    if requested and spec.robot and requested != spec.robot:
        raise UserError(f"{spec.name} drives the robot {spec.robot!r}, not {requested!r}")
    return requested or spec.robot or default


def _make_expert(env: Env, batch: SeedBatch) -> Policy:
    from sim.expert.policy import ExpertPolicy

    return ExpertPolicy(env)


def _make_plugin(reference: str, env: Env, batch: SeedBatch) -> Policy:
    return make_plugin_policy(reference, env.robot)


def _make_random_policy(env: Env, batch: SeedBatch) -> Policy:
    from aim.evaluate.random_policy import RandomPolicy

    return RandomPolicy(env.robot, batch.seeds)


def _parse_checkpoint(
    path: Path, requested_size: tuple[int, int] | None, device: str, policy_seed: int, candidates: int | None
) -> PolicySpec:
    from aim.policy.checkpoint import compute_digest, resolve_checkpoint
    from aim.serve.learned import describe_policy
    from aim.util import machine

    folder, device_name = resolve_checkpoint(path), str(machine.resolve_device(device))
    digest = compute_digest(folder)
    described = describe_policy(_load_policy_cached(folder, device_name, digest, candidates), folder.name, digest)
    make_policy = functools.partial(_make_learned_policy, folder, device_name, digest, policy_seed, candidates)
    return _make_spec(str(path), described, make_policy, requested_size, policy_seed)


def _parse_address(address: str, requested_size: tuple[int, int] | None, policy_seed: int) -> PolicySpec:
    """Specification of the policy that a server at HOST:PORT holds."""
    described = RemotePolicy(address).description
    if described.own_units:
        raise UserError(f"{address} speaks the units of its recordings; serve it without --own-units to evaluate it")
    make_policy = functools.partial(_make_remote_policy, address, described.digest, policy_seed)
    return _make_spec(address, described, make_policy, requested_size, policy_seed)


def _make_spec(
    source: str, described: PolicyDescription, make_policy: MakePolicy, requested_size: tuple[int, int] | None,
    policy_seed: int,
) -> PolicySpec:  # fmt: skip
    """Specification of a learned policy that `source` names; `UserError` where its robot has other channels."""
    _check_robot(source, described)
    height, width = described.size
    size = requested_size or described.size
    if size[0] * width != size[1] * height:
        console.print_note(f"note: it learned from pictures of {height}x{width}, which show another part of the scene")
    return PolicySpec(
        name=described.name, make_policy=make_policy, digest=described.digest, robot=described.robot,
        cameras=described.cameras, size=size, depth=described.depth,
        steps_per_prediction=described.steps_per_prediction, variant=described.variant,
        settings={
            "size": list(size), "execute": described.execution_horizon, "policy_seed": policy_seed,
            **described.settings,
        },
    )  # fmt: skip


def _check_robot(source: str, described: PolicyDescription) -> None:
    """Raise `UserError` where a policy has channels or cameras that the simulated robot of its name has not."""
    from aim.data.formats.simulated import describe_robot_space

    if described.robot not in robots.list_robots():
        return
    robot = robots.load_robot(described.robot)
    space = describe_robot_space(robot)
    for part, ours in (("state", described.state_space), ("action", described.action_space)):
        if difference := find_channel_difference(space, ours):
            raise UserError(f"{source} is not for the simulated robot {robot.name!r}: in its {part} {difference}")
    check_cameras(source, described.cameras, robot)


def _make_learned_policy(
    folder: Path, device_name: str, digest: str, policy_seed: int, candidates: int | None, env: Env, batch: SeedBatch
) -> Policy:
    loaded = _load_policy_cached(folder, device_name, digest, candidates)
    return loaded.fork(policy_seed, batch.seeds, batch.filmed)


def _make_remote_policy(address: str, digest: str, policy_seed: int, env: Env, batch: SeedBatch) -> Policy:
    policy = RemotePolicy(address, seed=policy_seed, worlds=batch.seeds, imagine=batch.filmed)
    if policy.description.digest != digest:
        raise UserError(f"{address} serves another policy than when the evaluation began")
    return policy


@functools.lru_cache(maxsize=1)
def _load_policy_cached(folder: Path, device_name: str, digest: str, candidates: int | None) -> LearnedPolicy:
    """Policy of a checkpoint, loaded once per process; the digest keeps other weights apart."""
    from aim.policy import load_policy

    return load_policy(folder, device=device_name, candidates=candidates)
