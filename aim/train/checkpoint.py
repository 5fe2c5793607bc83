"""Checkpoints of a training, written atomically: a policy, which `aim.policy.checkpoint` reads, and its training state.

    step-000500/  run.json  transform.json  codec.safetensors  ema.safetensors     for the policy
                  model.safetensors  optimiser.safetensors  progress.json          to go on, bit for bit

It is written under another name, then renamed; the one before is kept too, should a disk damage the newest, and those
before that are removed. No state of a random generator is kept: what a step draws follows from the seed and its number.
Tensors are kept whole, whatever the number of processes that share them while training; so two may go on with what one
began, and one with what two began.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from aim import config
from aim.config import Run
from aim.data import transforms
from aim.data.mapping_file import MAPPING_FILE
from aim.data.transforms import TRANSFORM_FILE, Transform
from aim.model import lora
from aim.model.image_codec import PictureCodec
from aim.model.world_action_model import WorldActionModel
from aim.policy.checkpoint import (
    CODEC_FILE,
    EMA_FILE,
    POLICY_FILES,
    find_damage,
    find_newest,
    first_line,
    format_name,
    list_checkpoints,
    parse_step,
    read_tensors,
)
from aim.policy.precision import ComputePrecision
from aim.train import distributed
from aim.util.decode import decode_json
from sim.types import UserError

TRAINING_FILES = (*POLICY_FILES, "model.safetensors", "optimiser.safetensors", "progress.json")
ADAM_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of every parameter


@dataclass(frozen=True)
class TrainingProgress:
    """Progress of a training: steps, wall-clock seconds over all its sessions, and its precision."""

    step: int
    seconds: float
    precision: ComputePrecision


@dataclass(frozen=True)
class TrainingState:
    """State that training changes: model, EMA weights, optimiser."""

    model: WorldActionModel
    ema: dict[str, Tensor]  # by parameter name
    optimiser: torch.optim.Optimizer


def save_checkpoint(
    out: Path, run: Run, transform: Transform, codec: PictureCodec, training: TrainingState, progress: TrainingProgress
) -> Path:
    """Write the checkpoint of `progress.step` into `out`, and return its folder; the newest one before it stays.

    Collective: every process must call it, as each gives its shard; the main process writes.
    """
    final = out / format_name(progress.step)
    part = out / f".{final.name}.part"
    with _remove_on_error(part):
        if distributed.is_main():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            (part / "progress.json").write_text(json.dumps(dataclasses.asdict(progress)) + "\n")
            copy_mapping(out, part)
        save_policy(part, run, transform, codec, gather_tensors(training.ema))
        kinds = (("model", lora.list_trained(training.model)), ("optimiser", _flatten_optimizer(training)))
        for kind, tensors in kinds:
            _write_tensors(part / f"{kind}.safetensors", gather_tensors(tensors))
    if distributed.is_main():
        kept = list_checkpoints(out)
        earlier = [folder for folder in kept if parse_step(folder) < progress.step]
        before = [folder for folder in earlier if not find_damage(folder, TRAINING_FILES)]
        _commit_checkpoint(part, final, [folder for folder in kept if folder not in before[-1:]])
    return final


def save_policy(folder: Path, run: Run, transform: Transform, codec: PictureCodec, ema: Mapping[str, Tensor]) -> None:
    """Write the files of a policy into `folder`, given whole tensors; only the main process writes."""
    if distributed.is_main():
        config.save_run(run, folder)
        (folder / TRANSFORM_FILE).write_text(transforms.to_json(transform))
        _write_tensors(folder / CODEC_FILE, codec.state_dict())
        _write_tensors(folder / EMA_FILE, ema)


def copy_mapping(out: Path, folder: Path) -> None:
    """Copy the mapping of the run in `out`, if it has one, to the folder of a policy."""
    if (out / MAPPING_FILE).exists():  # a recorded set's numbers became ours by it
        shutil.copy(out / MAPPING_FILE, folder)


def gather_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors on the CPU for the main process, nothing for the others; collective."""
    result = {}
    for name, value in tensors.items():
        whole = distributed.gather_tensor(value.detach())
        if distributed.is_main():
            result[name] = whole.cpu()
    return result


