"""State of a codec's training, so that it goes on where it stopped: one file beside the codec, replaced as a whole.

    codec/training.safetensors     codec/NAME and optimiser/NAME/KIND, and as metadata the progress

It is there while a codec is being trained, and stays where the codec turned out poor and may be trained further.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from aim.config import TrainConfig
from aim.model.image_codec import Codec
from aim.policy.checkpoint import first_line
from aim.train import schedule
from aim.train.checkpoint import ADAM_MOMENTS, TrainingProgress
from aim.util.decode import decode_json
from sim.types import UserError

STATE_FILE = "training.safetensors"


def save_codec_state(path: Path, codec: Codec, optimizer: torch.optim.Optimizer, progress: TrainingProgress) -> None:
    """Write the state of a codec's training atomically."""
    tensors = {f"codec/{name}": value for name, value in codec.state_dict().items()}
    for name, parameter in codec.named_parameters():
        tensors |= {f"optimiser/{name}/{kind}": value for kind, value in optimizer.state.get(parameter, {}).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        save_file(
            {name: value.detach().cpu().contiguous() for name, value in tensors.items()}, part,
            {"progress": json.dumps(dataclasses.asdict(progress))},
        )  # fmt: skip
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_codec_progress(path: Path) -> TrainingProgress | None:
    """Progress of the training in a file, None if there is no file; `UserError` if it is damaged."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            return decode_json(TrainingProgress, (file.metadata() or {})["progress"], "progress")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _describe_damage(path, error) from error


def restore_codec_state(path: Path, codec: Codec, optimizer: torch.optim.Optimizer) -> None:
    """Restore codec and optimiser from a file that `save_codec_state` wrote; `UserError` if it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        codec.load_state_dict(_select(stored, "codec/"))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise _describe_damage(path, error) from error
    moments = _select(stored, "optimiser/")
    names = [name for name, _ in codec.named_parameters()]
    state = {
        index: {kind: moments[f"{name}/{kind}"] for kind in ADAM_MOMENTS}
        for index, name in enumerate(names)
        if f"{name}/{ADAM_MOMENTS[0]}" in moments
    }
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def wants_more_training(path: Path, config: TrainConfig) -> bool:
    """Whether the training in a file, if there is one, is short of the limits of `config`."""
    if not (config.steps or config.minutes):
        return False
    progress = read_codec_progress(path)
    return progress is not None and schedule.compute_progress(config, progress.step, progress.seconds) < 1.0


def _select(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _describe_damage(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} is damaged ({first_line(error)}); remove it, and the codec is trained anew")
