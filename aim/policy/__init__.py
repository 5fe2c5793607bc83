"""Policies from checkpoints: observations in, chunks of joint targets out."""

from aim.policy.learned import LearnedPolicy, load_policy

__all__ = ["LearnedPolicy", "load_policy"]