def describe_remains(out: Path) -> str:
    """Sentence on the checkpoint that remains in `out` after an error."""
    newest = find_newest(out, TRAINING_FILES)
    return f"{newest} stays" if newest else "there is no checkpoint yet"


def restore_training(folder: Path, training: TrainingState) -> TrainingProgress:
    """Restore the training state from a checkpoint and return its progress; `UserError` if it is damaged."""
    _fill_tensors(folder / "model.safetensors", lora.list_trained(training.model))
    _fill_tensors(folder / EMA_FILE, training.ema)
    _restore_optimizer(folder / "optimiser.safetensors", training)
    try:
        return decode_json(TrainingProgress, (folder / "progress.json").read_text(), "progress")
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'progress.json'} is damaged: {first_line(error)}") from error


@torch.no_grad()
def load_fitting(path: Path, training: TrainingState) -> list[str]:
    """Load averaged weights of another run into a model and its average; `UserError` if the file is damaged.

    Names of parameters that it lacks, or has in another shape, are returned: they stay as they are.
    """
    parameters, left_alone = lora.list_trained(training.model), []
    try:
        with safe_open(path, "pt") as file:
            stored = {name: torch.Size(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            for name, value in parameters.items():
                if stored.get(name) != value.shape:
                    left_alone.append(name)
                    continue
                tensor = distributed.shard_like(file.get_tensor(name).to(value.dtype), value)
                value.copy_(tensor)
                training.ema[name].copy_(tensor)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}") from error
    return left_alone


@contextlib.contextmanager
def _remove_on_error(part: Path) -> Iterator[None]:
    """Context that removes a partial checkpoint where an error, such as a full disk, ends the writing."""
    try:
        yield
    except BaseException:
        if distributed.is_main():
            shutil.rmtree(part, ignore_errors=True)
        raise


def _commit_checkpoint(part: Path, final: Path, outdated: list[Path]) -> None:
    """Rename a finished checkpoint to its final name, then remove outdated ones."""
    shutil.rmtree(final, ignore_errors=True)
    os.replace(part, final)
    for folder in outdated:
        if folder != final:
            shutil.rmtree(folder)


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if distributed.is_main():
        save_file({name: value.detach().contiguous() for name, value in tensors.items()}, path)
        with path.open("rb") as file:
            os.fsync(file.fileno())


@torch.no_grad()
def _fill_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Copy the tensors of a file into tensors, whole or sharded."""
    for name, value in read_tensors(path, {name: tensor.shape for name, tensor in tensors.items()}):
        tensors[name].copy_(distributed.shard_like(value.to(tensors[name].dtype), tensors[name]))


def _flatten_optimizer(training: TrainingState) -> dict[str, Tensor]:
    """Tensors of the optimiser as "parameter/kind"."""
    state = training.optimiser.state
    return {
        f"{name}/{kind}": state[value][kind]
        for name, value in training.model.named_parameters()
        if value in state
        for kind in ADAM_MOMENTS
        if kind in state[value]
    }


@torch.no_grad()
def _restore_optimizer(path: Path, training: TrainingState) -> None:
    """Restore the tensors written by `_flatten_optimizer`; parameters without a gradient so far have none."""
    parameters = lora.list_trained(training.model)
    shapes = {
        f"{name}/{kind}": _moment_shape(kind, value) for name, value in parameters.items() for kind in ADAM_MOMENTS
    }
    order = [id(value) for group in training.optimiser.param_groups for value in group["params"]]
    indices = {name: order.index(id(value)) for name, value in parameters.items()}
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in read_tensors(path, shapes, allow_missing=True):
        name, _, kind = key.rpartition("/")
        parameter = parameters[name]
        state.setdefault(indices[name], {})[kind] = (
            value if kind == "step" else distributed.shard_like(value, parameter)
        )
    groups = training.optimiser.state_dict()["param_groups"]
    training.optimiser.load_state_dict({"state": state, "param_groups": groups})


def _moment_shape(kind: str, value: Tensor) -> torch.Size:
    return torch.Size() if kind == "step" else value.shape
