"""The loop of Stage II: roll out, judge, learn.

What goes on after a stop is what an undisturbed run would have done, to the bit on one machine's CPU: every draw
follows from the run's seed and the number of the iteration, each iteration has an optimizer of its own, and its critic
is fitted anew.

The critic that guides iteration n is that of n - 1, which has not seen its trials. What is learned then are values of
the critic fitted with them, each trial judged by the member that it was kept from: a gain is judged by who did not
choose.
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
from aim.rl.critic import Critic, fit_critic, judge_trial
from aim.rl.learning import Values, compute_gain, measure_verifier, train_expert, train_verifier
from aim.rl.rollout import collect_trials, count_decisions
from aim.rl.settings import RlConfig
from aim.rl.storage import IterationFigures
from aim.rl.trial import Trial
from aim.train.log import Log
from aim.util import console
from aim.util.seeds import make_generator
from sim.envs.env import Env
from sim.types import UserError

GUIDED_SHARE = 0.5  # of the scenes in which the critic's choice is carried out: it must know where that leads


class StageTwo:
    """A Stage II run: what it has learned so far, and the step from one iteration to the next."""

    def __init__(
        self, source: Path, policy: LearnedPolicy, make_env: Callable[[int], Env], config: RlConfig, out: Path
    ) -> None:
        """Begin with the `policy` of the checkpoint `source`, or go on after the iterations that `out` holds.

        `make_env` makes an environment of so many worlds.
        """
        self.source, self.policy, self.make_env, self.config, self.out = source, policy, make_env, config, out
        is_verified = config.method == "verifier"
        self.verifier = Verifier(policy.model, policy.execution_horizon) if is_verified else None
        self.model = policy.model if is_verified else fork_action_expert(policy.model)
        self.iterations = storage.list_iterations(out)
        self.num_trials = sum(storage.read_figures(folder).trials for folder in self.iterations)
        if len(self.iterations) > 1:
            storage.restore_learned(self.iterations[-1], self.list_learned())
            self.save_policy()

    def list_learned(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that learn, by name: the verifier's, or those of the action expert."""
        return self.verifier.list_own_parameters() if self.verifier else self.model.list_action_expert_parameters()

    def save_policy(self) -> Path:
        """Write the checkpoint of the last iteration, if it is not there yet, and return its folder."""
        learned, number = self.list_learned(), len(self.iterations) - 1
        return storage.save_tuned_policy(self.out, self.source, number, learned, self.verifier, self.config)

    def run_iteration(self, log: Log) -> IterationFigures:
        """Roll out, judge and learn once more, and keep what came of it."""
        config, number, started = self.config, len(self.iterations), time.monotonic()
        critic = storage.load_critic(self.iterations[-1]) if number else None
        before = storage.read_history(self.iterations[max(0, number + 1 - config.history) :])
        trials = self._roll_out(number, critic)
        rolled_out = time.monotonic()
        learned_from = [*before, *trials]
        fitted, quality = fit_critic(learned_from, config.seed)
        tried = [trial for trial in learned_from if trial.is_tried]
        values = [judge_trial(fitted, trial, config.seed) for trial in tried]
        fresh = values[len(values) - len(trials) :] if number else []  # of this iteration's trials
        verified = None
        if self.verifier and number > 1:
            verified = measure_verifier(self.policy, self.verifier, trials, fresh)
        loss = None
        if number and (quality.auc or 0.0) >= config.min_auc:
            loss = self._learn(tried, values, number)
        elif number:
            console.print_note(f"note: the critic's AUC is {quality.auc}, under {config.min_auc}: nothing was learned")
        guidance = np.concatenate([trial.preferred for trial in trials])
        figures = IterationFigures(
            number, len(trials), count_decisions(trials), _compute_success(trials, guided=False),
            _compute_success(trials, guided=True), quality.brier, quality.brier_constant, quality.auc,
            quality.auc_by_quarter, critic_gain=compute_gain(np.concatenate(fresh), guidance) if number else None,
            verifier_gain=verified.gain if verified else None,
            verifier_correlation=verified.correlation if verified else None, loss=loss,
            seconds_rollout=rolled_out - started, seconds_learning=time.monotonic() - rolled_out,
        )  # fmt: skip
        learned = self.list_learned() if number else {}
        self.iterations.append(storage.save_iteration(self.out, trials, fitted, figures, learned))
        self.num_trials += len(trials)
        if number:
            self.save_policy()
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
                seeds = range(first, first + config.episodes)
                for trial in collect_trials(
                    actor, env, seeds, config.candidates, config.futures, critic, self._is_guided
                ):
                    trials.append(trial)
                    bar.step()
        finally:
            env.close()
        if not trials:
            raise UserError(f"none of the seeds {first} to {first + config.episodes - 1} has a usable scene")
        return sorted(trials, key=lambda trial: trial.seed)

    def _is_guided(self, seed: int) -> bool:
        return float(torch.rand((), generator=make_generator(self.config.seed, "guided", seed))) < GUIDED_SHARE

    def _learn(self, tried: Sequence[Trial], values: Values, number: int) -> float:
        """Take an iteration's optimizer steps, and return the mean loss of their last tenth."""
        losses: list[float] = []
        with console.show_progress("learning", self.config.steps) as bar:

            def watch(step: int, loss: float) -> None:
                losses.append(loss)
                bar.step(detail=f"loss {loss:.3f}")

            if self.verifier:
                train_verifier(self.policy, self.verifier, tried, values, self.config, number, watch)
            else:
                train_expert(self.policy, self.model, tried, values, self.config, number, watch)
        return float(np.mean(losses[-max(len(losses) // 10, 1) :]))


def _compute_success(trials: Sequence[Trial], guided: bool) -> float | None:
    """Return the share of successes among trials of one kind, None where there are none."""
    won = [trial.success for trial in trials if trial.guided == guided]
    return float(np.mean(won)) if won else None
