"""Reads what lies under a folder: trainings (log.jsonl), evaluations (results.json), datasets (dataset.json)."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aim import config
from aim.config import Run
from aim.evaluate import films, results
from sim.types import CONTROL_HZ, UserError

LOG, RUN, QUALITY = "log.jsonl", "run.json", "codec/quality.json"
FILMS_A_TASK = 3  # of an evaluation
EPISODES_SHOWN = 3  # of a dataset
NOT_OURS = ("expert", "random")  # shown behind learned policies

Row = dict[str, Any]


@dataclass(frozen=True)
class ReportFilm:
    """A picture that moves: WebP, what it shows, how it ended, and whether it needs the width of the page."""

    data: bytes
    caption: str
    success: bool | None = None
    wide: bool = False


@dataclass(frozen=True)
class TrainingReport:
    """One training: its folder's name, configuration, log rows by part of the work, and the codec's quality.

    `run` is None and `quality` empty where the training has not come that far; `parameters` counts the model's.
    """

    name: str
    run: Run | None
    log: dict[str, list[Row]]
    quality: Row
    parameters: int


@dataclass(frozen=True)
class EvaluationReport:
    """One evaluation: the record that `aim.evaluate.results` wrote, and its films."""

    record: Row
    films: tuple[ReportFilm, ...]

    @property
    def policy(self) -> str:
        """Return what the policy is called, and where it was not evaluated in clean scenes."""
        record = self.record
        return record["policy"] + ("" if record["variation"] == "clean" else f", {record['variation']} scenes")


@dataclass(frozen=True)
class Data:
    """One dataset: its folder's name, how many episodes it has, other facts, and films of a few episodes."""

    name: str
    episodes: int
    facts: dict[str, str]
    films: tuple[ReportFilm, ...] = ()


@dataclass(frozen=True)
class Findings:
    """All that a report shows."""

    title: str
    trainings: tuple[TrainingReport, ...] = ()
    evaluations: tuple[EvaluationReport, ...] = ()
    data: tuple[Data, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)


def gather(folder: Path) -> Findings:
    """Return all that lies in `folder` and below; `UserError` where there is nothing to report."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; give the folder of a training, an evaluation, a dataset or a demo")
    evaluations = sorted((evaluation(path) for path in _found(folder, results.RESULTS_FILE)), key=_rank)
    trainings = tuple(training(path.parent) for path in _found(folder, LOG))
    data = tuple(dataset(path.parent) for path in _found(folder, "dataset.json"))
    if not (evaluations or trainings or data):
        raise UserError(
            f"nothing to report in {folder}: no {results.RESULTS_FILE}, {LOG} or dataset.json there or below"
        )
    return Findings(title(folder, evaluations, data), trainings, tuple(evaluations), data, machine())


def title(folder: Path, evaluations: list[EvaluationReport], data: tuple[Data, ...]) -> str:
    """Return what the page is about: tasks and robot if they are few, else the folder's name."""
    tasks = sorted({task for found in evaluations for task in found.record["tasks"]})
    robots = sorted({found.record["robot"] for found in evaluations})
    if not tasks or len(tasks) > 3 or len(robots) > 1:
        return folder.resolve().name
    return f"{', '.join(tasks)} on {robots[0]}"


def training(folder: Path) -> TrainingReport:
    """Return the training in `folder`; a row of a step that was logged again after a restart counts once."""
    rows = list(_rows(folder / LOG))
    log: dict[str, list[Row]] = {}
    for part in dict.fromkeys(row["part"] for row in rows):
        by_step = {row["step"]: row for row in rows if row["part"] == part and "step" in row}
        log[part] = [by_step[step] for step in sorted(by_step)]
    run = config.load(folder) if (folder / RUN).is_file() else None
    quality = json.loads((folder / QUALITY).read_text()) if (folder / QUALITY).is_file() else {}
    return TrainingReport(folder.resolve().name, run, log, quality, _parameters(folder))


def evaluation(path: Path) -> EvaluationReport:
    """Return the evaluation whose results file is `path`, with the first films of every task."""
    record = results.read(path)
    shown: list[ReportFilm] = []
    for task in record["tasks"]:
        filmed = [row for row in record["episodes"] if row["task"] == task and row["film"]]
        for row in filmed[:FILMS_A_TASK]:
            if (path.parent / row["film"]).is_file():
                shown.append(_film(path.parent / row["film"], row, wide=record["policy"] not in NOT_OURS))
    return EvaluationReport(record, tuple(shown))


def dataset(folder: Path) -> Data:
    """Return facts and films of the dataset in `folder`."""
    from aim.data.verify import survey

    found = survey(folder)
    recipe, refs = found.recipe, found.dataset.episodes
    counts = ", ".join(f"{task} {c['episodes']} of {c['attempts']}" for task, c in found.tasks.items())
    facts = {
        "episodes of attempts": counts,
        "pictures": f"{found.frames} of each camera, {recipe.size[0]} by {recipe.size[1]} pixels at 12.5 Hz",
        "cameras": ", ".join(recipe.cameras),
        "robot": recipe.robot,
        "scenes": recipe.variation,
        "first seed": str(recipe.seed),
        "size": f"{found.bytes / 1e6:.1f} MB",
        "problems": "; ".join(found.problems) or "none",
    }
    shown = []
    for ref in refs[:: max(1, len(refs) // EPISODES_SHOWN)][:EPISODES_SHOWN]:
        episode = found.dataset.load(ref, ("images", "maps"))
        film = films.annotated({c: episode.images[c] for c in recipe.cameras}, episode.maps)
        shown.append(ReportFilm(films.encode(film), f"{ref.task}, seed {ref.seed}: {episode.instruction}", wide=True))
    found.dataset.close()
    return Data(folder.resolve().name, found.episodes, facts, tuple(shown))


def machine() -> dict[str, str]:
    """Return versions of what the results depend on."""
    packages = {name: version(name) for name in ("torch", "mujoco", "numpy")}
    return {"aim": version("aim-world-action"), "Python": platform.python_version(), **packages}


def _found(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files called `name` below `folder`, in order, leaving out hidden folders."""
    for path in sorted(folder.rglob(name)):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _rank(found: EvaluationReport) -> tuple[int, str]:
    name = found.record["policy"]
    return (NOT_OURS.index(name) + 1 if name in NOT_OURS else 0), found.policy


def _film(path: Path, row: Row, wide: bool) -> ReportFilm:
    caption = f"{row['task']}, seed {row['seed']}, {row['steps'] / CONTROL_HZ:.1f} s: {row['instruction']}"
    return ReportFilm(path.read_bytes(), caption, row["success"], wide)


def _rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a log; a last line that was broken off is left out."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise UserError(f"{path}, line {number} is not JSON: {error}") from error


def _parameters(folder: Path) -> int:
    """Return how many numbers the newest checkpoint's model has, 0 where there is none."""
    from math import prod

    from safetensors import safe_open

    for path in sorted(folder.glob("step-*/ema.safetensors"), reverse=True)[:1]:
        with safe_open(path, "np") as file:
            return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - it is no dict
    return 0
