"""What a report shows: trainings, evaluations, imagined futures and demonstrations, as they were found in a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aim.config import Run

Row = dict[str, Any]


@dataclass(frozen=True)
class ReportFigure:
    """Film or picture, its caption, the outcome of the episode, and whether it takes the full width of the page."""

    data: bytes
    caption: str
    success: bool | None = None
    wide: bool = False
    media: str = "image/webp"


@dataclass(frozen=True)
class TrainingReport:
    """One training: folder, configuration, log rows by stage, and reconstruction quality of the codec.

    `run` is None and `quality` empty where the training has not come that far; `parameters` counts the model's, of
    which only those that train where it has adapters. `step` is that of the newest checkpoint, which may be past the
    last one logged.
    """

    folder: str
    run: Run | None
    log: dict[str, list[Row]]
    quality: Row
    parameters: int
    step: int
    commands: tuple[str, ...] = ()
    samples: ReportFigure | None = None  # the last film of the samples that are imagined while it trains


@dataclass(frozen=True)
class EvaluationReport:
    """One evaluation: the record written by `aim.evaluate.results`, its films, and a label that no other has."""

    folder: str
    record: Row
    figures: tuple[ReportFigure, ...]
    predictions: tuple[str, ...] | None = None  # what all the films show of what the policy predicted; None: not known
    policy_label: str = ""

    @property
    def is_learned(self) -> bool:
        """Whether a model of this project acted: not the expert, not random actions, not a class of the user's."""
        return bool(self.record["digest"]) and ":" not in self.record["policy"]


@dataclass(frozen=True)
class ImaginationReport:
    """Figures of `aim imagine`, its film and sheet, and a label that no other has."""

    folder: str
    figures: Row
    shown: tuple[ReportFigure, ...]
    label: str = ""


@dataclass(frozen=True)
class DatasetReport:
    """One dataset: folder, number of episodes, robot, further facts, and films of a few episodes."""

    folder: str
    episodes: int
    robot: str
    facts: dict[str, str]
    figures: tuple[ReportFigure, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """Everything that a report shows; `problems` has a line for whatever could not be read."""

    title: str
    trainings: tuple[TrainingReport, ...] = ()
    evaluations: tuple[EvaluationReport, ...] = ()
    imagined: tuple[ImaginationReport, ...] = ()
    data: tuple[DatasetReport, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
