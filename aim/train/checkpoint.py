"""Checkpoints: a folder that holds all a policy needs and all a training needs to go on, whole or not there.

    step-000500/  run.json  transform.json  codec.safetensors  ema.safetensors     for the policy
                  model.safetensors  optimiser.safetensors  progress.json          to go on, bit for bit

It is written under another name, then renamed; afterwards the one before is removed. No state of a random generator
is kept: what a step draws follows from the seed and its number. Tensors are kept whole, whatever the number of
processes that share them while training; so two may go on with what one began, and one with what two began.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
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
from aim.model.aim import AIM
from aim.model.codec import PictureCodec
from aim.train import fleet
from aim.train.precision import Number
from sim.types import UserError

POLICY = ("run.json", "transform.json", "codec.safetensors", "ema.safetensors")  # what a learned policy is made of
PREFIX, MAPPING = "step-", "mapping.json"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of every parameter


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training came: steps, seconds of wall clock over all its sittings, and the precision it runs in."""

    step: int
    seconds: float
    precision: Number


@dataclass(frozen=True)
class TrainingState:
    """What changes while training."""

    model: AIM
    ema: dict[str, Tensor]  # by parameter name
    optimiser: torch.optim.Optimizer


def save(
    out: Path, run: Run, transform: Transform, codec: PictureCodec, training: TrainingState, progress: TrainingProgress
) -> Path:
    """Write the checkpoint of `progress.step` into `out`, remove those before it, and return its folder.

    Every process of a fleet must call it, as each gives its share; the first one writes.
    """
    final = out / name(progress.step)
    part = out / f".{final.name}.part"
    if fleet.leads():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (part / "progress.json").write_text(json.dumps(dataclasses.asdict(progress)) + "\n")
        if (out / MAPPING).exists():  # a recorded set's numbers became ours by it
            shutil.copy(out / MAPPING, part)
    save_policy(part, run, transform, codec, gathered(training.ema))
    for kind, tensors in (("model", lora.trained(training.model)), ("optimiser", _flat(training))):
        _write(part / f"{kind}.safetensors", gathered(tensors))
    if fleet.leads():
        _replace(part, final, [folder for folder in steps(out) if folder != final])
    return final


def save_policy(folder: Path, run: Run, transform: Transform, codec: PictureCodec, ema: Mapping[str, Tensor]) -> None:
    """Write all that a policy needs into `folder`, given whole tensors; only the first process of a fleet writes."""
    if fleet.leads():
        config.save(run, folder)
        (folder / "transform.json").write_text(transforms.to_json(transform))
        _write(folder / "codec.safetensors", codec.state_dict())
        _write(folder / "ema.safetensors", ema)


