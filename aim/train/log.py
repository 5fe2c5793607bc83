"""The record of a training: one JSON object a line, appended, so that a broken-off line costs only itself."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path


class Log:
    """`out/log.jsonl`, held open while training."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending."""
        self.file = path.open("a")

    def write(self, part: str, values: Mapping[str, object]) -> None:
        """Append what `part` ("codec", "latents", "stage1") has to say."""
        self.file.write(json.dumps({"part": part, **values}) + "\n")
        self.file.flush()

    def close(self) -> None:
        """Close the file."""
        self.file.close()


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
