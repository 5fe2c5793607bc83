"""Periodic closed-loop evaluation of the EMA weights while training; the best policy is kept.

Seeds are those from 50,000: demonstrations are recorded from 0 on and policies are compared from 100,000 on, so what is
chosen here has seen none of either. The best is kept as a policy of its own; of equals the later one.

    best/  run.json  transform.json  codec.safetensors  ema.safetensors  evaluation.json
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from aim.config import Run
from aim.data.transforms import Transform
from aim.model.codec import PictureCodec
from aim.train import checkpoint
from aim.train.log import Log
from aim.util import console
from aim.util.interrupts import PendingSignals
from sim.types import UserError

FIRST_EVAL_SEED = 50_000
BEST_FOLDER, BEST_RECORD_FILE = "best", "evaluation.json"
EVAL_FOLDER = ".played"  # results of each step, hidden from reports


@dataclass(frozen=True)
class EvalConfig:
    """Periodic evaluation: `episodes` seeds of each task, every `period_steps` steps and at the end."""

    tasks: tuple[str, ...]
    period_steps: int
    episodes: int
    threads: int = 1
    definitions: Mapping[str, str] = field(default_factory=dict)  # JSON of tasks by label, see `Plan`


@dataclass(frozen=True)
class PeriodicEvaluation:
    """Runs the evaluations of the training in `out`."""

    config: EvalConfig
    run: Run
    out: Path
    transform: Transform
    codec: PictureCodec
    device: str
    log: Log
    stops: PendingSignals

    def is_due(self, step: int) -> bool:
        """Whether the weights of a step are to be evaluated."""
        return step > 0 and step % self.config.period_steps == 0

    def evaluate_step(self, step: int, ema: Mapping[str, Tensor]) -> bool:
        """Evaluate the weights of `step` and keep them if none were better; False if a signal interrupted it.

        What was played is kept, so that the same step goes on there after a stop.
        """
        folder = self.out / EVAL_FOLDER / checkpoint.format_name(step)
        policy = folder / "policy"
        shutil.rmtree(policy, ignore_errors=True)
        policy.mkdir(parents=True)
        checkpoint.save_policy(policy, self.run, self.transform, self.codec, ema)
        result = self._run_episodes(policy, folder)
        if result is None:
            return False
        record = {"step": step, **result}
        self.log.write("eval", {"step": step, "success_rate": result["success_rate"], "ci95": result["ci95"]})
        better = result["success_rate"] >= read_best_success_rate(self.out)
        console.print_note(
            f"step {step}: {100 * result['success_rate']:.1f} % success{', the best so far' if better else ''}"
        )
        if better:
            (policy / BEST_RECORD_FILE).write_text(json.dumps(record, indent=1) + "\n")
            _replace_folder(policy, self.out / BEST_FOLDER)
        shutil.rmtree(policy, ignore_errors=True)
        return True

    def _run_episodes(self, policy: Path, folder: Path) -> dict | None:
        """Success rate with its interval, over all tasks and for each; None if a signal interrupted it."""
        from aim.evaluate import closed_loop, results
        from aim.evaluate.plan import EvaluationPlan
        from aim.evaluate.policy_spec import parse_policy
        from aim.evaluate.results import EpisodeResult

        def watch(row: EpisodeResult) -> None:
            if self.stops:
                raise KeyboardInterrupt

        match = self.config
        plan = EvaluationPlan(
            match.tasks,
            self.run.robot,
            FIRST_EVAL_SEED,
            match.episodes,
            films=0,
            threads=match.threads,
            definitions=match.definitions,
        )
        who = parse_policy(str(policy), device=self.device)
        try:
            closed_loop.missing(who, plan, folder)
        except UserError:  # of the same step before the run's limits were changed, which its digest tells apart
            (folder / results.RESULTS_FILE).unlink()
        try:
            rows = closed_loop.evaluate(who, plan, folder, watch)
        except KeyboardInterrupt:
            if not self.stops:
                raise
            return None
        return {
            "first_seed": FIRST_EVAL_SEED,
            "variation": plan.variation,
            "robot": plan.robot,
            **results.summarize_results(rows),
        }


def read_best_success_rate(out: Path) -> float:
    """Success rate of the best policy in `out`, -1 if there is none."""
    path = out / BEST_FOLDER / BEST_RECORD_FILE
    return float(json.loads(path.read_text())["success_rate"]) if path.is_file() else -1.0


def _replace_folder(policy: Path, best: Path) -> None:
    """Replace the best policy; an error in between leaves the old one beside it."""
    old = best.with_name(f".{best.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if best.exists():
        os.replace(best, old)
    os.replace(policy, best)
    shutil.rmtree(old, ignore_errors=True)
