"""The best policy of a training, by closed loop: at some steps the averaged weights play in the simulator.

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

FIRST_SEED = 50_000
FOLDER, RECORD = "best", "evaluation.json"
PLAYED = ".played"  # results of each step, hidden from reports


@dataclass(frozen=True)
class Match:
    """What a training is judged by: `episodes` seeds of each task, every `every` steps and at the end."""

    tasks: tuple[str, ...]
    every: int
    episodes: int
    threads: int = 1
    definitions: Mapping[str, str] = field(default_factory=dict)  # JSON of tasks by label, see `Plan`


@dataclass(frozen=True)
class Judge:
    """Who plays the matches of a training in `out`."""

    match: Match
    run: Run
    out: Path
    transform: Transform
    codec: PictureCodec
    device: str
    log: Log
    stops: PendingSignals

    def due(self, step: int) -> bool:
        """Tell whether the weights of a step are to play."""
        return step > 0 and step % self.match.every == 0

    def judge(self, step: int, ema: Mapping[str, Tensor]) -> bool:
        """Let the weights of `step` play and keep them if none was better; false where a stop came in between.

        What was played is kept, so that the same step goes on there after a stop.
        """
        folder = self.out / PLAYED / checkpoint.name(step)
        policy = folder / "policy"
        shutil.rmtree(policy, ignore_errors=True)
        policy.mkdir(parents=True)
        checkpoint.save_policy(policy, self.run, self.transform, self.codec, ema)
        found = self._played(policy, folder)
        if found is None:
            return False
        record = {"step": step, **found}
        self.log.write("eval", {"step": step, "success_rate": found["success_rate"], "ci95": found["ci95"]})
        better = found["success_rate"] >= best_so_far(self.out)
        console.print_note(
            f"step {step}: {100 * found['success_rate']:.1f} % success{', the best so far' if better else ''}"
        )
        if better:
            (policy / RECORD).write_text(json.dumps(record, indent=1) + "\n")
            _take_place(policy, self.out / FOLDER)
        shutil.rmtree(policy, ignore_errors=True)
        return True

    def _played(self, policy: Path, folder: Path) -> dict | None:
        """Return success with its interval, over all tasks and of each; None where a stop came in between."""
        from aim.evaluate import closed_loop, results
        from aim.evaluate.plan import EvaluationPlan
        from aim.evaluate.policy_spec import parse_policy
        from aim.evaluate.results import EpisodeResult

        def watch(row: EpisodeResult) -> None:
            if self.stops:
                raise KeyboardInterrupt

        match = self.match
        plan = EvaluationPlan(
            match.tasks,
            self.run.robot,
            FIRST_SEED,
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
            "first_seed": FIRST_SEED,
            "variation": plan.variation,
            "robot": plan.robot,
            **results.summarize_results(rows),
        }


def best_so_far(out: Path) -> float:
    """Return the success rate of the best policy in `out`, -1 where there is none."""
    path = out / FOLDER / RECORD
    return float(json.loads(path.read_text())["success_rate"]) if path.is_file() else -1.0


def _take_place(policy: Path, best: Path) -> None:
    """Put a policy where the best one is; a fault in between leaves the old one beside it."""
    old = best.with_name(f".{best.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if best.exists():
        os.replace(best, old)
    os.replace(policy, best)
    shutil.rmtree(old, ignore_errors=True)
