"""Checkpoints: folders that hold a policy and the state of its training, written atomically.

    step-000500/  run.json  transform.json  codec.safetensors  ema.safetensors     for the policy
                  model.safetensors  optimiser.safetensors  progress.json          to go on, bit for bit

It is written under another name, then renamed; the one before is kept too, should a disk damage the newest, and those
before that are removed. No state of a random generator
is kept: what a step draws follows from the seed and its number. Tensors are kept whole, whatever the number of
processes that share them while training; so two may go on with what one began, and one with what two began.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from aim import config
from aim.config import Run
from aim.data import transforms
from aim.data.transforms import Transform
from aim.model import lora
from aim.model.image_codec import PictureCodec
from aim.model.world_action_model import WorldActionModel
from aim.train import distributed
from aim.train.precision import ComputePrecision
from aim.util import console
from sim.types import UserError

POLICY_FILES = (
    "run.json",
    "transform.json",
    "codec.safetensors",
    "ema.safetensors",
)  # what a learned policy is made of
TRAINING_FILES = (*POLICY_FILES, "model.safetensors", "optimiser.safetensors", "progress.json")
CHECKPOINT_PREFIX, MAPPING_FILE = "step-", "mapping.json"
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
            if (out / MAPPING_FILE).exists():  # a recorded set's numbers became ours by it
                shutil.copy(out / MAPPING_FILE, part)
        save_policy(part, run, transform, codec, gather_tensors(training.ema))
        kinds = (("model", lora.list_trained(training.model)), ("optimiser", _flatten_optimizer(training)))
        for kind, tensors in kinds:
            _write_tensors(part / f"{kind}.safetensors", gather_tensors(tensors))
    if distributed.is_main():
        before = [folder for folder in list_checkpoints(out) if folder.name < final.name and not find_damage(folder)]
        _commit_checkpoint(part, final, [folder for folder in list_checkpoints(out) if folder not in before[-1:]])
    return final


def save_policy(folder: Path, run: Run, transform: Transform, codec: PictureCodec, ema: Mapping[str, Tensor]) -> None:
    """Write the files of a policy into `folder`, given whole tensors; only the main process writes."""
    if distributed.is_main():
        config.save_run(run, folder)
        (folder / "transform.json").write_text(transforms.to_json(transform))
        _write_tensors(folder / "codec.safetensors", codec.state_dict())
        _write_tensors(folder / "ema.safetensors", ema)


def gather_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors on the CPU for the main process, nothing for the others; collective."""
    result = {}
    for name, value in tensors.items():
        whole = distributed.gather_tensor(value.detach())
        if distributed.is_main():
            result[name] = whole.cpu()
    return result


def list_checkpoints(out: Path) -> list[Path]:
    """Checkpoints in `out`, oldest first."""
    return sorted(folder for folder in out.glob(f"{CHECKPOINT_PREFIX}*") if folder.is_dir())


def format_name(step: int) -> str:
    """Folder name of the checkpoint of a step."""
    return f"{CHECKPOINT_PREFIX}{step:06d}"


def find_newest(out: Path, names: Sequence[str] = TRAINING_FILES) -> Path | None:
    """Newest checkpoint in `out` whose files `names` are whole, None if there is none."""
    return next((folder for folder in reversed(list_checkpoints(out)) if not find_damage(folder, names)), None)


def demand_newest(out: Path, names: Sequence[str] = TRAINING_FILES) -> Path | None:
    """Newest checkpoint in `out`, None if there is none; a note says which were passed over because of damage.

    `UserError` if all are damaged.
    """
    checkpoints, newest = list_checkpoints(out), find_newest(out, names)
    damaged = [folder for folder in checkpoints if newest is None or folder.name > newest.name]
    if not damaged:
        return newest
    reason = find_damage(damaged[-1], names)
    if newest is None:
        raise UserError(f"{reason}; there is no other checkpoint: bring it back from a copy, or remove {damaged[-1]}")
    console.print_note(f"{reason}; {newest.name}, the one before, is used")
    return newest


def find_damage(folder: Path, names: Sequence[str] = TRAINING_FILES) -> str:
    """Sentence on the first of the files `names` in a checkpoint that is missing or cut off, "" if all are whole."""
    for name in names:
        path = folder / name
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            else:
                with safe_open(path, "pt"):
                    pass  # what it says of its tensors is checked against its length
        except (OSError, SafetensorError, ValueError) as error:
            return f"{path} is damaged ({_first_line(error)})" if path.exists() else f"{path} is missing"
    return ""


