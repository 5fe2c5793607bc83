"""Rows at any rate become control steps: targets interpolated, displacements with their sum, no future frame."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aim.data.resample import (
    count_pictures,
    count_steps,
    find_frame,
    resample_actions,
    resample_chunk,
    resample_deltas,
    resample_executed,
    resample_positions,
)
from sim.types import CONTROL_HZ, IMAGE_HZ

RATES = (5.0, 10.0, 12.5, 15.0, 20.0, 25.0, 29.97, 30.0, 50.0, 60.0, 100.0)
CHUNK_S = 0.64


@given(length=st.integers(1, 400), fps=st.sampled_from([5.0, 10.0, 12.5, 15.0, 20.0, 29.97, 30.0, 50.0, 60.0, 100.0]))
def test_no_picture_is_of_the_future_nor_older_than_a_frame(length: int, fps: float) -> None:
    count = count_pictures(length, fps)
    frames = np.array([find_frame(picture, fps) for picture in range(count)])
    late = np.arange(count) / IMAGE_HZ - frames / fps
    assert (late >= -1e-6).all() and (late < 1 / fps).all()
    assert frames[-1] <= length - 1
    assert find_frame(count, fps) > length - 1 or count / IMAGE_HZ > (length - 1) / fps


@given(length=st.integers(2, 300), fps=st.sampled_from([10.0, 15.0, 29.97, 30.0, 50.0, 60.0]), slope=st.floats(-3, 3))
def test_what_moves_evenly_moves_evenly(length: int, fps: float, slope: float) -> None:
    x = slope * np.arange(length)[:, None] / fps + 0.25
    found = resample_positions(x, fps)
    np.testing.assert_allclose(found[:, 0], slope * np.arange(len(found)) / CONTROL_HZ + 0.25, atol=1e-4)


def test_at_50_hz_numbers_are_untouched() -> None:
    x = np.random.default_rng(0).normal(size=(41, 3))
    np.testing.assert_array_equal(resample_positions(x, 50.0), x[:40].astype(np.float32))


@given(length=st.integers(2, 300), fps=st.sampled_from(RATES))
def test_a_chunk_is_640_ms_at_any_rate(length: int, fps: float) -> None:
    """Rows that hold their own time give, 32 control steps later, a time that is 640 ms later, to the float."""
    seconds = (np.arange(length) / fps)[:, None]
    found = resample_positions(seconds, fps)[:, 0]
    np.testing.assert_allclose(found, np.arange(len(found)) / CONTROL_HZ, atol=1e-6)
    chunk = round(CHUNK_S * CONTROL_HZ)
    if len(found) > chunk:
        np.testing.assert_allclose(found[chunk:] - found[:-chunk], CHUNK_S, atol=1e-5)


@given(
    rows=arrays.arrays(np.float64, st.tuples(st.integers(2, 120), st.just(2)), elements=st.floats(-1, 1)),
    fps=st.sampled_from(RATES),
)
def test_displacements_add_up_to_the_same_over_any_time(rows: np.ndarray, fps: float) -> None:
    found = np.concatenate([np.zeros((1, 2)), np.cumsum(resample_deltas(rows, fps).astype(np.float64), 0)])
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(rows, 0)])
    for step in range(0, len(found), 4):
        place = Fraction(step) * Fraction(fps).limit_denominator(1000) / CONTROL_HZ
        whole = min(int(place), len(rows) - 1)
        expected = total[whole] + float(place - whole) * rows[whole] if place < len(rows) else total[-1]
        np.testing.assert_allclose(found[step], expected, atol=1e-5 * max(step, 1))


@pytest.mark.parametrize("fps", RATES)
def test_a_constant_velocity_stays_one(fps: float) -> None:
    """One unit a second, whatever the rate of the recording, is a fiftieth a control step."""
    rows = np.full((round(4 * fps), 1), 1.0 / fps)
    found = resample_deltas(rows, fps)
    assert len(found) == count_steps(len(rows), fps) > 0
    np.testing.assert_allclose(found, 1.0 / CONTROL_HZ, atol=1e-6)


@given(fps=st.sampled_from(RATES), length=st.integers(2, 100))
def test_each_channel_is_resampled_as_its_kind(fps: float, length: int) -> None:
    rows = np.random.default_rng(0).normal(size=(length, 2))
    both = resample_actions(rows, np.array([True, False]), fps)
    np.testing.assert_array_equal(both[:, 0], resample_deltas(rows[:, :1], fps)[:, 0])
    np.testing.assert_array_equal(both[:, 1], resample_positions(rows[:, 1:], fps)[:, 0])


OWN_RATES = (10.0, 15.0, 20.0, 29.97, 30.0, 50.0, 60.0)
chunks = arrays.arrays(np.float64, (32, 2), elements=st.floats(-1, 1))


@given(chunk=chunks, rate=st.sampled_from(OWN_RATES))
def test_a_chunk_moves_as_far_at_any_rate(chunk: np.ndarray, rate: float) -> None:
    """The rows add up to the chunk, and so do those until any of them to what the chunk moves until then."""
    found = resample_chunk(chunk, np.array([True, True]), rate)
    assert len(found) == int(np.ceil(CHUNK_S * rate - 1e-6))
    np.testing.assert_allclose(found.sum(0), chunk.sum(0), atol=1e-9)
    seconds, total = np.arange(33) / CONTROL_HZ, np.concatenate([np.zeros((1, 2)), np.cumsum(chunk, 0)])
    for row in range(len(found)):
        expected = [np.interp((row + 1) / rate, seconds, total[:, channel]) for channel in range(2)]
        np.testing.assert_allclose(found[: row + 1].sum(0), expected, atol=1e-9)


@given(chunk=chunks, rate=st.sampled_from(OWN_RATES))
def test_targets_of_a_chunk_are_those_at_the_time_of_each_row(chunk: np.ndarray, rate: float) -> None:
    found = resample_chunk(chunk, np.array([False, False]), rate)
    for row, values in enumerate(found):
        expected = [np.interp(row / rate, np.arange(32) / CONTROL_HZ, chunk[:, channel]) for channel in range(2)]
        np.testing.assert_allclose(values, expected, atol=1e-9)


def test_at_50_hz_a_chunk_is_untouched() -> None:
    chunk = np.random.default_rng(0).normal(size=(32, 2))
    np.testing.assert_allclose(resample_chunk(chunk, np.array([True, False]), 50.0), chunk, atol=1e-12)


@given(
    rows=arrays.arrays(np.float64, st.tuples(st.integers(1, 20), st.just(2)), elements=st.floats(-1, 1)),
    rate=st.sampled_from(OWN_RATES), late=st.integers(-1, 3),
)  # fmt: skip
def test_what_was_carried_out_adds_up_whatever_time_it_took(rows: np.ndarray, rate: float, late: int) -> None:
    steps = max(round(len(rows) * CONTROL_HZ / rate) + late, 1)
    found = resample_executed(rows, np.array([True, False]), rate, steps)
    assert found.shape == (steps, 2)
    np.testing.assert_allclose(found[:, 0].sum(), rows[:, 0].sum(), atol=1e-9)
    places = np.arange(steps) * rate / CONTROL_HZ
    np.testing.assert_allclose(found[:, 1], np.interp(places, np.arange(len(rows)), rows[:, 1]), atol=1e-6)


@given(chunk=chunks, rate=st.sampled_from((50.0, 60.0, 100.0, 200.0)))
def test_what_was_carried_out_of_a_chunk_is_the_chunk(chunk: np.ndarray, rate: float) -> None:
    """At rates that lose nothing of it: displacements to the float, targets but for the bends between rows."""
    is_delta = np.array([True, False])
    back = resample_executed(resample_chunk(chunk, is_delta, rate), is_delta, rate, 32)
    bend = np.abs(np.diff(chunk[:, 1])).max()
    np.testing.assert_allclose(np.cumsum(back[:, 0]), np.cumsum(chunk[:, 0]), atol=1.0 / rate * CONTROL_HZ)
    np.testing.assert_allclose(back[:, 1], chunk[:, 1], atol=bend + 1e-9)
