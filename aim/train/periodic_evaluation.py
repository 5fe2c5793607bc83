"""Periodic closed-loop evaluation of the EMA weights while training; the best policy is kept.

The best policy is kept as a policy of its own; of two equal ones, the later.

    best/  run.json  transform.json  codec.safetensors  ema.safetensors  evaluation.json
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from aim.config import Run
from aim.data.damage import report_damage
from aim.data.transforms import Transform
from aim.model.image_codec import PictureCodec
from aim.policy.checkpoint import format_name
from aim.train import checkpoint
from aim.train.log import Log
from aim.util import console
from aim.util.interrupts import PendingSignals

BEST_FOLDER, BEST_RECORD_FILE = "best", "evaluation.json"
EVAL_FOLDER = ".played"  # results of each step, hidden from reports


# (policy folder, folder for results, device, signals) -> at least "success_rate" and "ci95"; None if interrupted
EvaluatePolicy = Callable[[Path, Path, str, PendingSignals], Mapping[str, Any] | None]


@dataclass(frozen=True)
class EvalConfig:
    """Periodic evaluation by a callback, every `period_steps` steps and at the end."""

    evaluate: EvaluatePolicy
    period_steps: int


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

        Finished episodes are kept, so that the evaluation of the same step resumes there.
        """
        folder = self.out / EVAL_FOLDER / format_name(step)
        policy = folder / "policy"
        shutil.rmtree(policy, ignore_errors=True)
        policy.mkdir(parents=True)
        checkpoint.copy_mapping(self.out, policy)
        checkpoint.save_policy(policy, self.run, self.transform, self.codec, ema)
        result = self.config.evaluate(policy, folder, self.device, self.stops)
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


def read_best_success_rate(out: Path) -> float:
    """Success rate of the best policy in `out`, -1 if there is none."""
    path = out / BEST_FOLDER / BEST_RECORD_FILE
    if not path.is_file():
        return -1.0
    with report_damage(path, f"remove {path.parent}, and the best policy is found anew"):
        return float(json.loads(path.read_text(encoding="utf-8"))["success_rate"])


def _replace_folder(policy: Path, best: Path) -> None:
    """Replace the best policy; an error in between leaves the old one beside it."""
    old = best.with_name(f".{best.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if best.exists():
        os.replace(best, old)
    os.replace(policy, best)
    shutil.rmtree(old, ignore_errors=True)
