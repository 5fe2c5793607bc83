"""Evaluation results on disk: every episode, and success rates with confidence intervals.

`results.json` names whose results they are (policy, its digest, robot, variation, settings). A folder holds those of
one such identity: the same evaluation again adds only what is missing, and another one is refused. It also says how
they were made: with what, once for every machine and commit that took part, and by which commands; a policy that sees
images sees those of one renderer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aim.evaluate.intervals import wilson_interval
from aim.util import atomic_file
from sim.envs.failure import count_reasons
from sim.types import AttemptFailure, Provenance, UserError

RESULTS_FILE = "results.json"
RESULTS_VERSION = 4
# 1 knew clean scenes only, 2 neither failures nor progress, 3 neither commands nor what films show
READABLE_RESULT_VERSIONS = (1, 2, 3, 4)


@dataclass(frozen=True)
class ResultsIdentity:
    """Identity of results: `policy` as the user named it, `digest` of its weights ("" for the expert and random)."""

    policy: str
    digest: str
    robot: str
    variation: str  # of the scenes, as the user named it: clean, random
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class ResultsOrigin:
    """How results were made: with what, by which command lines, and by which variant of a model ("": by none)."""

    provenances: tuple[Provenance, ...] = ()
    commands: tuple[str, ...] = ()
    variant: str = ""


@dataclass(frozen=True)
class EpisodeResult:
    """One finished episode; `steps` counts control steps, `film` is a path inside the folder or "".

    `failure` says why it did not succeed, None where it did and in older versions; `progress` (0 to 1) how far along
    the task's plan it came, None in older versions. `film_predictions` says what its film shows of what the policy
    predicted ("pictures", "maps"); None in older versions.
    """

    task: str
    seed: int
    success: bool
    steps: int
    instruction: str
    film: str = ""
    failure: AttemptFailure | None = None
    progress: float | None = None
    film_predictions: tuple[str, ...] | None = ()


def load_results(folder: Path, identity: ResultsIdentity) -> tuple[EpisodeResult, ...]:
    """Results already in `folder`, none if it is new; `UserError` if they belong to another identity."""
    path = folder / RESULTS_FILE
    if not path.exists():
        return ()
    record = read_record(path)
    for field, expected in dataclasses.asdict(identity).items():
        if record[field] != expected:
            raise UserError(
                f"{folder} holds results with {field} {record[field]!r}, not {expected!r}; "
                "give another --out or empty that folder"
            )
    return tuple(parse_result(row) for row in record["episodes"])


def count_episodes(folder: Path) -> int:
    """Number of episodes whose results are in `folder`."""
    path = folder / RESULTS_FILE
    return len(read_record(path)["episodes"]) if path.exists() else 0


def parse_result(row: Mapping[str, Any]) -> EpisodeResult:
    """Result of one row of `results.json`, of any readable version."""
    raw, shown = row.get("failure"), row.get("film_predictions")
    failure = None if raw is None else AttemptFailure.parse(raw)
    return EpisodeResult(**{**row, "failure": failure, "film_predictions": None if shown is None else tuple(shown)})


def read_provenances(folder: Path) -> tuple[Provenance, ...]:
    """Provenances of the results in `folder` in order of their first use; none if it is new."""
    path = folder / RESULTS_FILE
    return tuple(Provenance(**made) for made in read_record(path).get("provenance", ())) if path.exists() else ()


def add_command(folder: Path, command: str) -> tuple[str, ...]:
    """Command lines that made the results in `folder`, after adding one ("": none)."""
    path = folder / RESULTS_FILE
    stored = read_record(path)["commands"] if path.exists() else ()
    return tuple(dict.fromkeys(filter(None, (*stored, command))))


def add_provenance(folder: Path, new: Provenance) -> tuple[Provenance, ...]:
    """Provenances of the results in `folder` after adding one; `UserError` if renderers would be mixed."""
    stored = read_provenances(folder)
    for provenance in stored:
        if provenance.renderer and new.renderer and provenance.renderer != new.renderer:
            raise UserError(
                f"{folder} holds results seen through {provenance.renderer}, this machine renders by {new.renderer}; "
                "give another --out, renderers are not mixed"
            )
    return tuple(dict.fromkeys((*stored, new)))


def read_record(path: Path) -> dict[str, Any]:
    """Record of a results file; `UserError` if its version cannot be read."""
    try:
        record = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(record, dict) or record.get("version") not in READABLE_RESULT_VERSIONS:
        raise UserError(f"{path} is no evaluation of version {' or '.join(map(str, READABLE_RESULT_VERSIONS))}")
    return {"variation": "clean", "commands": [], "variant": "", **record}


def save_results(
    folder: Path, identity: ResultsIdentity, results: Iterable[EpisodeResult], origin: ResultsOrigin | None = None
) -> None:
    """Write `folder/results.json` atomically, episodes in order of task and seed."""
    rows, origin = sorted(results, key=lambda row: (row.task, row.seed)), origin or ResultsOrigin()
    record = {
        "version": RESULTS_VERSION,
        **dataclasses.asdict(identity),
        **summarize_results(rows),
        "provenance": [dataclasses.asdict(made) for made in origin.provenances],
        "commands": list(origin.commands),
        "variant": origin.variant,
        "episodes": [dataclasses.asdict(row) for row in rows],
    }
    folder.mkdir(parents=True, exist_ok=True)
    atomic_file.write_text(folder / RESULTS_FILE, json.dumps(record, indent=1) + "\n")


def summarize_results(results: Sequence[EpisodeResult]) -> dict[str, Any]:
    """`success_rate` and `ci95` over all episodes, and by task with `episodes` and failure reasons."""
    tasks = {row.task: [r for r in results if r.task == row.task] for row in results}
    return {
        **_compute_success_rate(results),
        "tasks": {
            name: {**_compute_success_rate(rows), "episodes": len(rows), "lost": count_reasons(list_failures(rows))}
            for name, rows in tasks.items()
        },
    }


def list_failures(results: Iterable[EpisodeResult]) -> list[AttemptFailure]:
    """Failures of unsuccessful episodes, as far as they were recorded."""
    return [row.failure for row in results if row.failure is not None]


def _compute_success_rate(results: Sequence[EpisodeResult]) -> dict[str, Any]:
    """Success rate and its Wilson 95 % interval."""
    num_successes = sum(row.success for row in results)
    return {
        "success_rate": num_successes / len(results) if results else 0.0,
        "ci95": list(wilson_interval(num_successes, len(results))),
    }
