"""Checkpoints: a folder that holds all a policy needs and all a training needs to go on, whole or not there.

    step-000500/  run.json  transform.json  codec.safetensors  ema.safetensors     for the policy
                  model.safetensors  optimiser.safetensors  progress.json          to go on, bit for bit

It is written under another name, then renamed; afterwards the one before is removed. No state of a random generator
is kept: what a step draws follows from the seed and its number.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from aim import config
from aim.config import Run
from aim.data import transforms
from aim.data.transforms import Transform
from aim.model.aim import AIM
from aim.model.codec import Codec
from aim.train.precision import Number
from sim.types import UserError

PREFIX = "step-"


@dataclass(frozen=True)
class Progress:
    """How far a training came: steps, seconds of wall clock over all its sittings, and the precision it runs in."""

    step: int
    seconds: float
    precision: Number


@dataclass(frozen=True)
class Training:
    """What changes while training."""

    model: AIM
    ema: dict[str, Tensor]  # by parameter name
    optimiser: torch.optim.Optimizer


def save(out: Path, run: Run, transform: Transform, codec: Codec, training: Training, progress: Progress) -> Path:
    """Write the checkpoint of `progress.step` into `out`, remove those before it, and return its folder."""
    final = out / f"{PREFIX}{progress.step:06d}"
    part = out / f".{final.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    config.save(run, part)
    (part / "transform.json").write_text(transforms.to_json(transform))
    (part / "progress.json").write_text(json.dumps(dataclasses.asdict(progress)) + "\n")
    _write(part / "codec.safetensors", codec.state_dict())
    _write(part / "ema.safetensors", training.ema)
    _write(part / "model.safetensors", training.model.state_dict())
    _write(part / "optimiser.safetensors", _flat(training))
    before = [folder for folder in steps(out) if folder != final]
    shutil.rmtree(final, ignore_errors=True)
    os.replace(part, final)
    for folder in before:
        shutil.rmtree(folder)
    return final


def steps(out: Path) -> list[Path]:
    """Return the checkpoints in `out`, oldest first."""
    return sorted(folder for folder in out.glob(f"{PREFIX}*") if (folder / "progress.json").is_file())


def newest(path: Path) -> Path:
    """Return the checkpoint at `path`, or the newest in it; `UserError` where there is none."""
    if (path / "ema.safetensors").is_file():
        return path
    found = steps(path)
    if not found:
        raise UserError(f"no checkpoint in {path}; `aim train PRESET --data DIR --out {path}` makes one")
    return found[-1]


def restore(folder: Path, training: Training) -> Progress:
    """Bring a training to where the checkpoint was written and return how far that is; `UserError` if damaged."""
    try:
        training.model.load_state_dict(load_file(folder / "model.safetensors"))
        kept = load_file(folder / "ema.safetensors")
        for name, value in training.ema.items():
            value.copy_(kept[name])
        _unflatten(training, load_file(folder / "optimiser.safetensors"))
        return Progress(**json.loads((folder / "progress.json").read_text()))
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise UserError(f"the checkpoint {folder} is damaged: {str(error).splitlines()[0]}") from error


def load_module(path: Path, module: nn.Module) -> None:
    """Fill `module` with the tensors of a file; `UserError` where they do not fit or the file is damaged."""
    try:
        module.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(f"{path} does not fit its run.json or is damaged: {str(error).splitlines()[0]}") from error


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: value.detach().contiguous() for name, value in tensors.items()}, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flat(training: Training) -> dict[str, Tensor]:
    """Return the optimiser's tensors as "parameter/kind"."""
    names = [name for name, _ in training.model.named_parameters()]
    state = training.optimiser.state_dict()["state"]
    return {f"{names[i]}/{kind}": value for i, kinds in state.items() for kind, value in kinds.items()}


def _unflatten(training: Training, tensors: Mapping[str, Tensor]) -> None:
    places = {name: i for i, (name, _) in enumerate(training.model.named_parameters())}
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, _, kind = key.rpartition("/")
        state.setdefault(places[name], {})[kind] = value
    groups = training.optimiser.state_dict()["param_groups"]
    training.optimiser.load_state_dict({"state": state, "param_groups": groups})
