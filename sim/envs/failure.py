"""Failure of an attempt, whoever acts: the cause that the environment knows, and counts of the reasons of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from sim.envs.env import Env
from sim.task.spec import describe_item
from sim.types import AttemptFailure, FailureCause

TIMED_OUT = "timed out"  # the reason of an attempt that ended with its time, where nothing more is known
MAX_COUNTED_REASONS = 5  # named one by one in a line of counts


def find_env_failure(env: Env, index: int) -> AttemptFailure | None:
    """Failure of a world without a stable scene or with diverged physics, None for any other world."""
    if not env.failure[index]:
        return None
    has_scene = env.scenes.scenes[index] is not None
    cause = FailureCause.PHYSICS_DIVERGED if has_scene else FailureCause.NO_STABLE_SCENE
    return AttemptFailure(cause, env.failure[index])


def find_attempt_failure(env: Env, index: int) -> AttemptFailure | None:
    """Failure of a world's attempt as far as the environment knows it, None if it succeeded."""
    if env.success[index]:
        return None
    return find_env_failure(env, index) or AttemptFailure(
        FailureCause.TIMED_OUT, TIMED_OUT, unmet=list_unmet_predicates(env, index)
    )


def list_unmet_predicates(env: Env, index: int) -> tuple[str, ...]:
    """Success predicates that do not hold in a world, as phrases: "near cup.bottom coaster.top"."""
    holds = env.predicates[index]
    return tuple(describe_item(item) for item, held in zip(env.task.success, holds, strict=True) if not held)


def count_reasons(failures: Iterable[AttemptFailure]) -> dict[str, int]:
    """Number of attempts lost for each reason, the commonest first."""
    return dict(Counter(failure.reason for failure in failures).most_common())


def format_failure_counts(failures: Sequence[AttemptFailure], attempts: int) -> str:
    """One line of counts, the commonest reason first: "10 of 30 lost: laptop.hinge slipped away 6, timed out 4"."""
    if not failures:
        return f"0 of {attempts} lost"
    counts = list(count_reasons(failures).items())
    named = [f"{reason} {count}" for reason, count in counts[:MAX_COUNTED_REASONS]]
    others = sum(count for _, count in counts[MAX_COUNTED_REASONS:])
    return f"{len(failures)} of {attempts} lost: {', '.join([*named, f'other reasons {others}'] if others else named)}"
