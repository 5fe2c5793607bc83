"""Contents of a folder for a report: trainings (log.jsonl), evaluations (results.json), datasets (dataset.json)."""

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
from aim.evaluate import results
from aim.viz import videos
from sim.types import CONTROL_HZ, UserError

LOG_FILE, RUN_FILE, CODEC_QUALITY_FILE = "log.jsonl", "run.json", "codec/quality.json"
MAX_VIDEOS_PER_TASK = 3  # of an evaluation
MAX_EPISODES_SHOWN = 3  # of a dataset
REFERENCE_POLICIES = ("expert", "random")  # shown behind learned policies

Row = dict[str, Any]


@dataclass(frozen=True)
class ReportVideo:
    """Animated WebP, its caption, the outcome of the episode, and whether it takes the full width of the page."""

    data: bytes
    caption: str
    success: bool | None = None
    wide: bool = False


@dataclass(frozen=True)
class TrainingReport:
    """One training: folder name, configuration, log rows by stage, and reconstruction quality of the codec.

    `run` is None and `quality` empty where the training has not come that far; `parameters` counts the model's.
    """

    name: str
    run: Run | None
    log: dict[str, list[Row]]
    quality: Row
    parameters: int


@dataclass(frozen=True)
class EvaluationReport:
    """One evaluation: the record written by `aim.evaluate.results`, and its videos."""

    record: Row
    videos: tuple[ReportVideo, ...]

    @property
    def policy_label(self) -> str:
        """Name of the policy, and the variation unless its scenes were clean."""
        record = self.record
        return record["policy"] + ("" if record["variation"] == "clean" else f", {record['variation']} scenes")


@dataclass(frozen=True)
class DatasetReport:
    """One dataset: folder name, number of episodes, further facts, and videos of a few episodes."""

    name: str
    episodes: int
    facts: dict[str, str]
    videos: tuple[ReportVideo, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Everything that a report shows."""

    title: str
    trainings: tuple[TrainingReport, ...] = ()
    evaluations: tuple[EvaluationReport, ...] = ()
    data: tuple[DatasetReport, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)


def gather_findings(folder: Path) -> Findings:
    """Everything to report in `folder` and below; `UserError` if there is nothing."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; give the folder of a training, an evaluation, a dataset or a demo")
    evaluations = sorted((read_evaluation(path) for path in _find_files(folder, results.RESULTS_FILE)), key=_sort_key)
    trainings = tuple(read_training(path.parent) for path in _find_files(folder, LOG_FILE))
    data = tuple(read_dataset(path.parent) for path in _find_files(folder, "dataset.json"))
    if not (evaluations or trainings or data):
        raise UserError(
            f"nothing to report in {folder}: no {results.RESULTS_FILE}, {LOG_FILE} or dataset.json there or below"
        )
    return Findings(compose_title(folder, evaluations, data), trainings, tuple(evaluations), data, list_versions())


def compose_title(folder: Path, evaluations: list[EvaluationReport], data: tuple[DatasetReport, ...]) -> str:
    """Title of the page: tasks and robot if they are few, else the folder's name."""
    tasks = sorted({task for found in evaluations for task in found.record["tasks"]})
    robots = sorted({found.record["robot"] for found in evaluations})
    if not tasks or len(tasks) > 3 or len(robots) > 1:
        return folder.resolve().name
    return f"{', '.join(tasks)} on {robots[0]}"


def read_training(folder: Path) -> TrainingReport:
    """Training in `folder`; of a step that was logged again after a restart, only the last row."""
    rows = list(_read_log_rows(folder / LOG_FILE))
    log: dict[str, list[Row]] = {}
    for part in dict.fromkeys(row["part"] for row in rows):
        by_step = {row["step"]: row for row in rows if row["part"] == part and "step" in row}
        log[part] = [by_step[step] for step in sorted(by_step)]
    run = config.load_run(folder) if (folder / RUN_FILE).is_file() else None
    quality = json.loads((folder / CODEC_QUALITY_FILE).read_text()) if (folder / CODEC_QUALITY_FILE).is_file() else {}
    return TrainingReport(folder.resolve().name, run, log, quality, _count_parameters(folder))


