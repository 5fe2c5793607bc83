"""What lies under a run folder: trainings (run.json, log.jsonl), evaluations (results.json), datasets. Reading only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aim.evaluate import results
from sim.types import UserError

RUN, LOG = "run.json", "log.jsonl"


@dataclass(frozen=True)
class Film:
    """A picture that moves: WebP bytes, what it shows, and whether it needs the width of the page."""

    data: bytes
    caption: str  # HTML
    wide: bool = False


@dataclass(frozen=True)
class Training:
    """One training: where (relative to the folder), its configuration and its log, a row a logged step."""

    name: str
    run: dict[str, Any]
    log: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: where, and the record that `aim.evaluate.results` wrote."""

    folder: Path
    record: dict[str, Any]

    @property
    def policy(self) -> str:
        """Return what to call the policy: expert, random, or the checkpoint's name."""
        return Path(self.record["policy"]).name


@dataclass(frozen=True)
class Data:
    """One dataset: where, facts by name, and films of a few episodes."""

    name: str
    facts: dict[str, str]
    films: tuple[Film, ...] = ()


@dataclass(frozen=True)
class Findings:
    """All that a report shows."""

    title: str
    trainings: tuple[Training, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    data: tuple[Data, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)
