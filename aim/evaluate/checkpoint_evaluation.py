"""Closed-loop evaluation of a checkpoint while its training runs, as a callback of `aim.train.periodic_evaluation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aim.evaluate import closed_loop, results
from aim.evaluate.plan import EvaluationPlan
from aim.evaluate.policy_spec import parse_policy
from aim.evaluate.results import EpisodeResult
from aim.util.interrupts import PendingSignals
from sim.types import UserError

# demonstrations are recorded from seed 0 on and policies are compared from 100,000 on: these are neither
FIRST_CHECKPOINT_SEED = 50_000


@dataclass(frozen=True)
class CheckpointEvaluation:
    """Evaluation of a policy on `episodes` seeds of each task; a callable `EvaluatePolicy`."""

    tasks: tuple[str, ...]
    robot: str
    episodes: int
    threads: int = 1
    definitions: Mapping[str, str] = field(default_factory=dict)  # JSON of tasks by label, see `EvaluationPlan`

    def __call__(self, policy: Path, folder: Path, device: str, signals: PendingSignals) -> dict[str, Any] | None:
        """Success rate with its interval, over all tasks and for each; None if a signal interrupted it.

        Finished episodes are kept in `folder`, so that the same evaluation resumes there.
        """

        def stop_on_signal(row: EpisodeResult) -> None:
            if signals:
                raise KeyboardInterrupt

        plan = EvaluationPlan(
            self.tasks, self.robot, FIRST_CHECKPOINT_SEED, self.episodes, films=0, threads=self.threads,
            definitions=self.definitions,
        )  # fmt: skip
        spec = parse_policy(str(policy), device=device)
        try:
            closed_loop.count_missing(spec, plan, folder)
        except UserError:  # of the same step before the run's limits were changed, which its digest tells apart
            (folder / results.RESULTS_FILE).unlink()
        try:
            rows = closed_loop.evaluate(spec, plan, folder, stop_on_signal)
        except KeyboardInterrupt:
            if not signals:
                raise
            return None
        return {
            "first_seed": FIRST_CHECKPOINT_SEED,
            "variation": plan.variation,
            "robot": plan.robot,
            **results.summarize_results(rows),
        }
