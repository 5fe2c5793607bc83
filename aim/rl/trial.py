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

FEATURES = "features"  # group of a trial in a file
ARRAYS = ("facts", "chunks", "outcome_facts", "outcome", "preferred", "chosen")


@dataclass(frozen=True)
class Trial:
    """One episode of t decisions, at each of which c chunks of k actions were at hand; actions are normalised."""

    seed: int  # of the scene
    instruction: str
    success: bool
    steps: int  # control steps
    guided: bool  # the candidate that the critic preferred was carried out at each decision, not the policy's own
    facts: NDArray[np.float32]  # (t p) state of the simulator: `aim.rl.facts`
    features: Mapping[str, NDArray]  # (t ...) what the action expert saw: `aim.rl.features`; none where none were tried
    chunks: NDArray[np.float32]  # (t c k d), the policy's own first
    outcome_facts: NDArray[np.float32]  # (t c p) of the states that trying each chunk led to; c is 0 where none were
    outcome: NDArray[np.int8]  # (t c) ONGOING, SUCCESS or FAILURE after each chunk
    preferred: NDArray[np.int64]  # (t,) candidate that the critic of that time preferred
    chosen: NDArray[np.int64]  # (t,) which was carried out

    @property
    def is_tried(self) -> bool:
        """Whether candidates were tried."""
        return self.outcome.shape[1] > 1


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Write trials to an HDF5 file, a group each."""
    with h5py.File(path, "w") as file:
        for trial in trials:
            group = file.create_group(str(trial.seed))
            group.attrs.update(
                instruction=trial.instruction, success=trial.success, steps=trial.steps, guided=trial.guided
            )
            arrays = {name: getattr(trial, name) for name in ARRAYS}
            features = {f"{FEATURES}/{name}": rows for name, rows in trial.features.items()}
            for name, rows in (arrays | features).items():
                group.create_dataset(name, data=rows, compression="lzf" if rows.size else None)


def read_trials(path: Path) -> list[Trial]:
    """Return the trials of a file; `UserError` where it is damaged."""
    try:
        with h5py.File(path, "r") as file:
            return [_read_trial(int(name), cast(h5py.Group, group)) for name, group in file.items()]
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is damaged: {error}") from error


def _read_trial(seed: int, group: h5py.Group) -> Trial:
    def read_rows(name: str) -> NDArray:
        return cast(h5py.Dataset, group[name])[:]

    told = cast(Mapping[str, Any], group.attrs)
    names = list(cast(h5py.Group, group[FEATURES])) if FEATURES in group else []
    return Trial(
        seed, str(told["instruction"]), bool(told["success"]), int(told["steps"]), bool(told["guided"]),
        features={name: read_rows(f"{FEATURES}/{name}") for name in names},
        **{name: read_rows(name) for name in ARRAYS},
    )  # fmt: skip
