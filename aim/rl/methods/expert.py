"""The action expert is tuned to the better ones of the tried chunks, by distillation or by DiffusionNFT."""

from __future__ import annotations

from aim.model.verifier import fork_action_expert
from aim.policy.learned import LearnedPolicy
from aim.rl.learning import train_expert
from aim.rl.methods.base import Lesson, TriedChunksMethod, Watch
from aim.rl.settings import RlConfig


class ExpertMethod(TriedChunksMethod):
    """Tunes a fork of the action expert; `RlConfig.method` names the objective, distill or nft."""

    def __init__(self, policy: LearnedPolicy, config: RlConfig) -> None:
        """Begin with the expert of `policy`."""
        super().__init__(policy, config)
        self.model = fork_action_expert(policy.model)

    def take_steps(self, lesson: Lesson, iteration: int, watch: Watch) -> None:
        """Take the optimizer steps of an iteration."""
        train_expert(self.policy, self.model, lesson.trials, lesson.values, self.config, iteration, watch)
