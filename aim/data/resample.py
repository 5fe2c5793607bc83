"""Rows at any rate resampled to control steps (50 Hz), chunks of control steps to any rate, and pictures' frames.

Row i of a recording at `fps` belongs to the time i / fps. Control step k covers k / 50 to (k + 1) / 50 s, picture i is
seen at i / 12.5 s, which is control step 4 i: a chunk of 32 actions is 640 ms whatever the recording's rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aim.data.recorded import Rows
from sim.types import CONTROL_HZ, IMAGE_HZ, STEPS_PER_IMAGE

ROUNDING_FRAMES = 1e-6  # a time that falls on a frame up to floating-point error belongs to that frame


def count_pictures(length: int, fps: float) -> int:
    """Number of pictures of an episode of `length` frames; what lies after the last whole one is left out."""
    return int(np.floor((length - 1) * IMAGE_HZ / fps + ROUNDING_FRAMES)) + 1


def find_frame(picture: int, fps: float) -> int:
    """Number of the frame that a picture shows: the newest at its time, never a future one."""
    return int(np.floor(picture * fps / IMAGE_HZ + ROUNDING_FRAMES))


def count_steps(length: int, fps: float) -> int:
    """Number of control steps of an episode of `length` frames."""
    return (count_pictures(length, fps) - 1) * STEPS_PER_IMAGE


def resample_positions(rows: Rows, fps: float) -> NDArray[np.float32]:
    """Values (steps d) at the start of every control step, interpolated linearly between rows (frames d)."""
    return _interpolate(rows, np.arange(count_steps(len(rows), fps)) * (fps / CONTROL_HZ)).astype(np.float32)


def resample_deltas(rows: Rows, fps: float) -> NDArray[np.float32]:
    """Displacement (steps d) over every control step, of displacements (frames d) over every frame.

    The rows are integrated and the integral is interpolated, so that displacements add up to the same total over any
    time span: row i is a constant velocity from frame i to frame i + 1.
    """
    edges = np.arange(count_steps(len(rows), fps) + 1) * (fps / CONTROL_HZ)
    return _integrate(rows, edges).astype(np.float32)


def resample_actions(rows: Rows, is_delta: NDArray[np.bool_], fps: float) -> NDArray[np.float32]:
    """Actions (steps d) at control steps, channel by channel: targets interpolated, displacements integrated."""
    return np.where(is_delta, resample_deltas(rows, fps), resample_positions(rows, fps))


def resample_chunk(chunk: Rows, is_delta: NDArray[np.bool_], rate_hz: float) -> Rows:
    """Rows (m d) at `rate_hz` of a chunk (k d) of control steps: every row that begins within it.

    Row i is at i / rate_hz: targets and grippers are interpolated there, and the last one is held. A displacement is
    what the chunk moves until the next row, or until its end: whatever the rate, the rows add up to the chunk.
    """
    length = len(chunk) * rate_hz / CONTROL_HZ
    edges = np.arange(int(np.ceil(length - ROUNDING_FRAMES)) + 1) * (CONTROL_HZ / rate_hz)
    return np.where(is_delta, _integrate(chunk, edges), _interpolate(chunk, edges[:-1]))


def resample_executed(rows: Rows, is_delta: NDArray[np.bool_], rate_hz: float, steps: int) -> Rows:
    """Actions (steps d) at control steps of rows (j d) at `rate_hz` that were carried out since the first of them.

    Whatever time has passed, displacements add up to the same total; targets are held after the last row.
    """
    edges = np.arange(steps + 1) * (rate_hz / CONTROL_HZ)
    return np.where(is_delta, _integrate(rows, np.append(edges[:-1], len(rows))), _interpolate(rows, edges[:-1]))


def _integrate(rows: Rows, edges: NDArray[np.floating]) -> Rows:
    """Displacement (k d) between fractional row numbers `edges` (k + 1,); nothing moves after the last row."""
    integral = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, 0, dtype=np.float64)])
    return np.diff(_interpolate(integral, edges), axis=0)


def _interpolate(rows: Rows, places: NDArray[np.floating]) -> Rows:
    """Values (k d) at fractional row numbers `places` (k,), which lie within the rows up to floating-point error."""
    places = np.minimum(places, len(rows) - 1)
    before = np.floor(places + ROUNDING_FRAMES).astype(np.int64)
    share = np.maximum(places - before, 0.0)[:, None]
    after = np.minimum(before + 1, len(rows) - 1)
    return rows[before] * (1.0 - share) + rows[after] * share
