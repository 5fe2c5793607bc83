"""What a run learns from: which episodes, and how their numbers became ours. It goes on with the same alone.

data.json      {"path": where they lay, "episodes": [identity, ...]}
mapping.json   how a recorded set is read; every checkpoint has it too, to drive the robot by what was learned
"""

from __future__ import annotations

import json
from pathlib import Path

from aim.data import mapping
from aim.data.source import Source
from aim.train.checkpoint import MAPPING

LESSONS_FILE = "data.json"


def save(source: Source, out: Path) -> None:
    """Write what the run in `out` learns from."""
    if source.own:
        (out / MAPPING).write_text(mapping.to_json(source.own))
    record = {"path": str(source.path), "episodes": [ref.identity for ref in source.episodes]}
    (out / LESSONS_FILE).write_text(json.dumps(record, indent=0) + "\n")


def known(out: Path) -> frozenset[str] | None:
    """Return the identities of the episodes that the run in `out` learns from, None where it does not say."""
    path = out / LESSONS_FILE
    return frozenset(json.loads(path.read_text())["episodes"]) if path.is_file() else None


def differences(source: Source, out: Path) -> list[str]:
    """Return in words how a dataset differs from what the run in `out` began with."""
    return read_otherwise(source, out) or _others(source, out)


def read_otherwise(source: Source, out: Path) -> list[str]:
    """Return how the mapping of a dataset differs from the one in `out`, the folder of a run or a checkpoint."""
    kept = out / MAPPING
    if kept.exists() != (source.own is not None):
        kinds = ("a dataset of the simulator", "a recorded set")
        return [f"it began with {kinds[kept.exists()]}, not {kinds[source.own is not None]}"]
    return mapping.differences(mapping.from_json(kept.read_text()), source.own)[:1] if source.own else []


def _others(source: Source, out: Path) -> list[str]:
    began, here = known(out), [ref.identity for ref in source.episodes]
    if began is None or began == set(here):
        return []
    copied = "; a copy keeps the times of its files (cp -p, rsync -t)" if source.own else ""
    shared = sum(name in began for name in here)
    return [f"it began with {len(began)} episodes, {source.path} has {len(here)}, {shared} of them the same{copied}"]