def gathered(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return whole tensors on the CPU for the first process, and nothing for the others, which must call it too."""
    result = {}
    for name, value in tensors.items():
        whole = fleet.whole(value.detach())
        if fleet.leads():
            result[name] = whole.cpu()
    return result


def steps(out: Path) -> list[Path]:
    """Return the checkpoints in `out`, oldest first."""
    return sorted(folder for folder in out.glob(f"{PREFIX}*") if (folder / "progress.json").is_file())


def name(step: int) -> str:
    """Return what the checkpoint of a step is called."""
    return f"{PREFIX}{step:06d}"


def newest_of(out: Path) -> Path | None:
    """Return the newest checkpoint in `out`, None where there is none."""
    found = steps(out)
    return found[-1] if found else None


def remains(out: Path) -> str:
    """Return in words what a fault leaves in `out`."""
    kept = newest_of(out)
    return f"{kept} stays" if kept else "there is no checkpoint yet"


def newest(path: Path) -> Path:
    """Return the checkpoint at `path`, or the newest in it; `UserError` where there is none."""
    if (path / "ema.safetensors").is_file():
        return path
    found = newest_of(path)
    if not found:
        raise UserError(f"no checkpoint in {path}; `aim train PRESET --data DIR --out {path}` makes one")
    return found


def digest(folder: Path) -> str:
    """Return the SHA-256 of all files that decide what a checkpoint does."""
    total = hashlib.sha256()
    for name in POLICY:
        with (folder / name).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def restore(folder: Path, training: TrainingState) -> TrainingProgress:
    """Bring a training to where the checkpoint was written and return how far that is; `UserError` if damaged."""
    _fill(folder / "model.safetensors", lora.trained(training.model))
    _fill(folder / "ema.safetensors", training.ema)
    _unflatten(folder / "optimiser.safetensors", training)
    try:
        return TrainingProgress(**json.loads((folder / "progress.json").read_text()))
    except (OSError, TypeError, json.JSONDecodeError) as error:
        raise UserError(f"{folder / 'progress.json'} is damaged: {_line(error)}") from error


def load_module(path: Path, module: nn.Module) -> None:
    """Fill `module` with the tensors of a file; `UserError` where they do not fit or the file is damaged."""
    _fill(path, module.state_dict())


def load_trained(path: Path, model: AIM) -> None:
    """Fill what trains of a model with the tensors of a file; `UserError` where they do not fit."""
    _fill(path, lora.trained(model))


def _replace(part: Path, final: Path, before: list[Path]) -> None:
    """Give a finished checkpoint its name, then remove those before it."""
    shutil.rmtree(final, ignore_errors=True)
    os.replace(part, final)
    for folder in before:
        shutil.rmtree(folder)


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if fleet.leads():
        save_file({name: value.detach().contiguous() for name, value in tensors.items()}, path)
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _read(path: Path, shapes: Mapping[str, torch.Size], some: bool = False) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a file one by one; `UserError` where it is damaged or they are not those of `shapes`.

    With `some` the file may lack some of them.
    """
    try:
        with safe_open(path, "pt") as file:
            there = {name: torch.Size(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            wanted = {name: shape for name, shape in shapes.items() if name in there or not some}
            _compare(path, there, wanted)
            for name in wanted:
                yield name, file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged: {_line(error)}") from error


def _compare(path: Path, there: Mapping[str, torch.Size], wanted: Mapping[str, torch.Size]) -> None:
    """Raise `UserError` naming the first tensor that is missing, one too many, or of another shape."""
    for name, shape in wanted.items():
        if name not in there:
            raise UserError(f"{path} does not fit its run: it has no {name} {tuple(shape)}")
        if there[name] != shape:
            found = f"{name} is {tuple(there[name])}, the run wants {tuple(shape)}"
            raise UserError(f"{path} does not fit its run: {found}")
    if more := sorted(set(there) - set(wanted)):
        raise UserError(f"{path} does not fit its run: nothing there is called {more[0]}")


@torch.no_grad()
def _fill(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Fill tensors, whole or shared out, with those of a file."""
    for name, value in _read(path, {name: tensor.shape for name, tensor in tensors.items()}):
        tensors[name].copy_(fleet.like(value.to(tensors[name].dtype), tensors[name]))


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _flat(training: TrainingState) -> dict[str, Tensor]:
    """Return the optimiser's tensors as "parameter/kind"."""
    state = training.optimiser.state
    return {
        f"{name}/{kind}": state[value][kind]
        for name, value in training.model.named_parameters()
        if value in state
        for kind in MOMENTS
    }


@torch.no_grad()
def _unflatten(path: Path, training: TrainingState) -> None:
    """Give the optimiser the tensors that `_flat` returned; parameters that had no gradient yet have none."""
    parameters = lora.trained(training.model)
    shapes = {f"{name}/{kind}": _shape(kind, value) for name, value in parameters.items() for kind in MOMENTS}
    order = [id(value) for group in training.optimiser.param_groups for value in group["params"]]
    places = {name: order.index(id(value)) for name, value in parameters.items()}
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _read(path, shapes, some=True):
        name, _, kind = key.rpartition("/")
        there = parameters[name]
        state.setdefault(places[name], {})[kind] = value if kind == "step" else fleet.like(value, there)
    groups = training.optimiser.state_dict()["param_groups"]
    training.optimiser.load_state_dict({"state": state, "param_groups": groups})


def _shape(kind: str, value: Tensor) -> torch.Size:
    return torch.Size() if kind == "step" else value.shape
