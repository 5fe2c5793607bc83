"""Learned policies as a server holds them."""

from __future__ import annotations

from pathlib import Path

from aim.policy import LearnedPolicy, OwnUnitsPolicy
from aim.policy.checkpoint import compute_digest
from aim.serve.description import PolicyDescription
from aim.serve.server import ServedPolicy, Session
from sim.types import Policy


def serve_learned(policy: LearnedPolicy | OwnUnitsPolicy, folder: Path, token: str = "") -> ServedPolicy:
    """Policy, loaded from the checkpoint in `folder`, as a server holds it: every client has a history of its own."""

    def make_policy(session: Session) -> Policy:
        return policy.fork(session.seed, session.worlds, session.imagine)

    return ServedPolicy(describe_policy(policy, folder.name, compute_digest(folder)), make_policy, token)


def describe_policy(policy: LearnedPolicy | OwnUnitsPolicy, checkpoint: str, digest: str) -> PolicyDescription:
    """Description of a policy that was loaded from a checkpoint of that name and digest."""
    learned = policy.policy if isinstance(policy, OwnUnitsPolicy) else policy
    run = learned.run
    return PolicyDescription(
        name=f"{run.preset} {checkpoint}", digest=digest, robot=run.robot, cameras=learned.cameras,
        size=learned.transform.size, depth=run.model.geometry,
        execution_horizon=policy.execution_horizon, steps_per_prediction=run.model.actions_per_frame,
        own_units=isinstance(policy, OwnUnitsPolicy), state_space=policy.state_space, action_space=policy.action_space,
        variant=run.model.full_variant,
        settings={
            "video_steps": learned.video_steps, "action_steps": learned.action_steps, "precision": learned.precision,
            "device": learned.device.type,
            **({"candidates": learned.candidates, "futures": learned.futures} if learned.verifier else {}),
        },
    )  # fmt: skip
