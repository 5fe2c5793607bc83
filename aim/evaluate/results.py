"""The results of an evaluation on disk: every episode, and what they come to.

`results.json` names whose results they are (policy, its digest, robot, variation, settings). A folder holds those of
one such identity: the same evaluation again adds only what is missing, and another one is refused. It also says what
they were made with, once for every machine and commit that took part; a policy that sees images sees those of one
renderer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aim.evaluate.intervals import wilson
from sim.envs.failure import count_reasons
from sim.types import AttemptFailure, Provenance, UserError

RESULTS_FILE = "results.json"
VERSION = 3
READABLE_RESULT_VERSIONS = (1, 2, 3)  # version 1 knew clean scenes only, version 2 neither failures nor progress


@dataclass(frozen=True)
class Identity:
    """Whose results: `policy` as the user named it, `digest` of its weights ("" for the expert and random)."""

    policy: str
    digest: str
    robot: str
    variation: str  # of the scenes, as the user named it: clean, random
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """One finished episode; `steps` counts control steps, `film` is a path inside the folder or "".

    `failure` says why it did not succeed, None where it did and in older versions; `progress` (0 to 1) how far along
    the task's plan it came, None in older versions.
    """

    task: str
    seed: int
    success: bool
    steps: int
    instruction: str
    film: str = ""
    failure: AttemptFailure | None = None
    progress: float | None = None


def load(folder: Path, identity: Identity) -> tuple[Result, ...]:
    """Return the results that `folder` already holds, none if it is new; `UserError` if they are another's."""
    path = folder / RESULTS_FILE
    if not path.exists():
        return ()
    record = read(path)
    for field, ours in dataclasses.asdict(identity).items():
        if record[field] != ours:
            raise UserError(
                f"{folder} holds results with {field} {record[field]!r}, not {ours!r}; "
                "give another --out or empty that folder"
            )
    return tuple(parse_result(row) for row in record["episodes"])


def parse_result(row: Mapping[str, Any]) -> Result:
    """Return the result in a row of `results.json`, of any version that is read."""
    raw = row.get("failure")
    return Result(**{**row, "failure": None if raw is None else AttemptFailure.parse(raw)})


def read_provenances(folder: Path) -> tuple[Provenance, ...]:
    """Return what the results in `folder` were made with, in the order of their making; none if it is new."""
    path = folder / RESULTS_FILE
    return tuple(Provenance(**made) for made in read(path).get("provenance", ())) if path.exists() else ()


def add_provenance(folder: Path, new: Provenance) -> tuple[Provenance, ...]:
    """Return what the results in `folder` are made with once others are added; `UserError` if renderers would mix."""
    known = read_provenances(folder)
    for there in known:
        if there.renderer and new.renderer and there.renderer != new.renderer:
            raise UserError(
                f"{folder} holds results seen through {there.renderer}, this machine renders by {new.renderer}; "
                "give another --out, renderers are not mixed"
            )
    return tuple(dict.fromkeys((*known, new)))


def read(path: Path) -> dict[str, Any]:
    """Return the record in a results file; `UserError` if it is none that this version reads."""
    try:
        record = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(record, dict) or record.get("version") not in READABLE_RESULT_VERSIONS:
        raise UserError(f"{path} is no evaluation of version {' or '.join(map(str, READABLE_RESULT_VERSIONS))}")
    return {"variation": "clean", **record}


def save(folder: Path, identity: Identity, results: Iterable[Result], provenances: Iterable[Provenance] = ()) -> None:
    """Write `folder/results.json`, episodes in order of task and seed; it is replaced whole or not at all."""
    rows = sorted(results, key=lambda row: (row.task, row.seed))
    record = {
        "version": VERSION,
        **dataclasses.asdict(identity),
        **summary(rows),
        "provenance": [dataclasses.asdict(made) for made in provenances],
        "episodes": [dataclasses.asdict(row) for row in rows],
    }
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / (RESULTS_FILE + ".part")
    part.write_text(json.dumps(record, indent=1) + "\n")
    part.replace(folder / RESULTS_FILE)


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Return `success_rate` and `ci95` over all episodes, and the same with `episodes` and reasons for each task."""
    tasks = {row.task: [r for r in results if r.task == row.task] for row in results}
    return {
        **_rate(results),
        "tasks": {
            name: {**_rate(rows), "episodes": len(rows), "lost": count_reasons(list_failures(rows))}
            for name, rows in tasks.items()
        },
    }


def list_failures(results: Iterable[Result]) -> list[AttemptFailure]:
    """Return the failures of the episodes that failed, as far as they are known."""
    return [row.failure for row in results if row.failure is not None]


def _rate(results: Sequence[Result]) -> dict[str, Any]:
    """Return the rate of success and its Wilson 95 % interval."""
    won = sum(row.success for row in results)
    return {"success_rate": won / len(results) if results else 0.0, "ci95": list(wilson(won, len(results)))}
