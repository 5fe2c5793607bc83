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

from aim.policy.learned import LearnedPolicy
from aim.rl import storage
from aim.rl.critic import Critic, CriticQuality, fit_critic
from aim.rl.methods import make_method
from aim.rl.methods.base import Lesson, UpdateFigures
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
        self.method = make_method(policy, config)
        self.iterations = storage.list_iterations(out)
        self.num_trials = sum(storage.read_figures(folder, IterationFigures).trials for folder in self.iterations)
        if self.has_learned:
            storage.restore_learned(self.iterations[-1], self.method.list_learned())
            self.save_policy()

    @property
    def has_learned(self) -> bool:
        """Whether an iteration is done in which the method learns, so that there is a checkpoint."""
        return len(self.iterations) > self.method.warmup_iterations

    def save_policy(self) -> Path:
        """Write the checkpoint of the last iteration, if it is not there yet, and return its folder."""
        learned, number = self.method.list_learned(), len(self.iterations) - 1
        return storage.save_tuned_policy(self.out, self.source, number, learned, self.method.verifier, self.config)

    def run_iteration(self, log: Log) -> IterationFigures:
        """Roll out, judge and learn once more, and keep what came of it."""
        method, number, started = self.method, len(self.iterations), time.monotonic()
        guide = storage.load_critic(self.iterations[-1]) if number and method.explorer is None else None
        recent = self.iterations[max(0, number + 1 - self.config.history) :] if method.needs_critic else []
        before = storage.read_history(recent)
        trials = self._roll_out(number, guide)
        rolled_out = time.monotonic()
        critic, quality = fit_critic([*before, *trials], self.config.seed) if method.needs_critic else (None, None)
        lesson = method.make_lesson(before, trials, critic)
        measured = method.measure_trials(lesson, trials, number)
        update = self._learn(lesson, quality, number) if number >= method.warmup_iterations else UpdateFigures()
        is_explored = method.explorer is not None
        figures = IterationFigures(
            number, len(trials), count_decisions(trials),
            success_own=None if is_explored else _compute_success(trials, guided=False),
            success_guided=_compute_success(trials, guided=True),
            critic_brier=quality.brier if quality else None,
            critic_brier_constant=quality.brier_constant if quality else None,
            critic_auc=quality.auc if quality else None,
            critic_auc_by_quarter=quality.auc_by_quarter if quality else (),
            seconds_rollout=rolled_out - started, seconds_learning=time.monotonic() - rolled_out,
            **vars(measured), **vars(update),
        )  # fmt: skip
        learned = method.list_learned() if number >= method.warmup_iterations else {}
        self.iterations.append(storage.save_iteration(self.out, trials, critic, figures, learned))
        self.num_trials += len(trials)
        if self.has_learned:
            self.save_policy()
        log.write("rl", {"step": number, **dataclasses.asdict(figures)})
        return figures

    def _roll_out(self, number: int, critic: Critic | None) -> list[Trial]:
        """Return the trials of an iteration, by seed; `UserError` where no scene is usable."""
        config, method = self.config, self.method
        first = config.first_seed + number * config.scenes
        env, trials = self.make_env(min(config.batch, config.episodes)), []
        actor = self.policy.fork(config.seed + number)
        actor.model = method.model.eval()
        try:
            with console.show_progress("trials", config.episodes) as bar:
                seeds = range(first, first + config.scenes)
                for trial in collect_trials(
                    actor, env, seeds, config.candidates, config.futures, critic, self._is_guided, method.explorer,
                    config.copies,
                ):  # fmt: skip
                    trials.append(trial)
                    bar.step()
        finally:
            env.close()
        if not trials:
            raise UserError(f"none of the seeds {first} to {first + config.scenes - 1} has a usable scene")
        return sorted(trials, key=lambda trial: (trial.seed, trial.copy))

    def _is_guided(self, seed: int) -> bool:
        return float(torch.rand((), generator=make_generator(self.config.seed, "guided", seed))) < GUIDED_SHARE

    def _learn(self, lesson: Lesson, quality: CriticQuality | None, number: int) -> UpdateFigures:
        """Take an iteration's optimizer steps; none where the critic knows too little or the lesson is empty."""
        if quality and (quality.auc or 0.0) < self.config.min_auc:
            said = f"the critic's AUC is {quality.auc}, under {self.config.min_auc}"
            console.print_note(f"note: {said}: nothing was learned")
            return UpdateFigures()
        if not lesson.trials:
            console.print_note("note: every scene was always won or always lost: nothing was learned")
            return UpdateFigures()
        with console.show_progress("learning", self.method.count_steps(lesson)) as bar:
            return self.method.learn(lesson, number, lambda step, loss: bar.step(detail=f"loss {loss:.3f}"))


def _compute_success(trials: Sequence[Trial], guided: bool) -> float | None:
    """Return the share of successes among trials of one kind, None where there are none."""
    won = [trial.success for trial in trials if trial.guided == guided]
    return float(np.mean(won)) if won else None
