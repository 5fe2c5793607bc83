"""The record of a training: numbers and pictures, told to everyone who listens.

`log.jsonl` has one JSON object a line, appended, so that a broken-off line costs only itself; TensorBoard's event files
lie beside it; Weights & Biases listens where it is asked to. Processes of a fleet but the first tell nobody.
"""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.types import UserError

FILE, EVENTS = "log.jsonl", "tensorboard"


class Ear(Protocol):
    """Who listens to a training."""

    def write(self, part: str, values: Mapping[str, object]) -> None:
        """Take what a part of the work has to say; "step" among the values says when."""
        ...

    def picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        """Take a picture (h w 3)."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class Log:
    """All who listen."""

    def __init__(self, ears: Sequence[Ear] = ()) -> None:
        """Tell those in `ears`."""
        self.ears = tuple(ears)

    def write(self, part: str, values: Mapping[str, object]) -> None:
        """Tell what `part` ("codec", "latents", "stage1", "eval") has to say."""
        for ear in self.ears:
            ear.write(part, values)

    def picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        """Show a picture (h w 3)."""
        for ear in self.ears:
            ear.picture(name, step, picture)

    def close(self) -> None:
        """Finish with all of them."""
        for ear in self.ears:
            ear.close()


def opened(out: Path, project: str = "", about: Mapping[str, object] | None = None) -> Log:
    """Return the log of the training in `out`; with `project` it is told to Weights & Biases too, `about` and all.

    `UserError` where that is asked for and not installed.
    """
    wandb = [_Wandb(out, project, about or {})] if project else []
    return Log([_JsonLinesSink(out / FILE), _Events(out / EVENTS), *wandb])


class _JsonLinesSink:
    """`log.jsonl`, held open while training."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a")

    def write(self, part: str, values: Mapping[str, object]) -> None:
        self.file.write(json.dumps({"part": part, **values}) + "\n")
        self.file.flush()

    def picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        """Leave it: films lie beside the log as files."""

    def close(self) -> None:
        self.file.close()


class _Events:
    """TensorBoard's event files."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self.writer = SummaryWriter(str(folder))

    def write(self, part: str, values: Mapping[str, object]) -> None:
        step = values.get("step")
        for name, value in numbers(values).items():
            self.writer.add_scalar(f"{part}/{name}", value, step)

    def picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        self.writer.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


class _Wandb:
    """A run of Weights & Biases; training again in the same folder goes on with it."""

    def __init__(self, out: Path, project: str, about: Mapping[str, object]) -> None:
        if importlib.util.find_spec("wandb") is None:
            raise UserError("--wandb needs a package more: pip install 'aim-world-action[wandb]'")
        import wandb  # pyright: ignore[reportMissingImports] - an extra

        self.wandb = wandb
        kept = out / "wandb-id.txt"
        before = kept.read_text() if kept.exists() else None
        self.run = wandb.init(
            project=project, name=out.resolve().name, dir=str(out), id=before, resume="allow", config=dict(about)
        )
        kept.write_text(self.run.id)

    def write(self, part: str, values: Mapping[str, object]) -> None:
        self.run.log({f"{part}/{name}": value for name, value in numbers(values).items()} | _when(part, values))

    def picture(self, name: str, step: int, picture: NDArray[np.uint8]) -> None:
        self.run.log({name: self.wandb.Image(picture), "stage1/step": step})

    def close(self) -> None:
        self.run.finish()


def numbers(values: Mapping[str, object]) -> dict[str, float]:
    """Return those values that are numbers to draw a curve of; the step is none."""
    kinds = (int, float)
    return {name: float(value) for name, value in values.items() if isinstance(value, kinds) and name != "step"}


def _when(part: str, values: Mapping[str, object]) -> dict[str, object]:
    return {f"{part}/step": values["step"]} if "step" in values else {}


class Meter:
    """Means of numbers between two reports, and the pace since the last one."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.sums: dict[str, float] = {}
        self.count = self.samples = 0
        self.start = time.monotonic()

    def add(self, values: Mapping[str, float], samples: int) -> None:
        """Take the numbers of one step."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        self.samples += samples

    def take(self) -> dict[str, float]:
        """Return the means and `samples_per_second`, and begin anew."""
        seconds = max(time.monotonic() - self.start, 1e-9)
        means = {name: total / max(self.count, 1) for name, total in self.sums.items()}
        result = {**means, "samples_per_second": self.samples / seconds}
        self.__init__()
        return result
