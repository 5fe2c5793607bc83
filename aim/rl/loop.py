"""The loop of Stage II: roll out, judge, learn.

What goes on after a stop is what an undisturbed run would have done, to the bit: every draw follows from the run's seed
and the number of the iteration, each iteration has an optimizer of its own, and its critic is fitted anew.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from aim.model.verifier import Verifier, fork_action_expert
from aim.policy.learned import LearnedPolicy
from aim.rl import storage
from aim.rl.critic import Critic, fit_critic
from aim.rl.learning import measure_verifier, train_expert, train_verifier
from aim.rl.rollout import collect_trials, count_decisions
from aim.rl.settings import RlConfig
from aim.rl.storage import IterationFigures
from aim.rl.trial import Trial
from aim.train.log import Log
from aim.util import console
from aim.util.seeds import make_generator
from sim.envs.env import Env
from sim.types import UserError

EXPLORED_SHARE = 0.5  # of the scenes in which the best candidate is carried out: the critic must know both ways


class StageTwo:
    """A Stage II run: what it has learned so far, and the step from one iteration to the next."""

    def __init__(
        self, source: Path, policy: LearnedPolicy, make_env: Callable[[int], Env], config: RlConfig, out: Path
    ) -> None:
        """Begin with the `policy` of the checkpoint `source`, or go on after the iterations that `out` holds.

        `make_env` makes an environment of so many worlds.
        """
        self.source, self.policy, self.make_env, self.config, self.out = source, policy, make_env, config, out
        self.model = fork_action_expert(policy.model)
        torch.manual_seed(config.seed)
        self.verifier = Verifier(policy.model, policy.execution_horizon) if config.method == "verifier" else None
        self.iterations = storage.list_iterations(out)
        if self.iterations:
            storage.restore_learned(self.iterations[-1], self.list_learned())

    def list_learned(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that learn, by name: the verifier's, or those of the action expert."""
        return self.verifier.list_own_parameters() if self.verifier else self.model.list_action_expert_parameters()

    def run_iteration(self, log: Log) -> IterationFigures:
        """Roll out, judge and learn once more, and keep what came of it."""
        config, number, started = self.config, len(self.iterations), time.monotonic()
        critic = storage.load_critic(self.iterations[-1]) if number else None
        trials = self._roll_out(number, critic)
        rolled_out = time.monotonic()
        recent = self.iterations[max(0, number + 1 - config.history) :]
        learned_from = [*storage.read_history(recent), *trials]
        fitted, quality = fit_critic(learned_from, config.seed)
        tried = [trial for trial in learned_from if trial.chunks.shape[1] > 1]
        verified = measure_verifier(self.policy, self.verifier, trials) if self.verifier and number else None
        loss = self._learn(tried, number) if tried else None
        gains = np.concatenate([trial.gain for trial in trials]) if number else None
        figures = IterationFigures(
            number, len(trials), count_decisions(trials), _compute_success(trials, explored=False),
            _compute_success(trials, explored=True), quality.brier, quality.brier_constant, quality.auc,
            privileged_gain=None if gains is None else float(gains.mean()),
            verifier_gain=verified.gain if verified else None,
            verifier_correlation=verified.correlation if verified else None, loss=loss,
            seconds_rollout=rolled_out - started, seconds_learning=time.monotonic() - rolled_out,
        )  # fmt: skip
        learned = self.list_learned() if tried else {}
        if learned:
            candidates = config.candidates if self.verifier else 0
            storage.save_tuned_policy(self.out, self.source, number, learned, candidates)
        self.iterations.append(storage.save_iteration(self.out, trials, fitted, figures, learned))
        log.write("rl", {"step": number, **dataclasses.asdict(figures)})
        return figures

    def _roll_out(self, number: int, critic: Critic | None) -> list[Trial]:
        """Return the trials of an iteration, by seed; `UserError` where no scene is usable."""
        config = self.config
        first = config.first_seed + number * config.episodes
        env, trials = self.make_env(min(config.batch, config.episodes)), []
        actor = self.policy.fork(config.seed + number)
        if not self.verifier:
            actor.model = self.model.eval()
        try:
            with console.show_progress("trials", config.episodes) as bar:
                seeds, count = range(first, first + config.episodes), config.candidates if critic else 1
                for trial in collect_trials(actor, env, seeds, count, critic, self._is_explored):
                    trials.append(trial)
                    bar.step()
        finally:
            env.close()
        if not trials:
            raise UserError(f"none of the seeds {first} to {first + config.episodes - 1} has a usable scene")
        return sorted(trials, key=lambda trial: trial.seed)

    def _is_explored(self, seed: int) -> bool:
        return float(torch.rand((), generator=make_generator(self.config.seed, "explored", seed))) < EXPLORED_SHARE

    def _learn(self, tried: Sequence[Trial], number: int) -> float:
        """Take an iteration's optimizer steps, and return the mean loss of their last tenth."""
        losses: list[float] = []
        with console.show_progress("learning", self.config.steps) as bar:

            def watch(step: int, loss: float) -> None:
                losses.append(loss)
                bar.step(detail=f"loss {loss:.3f}")

            if self.verifier:
                train_verifier(self.policy, self.verifier, tried, self.config, number, watch)
            else:
                train_expert(self.policy, self.model, tried, self.config, number, watch)
        return float(np.mean(losses[-max(len(losses) // 10, 1) :]))


def _compute_success(trials: Sequence[Trial], explored: bool) -> float | None:
    """Return the share of successes among trials of one kind, None where there are none."""
    won = [trial.success for trial in trials if trial.explored == explored]
    return float(np.mean(won)) if won else None
