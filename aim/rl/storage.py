"""The folder of a Stage II run.

    rl.json                    what decides the run
    iteration-000/             trials.h5, critic.safetensors, figures.json; from 001 on what was learned
    step-000003/               the policy after iteration 3, a checkpoint: with a verifier, or with a tuned expert

An iteration is written beside its place and renamed when it is whole, so whatever stops a run costs at most one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from aim.data.mapping_file import MAPPING_FILE
from aim.policy.checkpoint import CANDIDATES_KEY, EMA_FILE, POLICY_FILES, VERIFIER_FILE, format_name, list_checkpoints
from aim.rl.critic import Critic
from aim.rl.settings import RL_FILE, RL_SCHEMA, RlConfig
from aim.rl.trial import Trial, read_trials, write_trials
from aim.util import atomic_file
from aim.util.decode import decode_document, decode_json
from aim.util.folder_lock import is_empty
from sim.types import UserError

TRIALS_FILE, CRITIC_FILE, ITERATION_FILE, LEARNED_FILE = (
    "trials.h5", "critic.safetensors", "figures.json", "learned.safetensors"
)  # fmt: skip


@dataclass(frozen=True)
class IterationFigures:
    """What came of one iteration; None where there was nothing to measure."""

    iteration: int
    trials: int
    decisions: int
    success_own: float | None  # share of the trials in which the policy's own chunks were carried out
    success_explored: float | None  # in which the best of the tried ones were
    critic_brier: float
    critic_brier_constant: float
    critic_auc: tuple[float | None, ...]  # by quarter of the time: `aim.rl.critic`
    privileged_gain: float | None  # of the critic's choice over the own chunk, in probability of success a decision
    verifier_gain: float | None  # of the verifier's, on trials that it was not fitted to yet
    verifier_correlation: float | None  # of its scores and the values within a decision
    loss: float | None
    seconds_rollout: float
    seconds_learning: float


def claim_rl_folder(out: Path, config: RlConfig, resume: bool) -> None:
    """Make `out` the folder of this run; `UserError` where it holds another, or this one that is not to go on."""
    path = out / RL_FILE
    if path.exists():
        stored = decode_document(RlConfig, path.read_text(encoding="utf-8"), RL_SCHEMA, RL_FILE)
        for field in dataclasses.fields(RlConfig):
            was, wanted = (getattr(each, field.name) for each in (stored, config))
            if was != wanted:
                said = f"{field.name} is {was!r}, not {wanted!r}"
                raise UserError(f"{out} holds another run: {said}; choose another folder")
        if list_iterations(out) and not resume:
            raise UserError(f"{out} holds {list_iterations(out)[-1].name} of this run; --resume goes on")
    elif out.exists() and not is_empty(out):
        raise UserError(f"{out} is not empty and holds no run of aim rl; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    atomic_file.write_text(path, json.dumps({"schema": RL_SCHEMA, **dataclasses.asdict(config)}, indent=2) + "\n")


def list_iterations(out: Path) -> list[Path]:
    """Return the folders of whole iterations, in order."""
    return sorted(path for path in out.glob("iteration-*") if path.is_dir())


def save_iteration(
    out: Path, trials: Sequence[Trial], critic: Critic, figures: IterationFigures, learned: Mapping[str, Tensor]
) -> Path:
    """Write an iteration, and what it learned, if it did; return its folder."""
    final = out / f"iteration-{figures.iteration:03d}"
    part = _make_part(final)
    write_trials(part / TRIALS_FILE, trials)
    save_file(critic.state_dict(), part / CRITIC_FILE)
    (part / ITERATION_FILE).write_text(json.dumps(dataclasses.asdict(figures), indent=1) + "\n")
    if learned:
        save_file(_detach(learned), part / LEARNED_FILE)
    os.replace(part, final)
    return final


def describe_kept(out: Path) -> str:
    """Sentence on what a run has kept."""
    kept = list_iterations(out)
    return f"kept {kept[-1].name} and those before it in {out}" if kept else "no iteration was whole yet"


def describe_figures(figures: IterationFigures) -> str:
    """Line on an iteration."""
    shares = {"own chunks": figures.success_own, "best of tried": figures.success_explored}
    said = [f"{name} {100 * share:.1f} %" for name, share in shares.items() if share is not None]
    aucs = ", ".join("-" if auc is None else f"{auc:.2f}" for auc in figures.critic_auc)
    said.append(f"critic AUC by quarter {aucs}")
    if figures.verifier_gain is not None and figures.privileged_gain is not None:
        said.append(f"verifier takes {figures.verifier_gain:.3f} of {figures.privileged_gain:.3f} a decision")
    return f"iteration {figures.iteration}: {figures.trials} trials; {'; '.join(said)}"


def read_figures(folder: Path) -> IterationFigures:
    """Return the figures of an iteration; `UserError` where they are damaged."""
    path = folder / ITERATION_FILE
    try:
        return decode_json(IterationFigures, path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UserError(f"{path} is missing: {error.strerror}") from error


def read_history(iterations: Sequence[Path]) -> list[Trial]:
    """Return the trials of some iterations, in order."""
    return [trial for folder in iterations for trial in read_trials(folder / TRIALS_FILE)]


def load_critic(folder: Path) -> Critic:
    """Return the critic of an iteration."""
    stored = load_file(folder / CRITIC_FILE)
    critic = Critic(len(stored["mean"]))
    critic.load_state_dict(stored)
    return critic.eval()


@torch.no_grad()
def restore_learned(folder: Path, learned: Mapping[str, Tensor]) -> None:
    """Copy what an iteration learned, if it did, into the tensors of the same names."""
    path = folder / LEARNED_FILE
    for name, value in (load_file(path) if path.exists() else {}).items():
        learned[name].copy_(value)


def save_tuned_policy(out: Path, source: Path, number: int, learned: Mapping[str, Tensor], candidates: int) -> Path:
    """Write the checkpoint of iteration `number`, and remove those before it.

    With `candidates` above 0 what was learned is a verifier of so many chunks, else it is the action expert. The other
    files are those of the checkpoint `source`, linked where the file system allows it.
    """
    final = out / format_name(number)
    part = _make_part(final)
    kept = [
        name for name in (*POLICY_FILES, MAPPING_FILE) if (source / name).exists() and (candidates or name != EMA_FILE)
    ]
    for name in kept:
        _link_or_copy(source / name, part / name)
    if candidates:
        save_file(_detach(learned), part / VERIFIER_FILE, {CANDIDATES_KEY: str(candidates)})
    else:
        save_file(load_file(source / EMA_FILE) | _detach(learned), part / EMA_FILE)
    shutil.rmtree(final, ignore_errors=True)
    os.replace(part, final)
    for folder in list_checkpoints(out):
        if folder != final:
            shutil.rmtree(folder)
    return final


def _make_part(final: Path) -> Path:
    """Return an empty folder beside `final`."""
    part = final.with_name(f".{final.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def _detach(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)