def describe_remains(out: Path) -> str:
    """Sentence on the checkpoint that remains in `out` after an error."""
    newest = find_newest(out)
    return f"{newest} stays" if newest else "there is no checkpoint yet"


def resolve_checkpoint(path: Path) -> Path:
    """Checkpoint at `path`, or the newest in it; `UserError` if there is none that holds a whole policy."""
    if (path / "ema.safetensors").is_file() or path.name.startswith(CHECKPOINT_PREFIX):
        if path.is_dir() and (damage := find_damage(path, POLICY_FILES)):
            raise UserError(f"{damage}; another checkpoint may be in {path.parent}")
        return path
    newest = demand_newest(path, POLICY_FILES)
    if not newest:
        raise UserError(f"no checkpoint in {path}; `aim train PRESET --data DIR --out {path}` makes one")
    return newest


def compute_digest(folder: Path) -> str:
    """SHA-256 over all files that determine a policy's behaviour."""
    total = hashlib.sha256()
    for name in POLICY_FILES:
        with (folder / name).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def restore_training(folder: Path, training: TrainingState) -> TrainingProgress:
    """Restore the training state from a checkpoint and return its progress; `UserError` if it is damaged."""
    _fill_tensors(folder / "model.safetensors", lora.list_trained(training.model))
    _fill_tensors(folder / "ema.safetensors", training.ema)
    _restore_optimizer(folder / "optimiser.safetensors", training)
    try:
        return TrainingProgress(**json.loads((folder / "progress.json").read_text()))
    except (OSError, TypeError, json.JSONDecodeError) as error:
        raise UserError(f"{folder / 'progress.json'} is damaged: {_first_line(error)}") from error


def load_module(path: Path, module: nn.Module) -> None:
    """Load the tensors of a file into `module`; `UserError` if they do not fit or the file is damaged."""
    _fill_tensors(path, module.state_dict())


def load_trained(path: Path, model: WorldActionModel) -> None:
    """Load the trainable tensors of a model from a file; `UserError` if they do not fit."""
    _fill_tensors(path, lora.list_trained(model))


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
        raise UserError(f"{path} is damaged: {_first_line(error)}") from error
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


def _read_tensors(
    path: Path, shapes: Mapping[str, torch.Size], allow_missing: bool = False
) -> Iterator[tuple[str, Tensor]]:
    """Tensors of a file one by one; `UserError` if it is damaged or they do not match `shapes`.

    With `allow_missing` the file may lack some of them.
    """
    try:
        with safe_open(path, "pt") as file:
            stored = {name: torch.Size(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            expected = {name: shape for name, shape in shapes.items() if name in stored or not allow_missing}
            _check_shapes(path, stored, expected)
            for name in expected:
                yield name, file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged: {_first_line(error)}") from error


def _check_shapes(path: Path, stored: Mapping[str, torch.Size], expected: Mapping[str, torch.Size]) -> None:
    """Raise `UserError` with the first tensor that is missing, unexpected, or of another shape."""
    for name, shape in expected.items():
        if name not in stored:
            raise UserError(f"{path} does not fit its run: it has no {name} {tuple(shape)}")
        if stored[name] != shape:
            mismatch = f"{name} is {tuple(stored[name])}, the run wants {tuple(shape)}"
            raise UserError(f"{path} does not fit its run: {mismatch}")
    if unexpected := sorted(set(stored) - set(expected)):
        raise UserError(f"{path} does not fit its run: nothing there is called {unexpected[0]}")


@torch.no_grad()
def _fill_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Copy the tensors of a file into tensors, whole or sharded."""
    for name, value in _read_tensors(path, {name: tensor.shape for name, tensor in tensors.items()}):
        tensors[name].copy_(distributed.shard_like(value.to(tensors[name].dtype), tensors[name]))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _flatten_optimizer(training: TrainingState) -> dict[str, Tensor]:
    """Tensors of the optimiser as "parameter/kind"."""
    state = training.optimiser.state
    return {
        f"{name}/{kind}": state[value][kind]
        for name, value in training.model.named_parameters()
        if value in state
        for kind in ADAM_MOMENTS
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
    for key, value in _read_tensors(path, shapes, allow_missing=True):
        name, _, kind = key.rpartition("/")
        parameter = parameters[name]
        state.setdefault(indices[name], {})[kind] = (
            value if kind == "step" else distributed.shard_like(value, parameter)
        )
    groups = training.optimiser.state_dict()["param_groups"]
    training.optimiser.load_state_dict({"state": state, "param_groups": groups})


def _moment_shape(kind: str, value: Tensor) -> torch.Size:
    return torch.Size() if kind == "step" else value.shape
