"""Plots are sound XML that stays on its canvas, with even ticks, and leave out what cannot be drawn."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import write_folder

from aim.report import plots
from aim.report.gather import gather_findings
from aim.report.page import render_page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a training, an evaluation of what it made, and one of random actions."""
    write_folder(tmp_path)
    return tmp_path


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


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_a_legend_stays_on_its_canvas(lengths: list[int]) -> None:
    names = ["m" * length for length in lengths]
    drawn = ElementTree.fromstring(plots.plot_intervals([("task", [None] * len(names))], names))
    shown = [text for text in drawn.iter("text") if text.text in names]
    places = [(float(text.attrib["x"]), float(text.attrib["y"])) for text in shown]
    assert len(places) == len(names) == len(set(places))
    for (x, y), name in zip(places, names, strict=True):
        assert x + 7.2 * len(name) <= plots.PLOT_WIDTH_PX and y < float(drawn.attrib["viewBox"].split()[3])


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
