"""Policies from checkpoints: observations in, chunks of actions out, in our units or those of a recorded set."""

from aim.policy.learned import LearnedPolicy
from aim.policy.loading import load_policy
from aim.policy.own_units import OwnUnitsPolicy

__all__ = ["LearnedPolicy", "OwnUnitsPolicy", "load_policy"]