def read_evaluation(path: Path) -> EvaluationReport:
    """Evaluation of a results file, with the first videos of every task."""
    record = results.read_record(path)
    shown: list[ReportVideo] = []
    for task in record["tasks"]:
        filmed = [row for row in record["episodes"] if row["task"] == task and row["film"]]
        for row in filmed[:MAX_VIDEOS_PER_TASK]:
            if (path.parent / row["film"]).is_file():
                shown.append(
                    _make_video(path.parent / row["film"], row, wide=record["policy"] not in REFERENCE_POLICIES)
                )
    return EvaluationReport(record, tuple(shown))


def read_dataset(folder: Path) -> DatasetReport:
    """Facts and videos of the dataset in `folder`."""
    from aim.data.verify import survey_dataset

    survey_dataset = survey_dataset(folder)
    recipe, refs = survey_dataset.recipe, survey_dataset.dataset.episodes
    counts = ", ".join(f"{task} {c['episodes']} of {c['attempts']}" for task, c in survey_dataset.tasks.items())
    facts = {
        "episodes of attempts": counts,
        "pictures": f"{survey_dataset.frames} of each camera, {recipe.size[0]} by {recipe.size[1]} pixels at 12.5 Hz",
        "cameras": ", ".join(recipe.cameras),
        "robot": recipe.robot,
        "scenes": recipe.variation,
        "first seed": str(recipe.seed),
        "size": f"{survey_dataset.bytes / 1e6:.1f} MB",
        "problems": "; ".join(survey_dataset.problems) or "none",
    }
    shown = []
    for ref in refs[:: max(1, len(refs) // MAX_EPISODES_SHOWN)][:MAX_EPISODES_SHOWN]:
        episode = survey_dataset.dataset.load(ref, ("images", "maps"))
        video = videos.annotate_episode_video({c: episode.images[c] for c in recipe.cameras}, episode.maps)
        caption = f"{ref.task}, seed {ref.seed}: {episode.instruction}"
        shown.append(ReportVideo(videos.encode_webp(video), caption, wide=True))
    survey_dataset.dataset.close()
    return DatasetReport(folder.resolve().name, survey_dataset.episodes, facts, tuple(shown))


def list_versions() -> dict[str, str]:
    """Versions of the packages that the results depend on."""
    packages = {name: version(name) for name in ("torch", "mujoco", "numpy")}
    return {"aim": version("aim-world-action"), "Python": platform.python_version(), **packages}


def _find_files(folder: Path, name: str) -> Iterator[Path]:
    """Files called `name` below `folder`, sorted, without hidden folders."""
    for path in sorted(folder.rglob(name)):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _sort_key(report: EvaluationReport) -> tuple[int, str]:
    name = report.record["policy"]
    return (REFERENCE_POLICIES.index(name) + 1 if name in REFERENCE_POLICIES else 0), report.policy_label


def _make_video(path: Path, row: Row, wide: bool) -> ReportVideo:
    caption = f"{row['task']}, seed {row['seed']}, {row['steps'] / CONTROL_HZ:.1f} s: {row['instruction']}"
    return ReportVideo(path.read_bytes(), caption, row["success"], wide)


def _read_log_rows(path: Path) -> Iterator[Row]:
    """Rows of a log; a truncated last line is skipped."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise UserError(f"{path}, line {number} is not JSON: {error}") from error


def _count_parameters(folder: Path) -> int:
    """Number of parameters of the newest checkpoint's model, 0 if there is none."""
    from math import prod

    from safetensors import safe_open

    for path in sorted(folder.glob("step-*/ema.safetensors"), reverse=True)[:1]:
        with safe_open(path, "np") as file:
            return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - it is no dict
    return 0
