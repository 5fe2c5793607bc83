"""Methods of Stage II: each says how trials are sampled, what is learned from them, and by which objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aim.policy.learned import LearnedPolicy
from aim.rl.methods.base import LearningMethod
from aim.rl.methods.expert import ExpertMethod
from aim.rl.methods.grpo import GrpoMethod
from aim.rl.methods.ppo import PpoMethod
from aim.rl.methods.ticket import TicketMethod
from aim.rl.methods.verifier import VerifierMethod
from aim.rl.settings import Method, RlConfig

LEARNING_METHODS: Mapping[Method, Callable[[LearnedPolicy, RlConfig], LearningMethod]] = {
    "verifier": VerifierMethod, "distill": ExpertMethod, "nft": ExpertMethod, "ppo": PpoMethod, "grpo": GrpoMethod,
    "ticket": TicketMethod,
}  # fmt: skip


def make_method(policy: LearnedPolicy, config: RlConfig) -> LearningMethod:
    """Return the method of a run, which begins with what `policy` is."""
    return LEARNING_METHODS[config.method](policy, config)
