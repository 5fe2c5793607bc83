"""The report is one file that needs nothing else, says what was found, and plots what it was given."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aim import config, presets
from aim.commands.report import write_report
from aim.evaluate import results
from aim.evaluate.results import EpisodeResult, ResultsIdentity
from aim.report import plots
from aim.report.gather import gather_findings
from aim.report.page import render_page
from aim.viz import videos
from sim.types import UserError

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


def evaluated(folder: Path, policy: str, wins: Sequence[bool], film: bool = True) -> None:
    """Write the results of an evaluation on two tasks, the first episode filmed."""
    rows = [EpisodeResult("ring", seed, won, 50 + seed, HOSTILE) for seed, won in enumerate(wins)]
    rows += [EpisodeResult("push", seed, not won, 80, "push") for seed, won in enumerate(wins)]
    if film:
        rows[0] = EpisodeResult("ring", 0, wins[0], 50, HOSTILE, "films/ring-0.webp")
        picture = np.random.default_rng(0).integers(0, 255, (3, 32, 40, 3), dtype=np.uint8)
        videos.write_webp(folder / "films" / "ring-0.webp", picture)
    results.save_results(folder, ResultsIdentity(policy, "", "panda", "clean", {}), rows)


def trained(folder: Path) -> None:
    """Write what a training leaves: run.json, and a log that was broken off and taken up again."""
    folder.mkdir(parents=True)
    config.save_run(presets.get_preset("tiny")("panda", ("head", "wrist"), 8, 8), folder)
    rows = [{"part": "codec", "step": s, "loss": 1.0 / s, "samples_per_second": 9.0, "seconds": s} for s in (50, 100)]
    for step in (20, 40, 60, 40, 60, 80):
        stage1 = {"rgb": 2.0 / step, "map": 1.0 / step, "action": 3.0 / step, "total": 6.0 / step, "lr": 1e-3}
        rows.append({"part": "stage1", "step": step, **stage1, "samples_per_second": 8.0, "seconds": step / 10})
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"part": "stage1", "st')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    evaluated(tmp_path / "evaluation", "tiny step-000080", [True, True, False, True])
    evaluated(tmp_path / "random", "random", [False] * 4, film=False)
    trained(tmp_path / "training")
    return tmp_path


def test_the_page_needs_no_other_file_and_no_network(folder: Path) -> None:
    text = render_page(gather_findings(folder))
    without_films = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?:|//|@import|url\(", without_films)
    for tag, attributes in Reader(text).tags:
        assert tag not in ("script", "link", "iframe"), f"<{tag}>"
        assert "href" not in attributes
        if tag == "img":
            head, _, data = (attributes["src"] or "").partition(",")
            assert head == "data:image/webp;base64"
            assert base64.b64decode(data) == (folder / "evaluation/films/ring-0.webp").read_bytes()
    assert text.count("<img ") == 1


def test_words_of_others_stay_words(folder: Path) -> None:
    assert HOSTILE in "".join(Reader(render_page(gather_findings(folder))).words)


def test_the_page_says_rates_with_intervals(folder: Path) -> None:
    words = " ".join("".join(Reader(render_page(gather_findings(folder))).words).split())
    record = results.read_record(folder / "evaluation" / results.RESULTS_FILE)
    low, high = record["tasks"]["ring"]["ci95"]
    assert f"75 % {100 * low:.0f} to {100 * high:.0f} %, n = 4" in words
    assert "all tasks50 %" in words
    assert "push, ring on panda" in words


def test_every_plot_is_sound_xml_and_stays_on_its_canvas(folder: Path) -> None:
    drawn = re.findall(r"<svg.*?</svg>", render_page(gather_findings(folder)), re.DOTALL)
    assert len(drawn) == 3, "intervals, losses, codec"
    for text in drawn:
        root = ElementTree.fromstring(text)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for line in root.iter("polyline"):
            for point in line.attrib["points"].split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= width and 0 <= y <= height


def test_a_log_taken_up_again_counts_each_step_once(folder: Path) -> None:
    (training,) = gather_findings(folder).trainings
    assert [row["step"] for row in training.log["stage1"]] == [20, 40, 60, 80]


def test_a_log_damaged_within_is_reported_with_its_line(folder: Path) -> None:
    log = folder / "training" / "log.jsonl"
    log.write_text("{\n" + log.read_text())
    with pytest.raises(UserError, match=r"log\.jsonl, line 1 is not JSON"):
        gather_findings(folder)


def test_learned_policies_come_first(folder: Path) -> None:
    evaluated(folder / "a", "expert", [True] * 4, film=False)
    assert [found.policy_label for found in gather_findings(folder).evaluations] == [
        "tiny step-000080",
        "expert",
        "random",
    ]


def test_the_verb_writes_the_page_and_says_where(folder: Path) -> None:
    said = write_report(folder)
    path = folder / "report.html"
    assert said["report"] == str(path) and said["bytes"] == path.stat().st_size
    assert (said["evaluations"], said["trainings"], said["datasets"]) == (2, 1, 0)
    Reader(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_nothing_to_report_is_the_users_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"no folder|nothing to report"):
        write_report(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_film_in_the_page_plays(folder: Path) -> None:
    (film,) = gather_findings(folder).evaluations[0].videos
    ok, played = cv2.imdecodeanimation(np.frombuffer(film.data, np.uint8))
    assert ok and len(played.frames) == 3 and film.success is True


numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(numbers, st.floats(1e-3, 1e6))
def test_ticks_are_even_and_within(low: float, span: float) -> None:
    high = low + span
    marks = plots.choose_ticks(low, high)
    assert 2 <= len(marks) <= 7
    assert all(low - 1e-6 * span <= mark <= high + 1e-6 * span for mark in marks)
    steps = np.diff(marks)
    assert np.allclose(steps, steps[0], rtol=1e-6)
    assert f"{steps[0]:e}"[0] in "1259"  # 9.99… is a rounded 10


@given(st.floats(1e-6, 1e3), st.floats(1.2, 1e5))
def test_log_ticks_are_within(low: float, ratio: float) -> None:
    marks = plots.choose_log_ticks(low, low * ratio)
    assert len(marks) >= 2
    assert all(low * (1 - 1e-6) <= mark <= low * ratio * (1 + 1e-6) for mark in marks)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50), st.integers(1, 20))
def test_a_running_mean_stays_within_and_keeps_straight_lines(values: list[float], window: int) -> None:
    mean = plots.smooth_values(values, window)
    assert len(mean) == len(values)
    assert all(min(values) - 1e-6 <= value <= max(values) + 1e-6 for value in mean)
    line = [0.5 * i for i in range(len(values))]
    assert plots.smooth_values(line, window) == pytest.approx(line)


@given(st.floats(0.1, 10), st.floats(1.5, 100), st.booleans())
def test_an_axis_maps_its_ends_to_its_ends(low: float, ratio: float, log: bool) -> None:
    axis = plots.Axis(low, low * ratio, 300.0, 20.0, log)
    assert axis(low) == pytest.approx(300) and axis(low * ratio) == pytest.approx(20)
    middle = low * ratio**0.5 if log else low * (1 + ratio) / 2
    assert axis(middle) == pytest.approx(160)


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0"), (0.0512, "0.0512"), (950.0, "950"), (2000.0, "2k"), (12345.0, "12.3k"), (3e6, "3M")]
)
def test_short_numbers(value: float, said: str) -> None:
    assert plots.format_short(value) == said


def test_curves_leave_out_what_cannot_be_drawn() -> None:
    drawn = plots.plot_curves(
        [plots.Curve("loss", [1, 2, 3, 4], [1.0, float("nan"), 0.0, 2.0])], "step", "loss", log=True
    )
    points = ElementTree.fromstring(drawn).find("polyline")
    assert points is not None and len(points.attrib["points"].split()) == 2
    assert "fewer than two points" in plots.plot_curves([plots.Curve("loss", [1], [1.0])], "step", "loss")
