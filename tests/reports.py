"""Folders as trainings and evaluations leave them, for tests of the report, and its page as tags and words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from aim import config, presets
from aim.evaluate import results
from aim.evaluate.results import EpisodeResult, ResultsIdentity, ResultsOrigin
from aim.viz import videos

VOID = {"meta", "img", "br", "circle", "line", "polyline"}


HOSTILE = '<script>alert("x")</script> & "quotes"'


class Reader(HTMLParser):
    """Collects tags with their attributes and all text; fails where a tag is closed that was not opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes what is not open"

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def evaluated(
    folder: Path, policy: str, wins: Sequence[bool], film: bool = True, origin: ResultsOrigin | None = None,
    first_seed: int = 0, **fields: object,
) -> None:  # fmt: skip
    """Write the results of an evaluation on two tasks, the first episode filmed; `fields` are those of its episodes."""
    seeds = range(first_seed, first_seed + len(wins))
    rows = [EpisodeResult("ring", seed, won, 50 + seed, HOSTILE) for seed, won in zip(seeds, wins, strict=True)]
    rows += [EpisodeResult("push", seed, not won, 80, "push") for seed, won in zip(seeds, wins, strict=True)]
    if film:
        rows[0] = EpisodeResult("ring", 0, wins[0], 50, HOSTILE, "films/ring-0.webp")
        picture = np.random.default_rng(0).integers(0, 255, (3, 32, 40, 3), dtype=np.uint8)
        videos.write_webp(folder / "films" / "ring-0.webp", picture)
    digest = "" if policy in ("expert", "random") else "abc"
    rows = [dataclasses.replace(row, **fields) for row in rows]  # pyright: ignore[reportArgumentType]
    results.save_results(folder, ResultsIdentity(policy, digest, "panda", "clean", {}), rows, origin)


def trained(folder: Path) -> None:
    """Write what a training leaves: run.json, and a log that was broken off and taken up again."""
    folder.mkdir(parents=True)
    config.save_run(presets.get_preset("tiny")("panda", ("head", "wrist"), 8, 8), folder)
    rows = [{"part": "codec", "step": s, "loss": 1.0 / s, "samples_per_second": 9.0, "seconds": s} for s in (50, 100)]
    for step in (20, 40, 60, 40, 60, 80):
        stage1 = {"rgb": 2.0 / step, "map": 1.0 / step, "action": 3.0 / step, "total": 6.0 / step, "lr": 1e-3}
        rows.append({"part": "stage1", "step": step, **stage1, "samples_per_second": 8.0, "seconds": step / 10})
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"part": "stage1", "st')


def read_words(text: str) -> str:
    """Return the words of a page, one blank between them."""
    return " ".join("".join(Reader(text).words).split())


def write_folder(folder: Path) -> None:
    """Write a training, an evaluation of what it made, and one of random actions."""
    evaluated(folder / "evaluation", "tiny step-000080", [True, True, False, True])
    evaluated(folder / "random", "random", [False] * 4, film=False)
    trained(folder / "training")
