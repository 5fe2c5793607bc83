"""Which episodes a run learns from: a run goes on with those alone, and nothing is tested on them unsaid.

    data.json   {"path": where they lay, "episodes": [identity, ...]}
"""

from __future__ import annotations

import json
from pathlib import Path

from aim.data.source import Source

FILE = "data.json"


def save(source: Source, out: Path) -> None:
    """Write which episodes the run in `out` learns from."""
    record = {"path": str(source.path), "episodes": [ref.identity for ref in source.episodes]}
    (out / FILE).write_text(json.dumps(record, indent=0) + "\n")


def known(out: Path) -> frozenset[str] | None:
    """Return the identities of the episodes that the run in `out` learns from, None where it does not say."""
    path = out / FILE
    return frozenset(json.loads(path.read_text())["episodes"]) if path.is_file() else None


def differences(source: Source, out: Path) -> list[str]:
    """Return in words how the episodes of a dataset differ from those that the run in `out` began with."""
    began, here = known(out), [ref.identity for ref in source.episodes]
    if began is None or began == set(here):
        return []
    copied = "; a copy keeps the times of its files (cp -p, rsync -t)" if source.own else ""
    shared = sum(name in began for name in here)
    return [f"it began with {len(began)} episodes, {source.path} has {len(here)}, {shared} of them the same{copied}"]
