"""Checkpoints as a policy reads them: finding one, and loading its tensors. `aim.train.checkpoint` writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from aim.model import lora
from aim.model.world_action_model import WorldActionModel
from sim.types import UserError

POLICY_FILES = (
    "run.json",
    "transform.json",
    "codec.safetensors",
    "ema.safetensors",
)  # what a learned policy is made of
CHECKPOINT_PREFIX = "step-"


def list_checkpoints(out: Path) -> list[Path]:
    """Checkpoints in `out`, oldest first."""
    return sorted(folder for folder in out.glob(f"{CHECKPOINT_PREFIX}*") if (folder / "progress.json").is_file())


def format_name(step: int) -> str:
    """Folder name of the checkpoint of a step."""
    return f"{CHECKPOINT_PREFIX}{step:06d}"


def find_newest(out: Path) -> Path | None:
    """Newest checkpoint in `out`, None if there is none."""
    checkpoints = list_checkpoints(out)
    return checkpoints[-1] if checkpoints else None


def resolve_checkpoint(path: Path) -> Path:
    """Checkpoint at `path`, or the newest in it; `UserError` if there is none."""
    if (path / "ema.safetensors").is_file():
        return path
    newest = find_newest(path)
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


def load_module(path: Path, module: nn.Module) -> None:
    """Load the tensors of a file into `module`; `UserError` if they do not fit or the file is damaged."""
    _fill_tensors(path, module.state_dict())


def load_trained(path: Path, model: WorldActionModel) -> None:
    """Load the trainable tensors of a model from a file; `UserError` if they do not fit."""
    _fill_tensors(path, lora.list_trained(model))


def read_tensors(
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
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path} is damaged: {reason}") from error


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
    """Copy the tensors of a file into those of the same name."""
    for name, value in read_tensors(path, {name: tensor.shape for name, tensor in tensors.items()}):
        tensors[name].copy_(value)
