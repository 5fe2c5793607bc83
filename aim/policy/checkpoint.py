"""Checkpoints as a policy reads them: finding one, and loading its tensors. `aim.train.checkpoint` writes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from aim.config import RUN_FILE
from aim.data.transforms import TRANSFORM_FILE
from aim.model import lora
from aim.model.world_action_model import WorldActionModel
from aim.policy.shipped import SOURCE_FILE, check_files, describe_valid_names, locate_policy
from aim.util import console
from sim.types import UserError

EMA_FILE, CODEC_FILE = "ema.safetensors", "codec.safetensors"  # exponential moving average of the weights
POLICY_FILES = (RUN_FILE, TRANSFORM_FILE, CODEC_FILE, EMA_FILE)  # what a learned policy is made of
VERIFIER_FILE = "verifier.safetensors"  # beside them where Stage II learned one
TICKET_FILE = "ticket.safetensors"  # beside them where Stage II chose the noise that every chunk is denoised from
TICKET_NAME = "noise"  # of the tensor (k d) in it
OPTIONAL_FILES = (VERIFIER_FILE, TICKET_FILE)
CANDIDATES_KEY, FUTURES_KEY, HORIZON_KEY, NOISE_KEY = (
    "candidates",
    "futures",
    "execution_horizon",
    "candidate_noise",
)  # in its metadata: what it learned from
CHECKPOINT_PREFIX = "step-"


def list_checkpoints(out: Path) -> list[Path]:
    """Checkpoints in `out`, oldest first."""
    found = (folder for folder in out.glob(f"{CHECKPOINT_PREFIX}*") if folder.is_dir())
    named = (folder for folder in found if folder.name.removeprefix(CHECKPOINT_PREFIX).isdecimal())
    return sorted(named, key=parse_step)  # after a million steps names are longer


def format_name(step: int) -> str:
    """Folder name of the checkpoint of a step."""
    return f"{CHECKPOINT_PREFIX}{step:06d}"


def parse_step(folder: Path) -> int:
    """Step of the checkpoint in a folder of that name."""
    return int(folder.name.removeprefix(CHECKPOINT_PREFIX))


def find_newest(out: Path, names: Sequence[str]) -> Path | None:
    """Newest checkpoint in `out` whose files `names` are whole, None if there is none."""
    return next((folder for folder in reversed(list_checkpoints(out)) if not find_damage(folder, names)), None)


def demand_newest(out: Path, names: Sequence[str]) -> Path | None:
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


def find_damage(folder: Path, names: Sequence[str]) -> str:
    """Sentence on the first file of a checkpoint that is missing or cut off, "" if all are whole.

    Those are the files `names`, and the optional ones that are there.
    """
    for name in (*names, *list_optional_files(folder)):
        path = folder / name
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            else:
                with safe_open(path, "pt"):
                    pass  # what it says of its tensors is checked against its length
        except (OSError, SafetensorError, ValueError) as error:
            return f"{path} is damaged ({first_line(error)})" if path.exists() else f"{path} is missing"
    return ""


def resolve_checkpoint(path: Path) -> Path:
    """Checkpoint at `path`, or the newest in it; `UserError` if there is none that holds a whole policy.

    The name of a policy that comes with the project stands for its folder, unless there is a folder of that name here.
    """
    path = locate_policy(path) or path
    if (path / SOURCE_FILE).is_file():
        check_files(path)
        return path
    if (path / EMA_FILE).is_file() or path.name.startswith(CHECKPOINT_PREFIX):
        if path.is_dir() and (damage := find_damage(path, POLICY_FILES)):
            raise UserError(f"{damage}; another checkpoint may be in {path.parent}")
        return path
    newest = demand_newest(path, POLICY_FILES)
    if not newest:
        made = f"`aim train PRESET --data DIR --out {path}` makes one"
        raise UserError(f"no checkpoint in {path}; {made}, {describe_valid_names()}")
    return newest


def list_optional_files(folder: Path) -> tuple[str, ...]:
    """Names of the files of a policy that are there and need not be."""
    return tuple(name for name in OPTIONAL_FILES if (folder / name).exists())


def compute_digest(folder: Path) -> str:
    """SHA-256 over all files that determine a policy's behaviour."""
    total = hashlib.sha256()
    for name in (*POLICY_FILES, *list_optional_files(folder)):
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
        raise UserError(f"{path} is damaged: {first_line(error)}") from error


def read_metadata(path: Path) -> dict[str, str]:
    """Texts that a file of tensors was saved with; `UserError` if it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}") from error


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


def first_line(error: Exception) -> str:
    """First line of what a library says of an error."""
    return str(error).partition("\n")[0]
