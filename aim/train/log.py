"""Training log: numbers and pictures, written to several sinks.

`log.jsonl` has one JSON object a line, appended, so that a broken-off line costs only itself; TensorBoard's event files
lie beside it; Weights & Biases is written to if asked for. Of several processes the main one alone writes.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.types import UserError

LOG_FILE, TENSORBOARD_FOLDER = "log.jsonl", "tensorboard"


class LogSink(Protocol):
    """Destination of log entries."""

    def write(self, part: str, values: Mapping[str, object]) -> None:
        """Write the values of a part of the work; "step" among the values is its step."""
        ...

    def write_picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        """Write a picture (h w 3)."""
        ...

    def close(self) -> None:
        """Flush and close."""
        ...


class Log:
    """Log that writes to several sinks."""

    def __init__(self, sinks: Sequence[LogSink] = ()) -> None:
        """Write to `sinks`."""
        self.sinks = tuple(sinks)

    def write(self, part: str, values: Mapping[str, object]) -> None:
        """Write the values of `part` ("codec", "latents", "stage1", "eval")."""
        for sink in self.sinks:
            sink.write(part, values)

    def write_picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        """Write a picture (h w 3)."""
        for sink in self.sinks:
            sink.write_picture(name, step, picture)

    def close(self) -> None:
        """Close all sinks."""
        for sink in self.sinks:
            sink.close()


def open_log(out: Path, project: str = "", run_config: Mapping[str, object] | None = None) -> Log:
    """Log of the training in `out`; with `project` also to Weights & Biases, with `run_config`.

    `UserError` where that is asked for and not installed.
    """
    wandb = [_WandbSink(out, project, run_config or {})] if project else []
    return Log([_JsonLinesSink(out / LOG_FILE), _TensorBoardSink(out / TENSORBOARD_FOLDER), *wandb])


class _JsonLinesSink:
    """Sink to `log.jsonl`, held open while training."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a+")
        if self.file.tell() and not _ends_with_newline(path):
            self.file.write("\n")  # a line that a crash or a full disk cut short

    def write(self, part: str, values: Mapping[str, object]) -> None:
        self.file.write(json.dumps({"part": part, **values}) + "\n")
        self.file.flush()

    def write_picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        """Nothing: videos are files beside the log."""

    def close(self) -> None:
        self.file.close()


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


class _TensorBoardSink:
    """Sink to TensorBoard event files."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self.writer = SummaryWriter(str(folder))

    def write(self, part: str, values: Mapping[str, object]) -> None:
        step = values.get("step")
        for name, value in select_numbers(values).items():
            self.writer.add_scalar(f"{part}/{name}", value, step)

    def write_picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        self.writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


class _WandbSink:
    """Sink to a run of Weights & Biases; training again in the same folder resumes it."""

    def __init__(self, out: Path, project: str, about: Mapping[str, object]) -> None:
        if importlib.util.find_spec("wandb") is None:
            raise UserError("--wandb needs a package more: pip install 'aim-world-action[wandb]'")
        import wandb  # pyright: ignore[reportMissingImports] - an extra

        self.wandb = wandb
        id_file = out / "wandb-id.txt"
        before = id_file.read_text() if id_file.exists() else None
        self.run = wandb.init(
            project=project, name=out.resolve().name, dir=str(out), id=before, resume="allow", config=dict(about)
        )
        id_file.write_text(self.run.id)

    def write(self, part: str, values: Mapping[str, object]) -> None:
        self.run.log(
            {f"{part}/{name}": value for name, value in select_numbers(values).items()} | _step_entry(part, values)
        )

    def write_picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        self.run.log({name: self.wandb.Image(picture), "stage1/step": step})

    def close(self) -> None:
        self.run.finish()


def select_numbers(values: Mapping[str, object]) -> dict[str, float]:
    """Values that are numbers, apart from the step."""
    kinds = (int, float)
    return {name: float(value) for name, value in values.items() if isinstance(value, kinds) and name != "step"}


def _step_entry(part: str, values: Mapping[str, object]) -> dict[str, object]:
    return {f"{part}/step": values["step"]} if "step" in values else {}
