"""Trials: episodes of Stage II, decision by decision, and the files that keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.types import UserError

FEATURES = "features/"  # before the names of features in a file


@dataclass(frozen=True)
class Trial:
    """One episode of t decisions, at each of which c chunks of k actions were at hand; actions are normalised."""

    seed: int  # of the scene
    instruction: str
    success: bool
    steps: int  # control steps
    explored: bool  # the best candidate was carried out at each decision, not the policy's own
    facts: NDArray[np.float32]  # (t p) state of the simulator: `aim.rl.facts`
    features: Mapping[str, NDArray]  # (t ...) what the action expert saw: `aim.rl.features`
    chunks: NDArray[np.float32]  # (t c k d), the policy's own first
    values: NDArray[np.float32]  # (t c) probability of success after each chunk by the critic of that time; NaN: none
    chosen: NDArray[np.int64]  # (t,) which was carried out

    @property
    def gain(self) -> NDArray[np.float32]:
        """By how much (t,) the best candidate is better than the policy's own, in probability of success."""
        return self.values.max(1) - self.values[:, 0]


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Write trials to an HDF5 file, a group each."""
    with h5py.File(path, "w") as file:
        for trial in trials:
            group = file.create_group(str(trial.seed))
            group.attrs.update(
                instruction=trial.instruction, success=trial.success, steps=trial.steps, explored=trial.explored
            )
            arrays = {name: getattr(trial, name) for name in ("facts", "chunks", "values", "chosen")}
            for name, rows in (arrays | {FEATURES + key: value for key, value in trial.features.items()}).items():
                group.create_dataset(name, data=rows, compression="lzf" if rows.size else None)


def read_trials(path: Path) -> list[Trial]:
    """Return the trials of a file; `UserError` where it is damaged."""
    try:
        with h5py.File(path, "r") as file:
            return [_read_trial(int(name), cast(h5py.Group, group)) for name, group in file.items()]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path} is damaged: {error}") from error


def _read_trial(seed: int, group: h5py.Group) -> Trial:
    def read_rows(name: str) -> NDArray:
        return cast(h5py.Dataset, group[name])[:]

    told = cast(Mapping[str, Any], group.attrs)
    names = list(cast(h5py.Group, group["features"]))
    return Trial(
        seed, str(told["instruction"]), bool(told["success"]), int(told["steps"]), bool(told["explored"]),
        facts=read_rows("facts"), features={name: read_rows(FEATURES + name) for name in names},
        chunks=read_rows("chunks"), values=read_rows("values"), chosen=read_rows("chosen"),
    )  # fmt: skip
