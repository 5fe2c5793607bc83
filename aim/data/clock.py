"""Timestamps of a recorded episode against its frame numbers, which are what is read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aim.data.mapping import RobotMapping
from aim.data.recorded import EpisodeRows, RecordedSet
from aim.util import console
from sim.types import UserError

CLOCK_TOLERANCE_FRAMES = 0.45  # how far a timestamp may be from its frame number, unless the mapping says otherwise


def check_clock(recorded: RecordedSet, mapping: RobotMapping, number: int, rows: EpisodeRows) -> float:
    """Largest deviation in seconds of an episode's timestamps from frame / fps, beside a constant offset.

    `UserError` saying where and how far, where it is above the tolerance.
    """
    error, frame, tolerance = measure_clock_error(recorded.fps, rows, mapping.clock_tolerance_s)
    if not error <= tolerance:
        where = f"{recorded.path}: episode {number}: timestamp is not frame_index / {recorded.fps:g}"
        said = f"{where}: {error * 1e3:.1f} ms off at frame {frame}, {tolerance * 1e3:.1f} ms are allowed"
        raise UserError(f"{said}; [clock] tolerance_s in the mapping allows more")
    return error


def measure_clock_error(fps: float, rows: EpisodeRows, tolerance_s: float | None) -> tuple[float, int, float]:
    """Largest deviation in seconds of timestamps from frame / fps, at which frame, and what is allowed.

    A constant offset counts for nothing. It is the middle of the deviations: the first stamp may jitter like any other.
    """
    tolerance = CLOCK_TOLERANCE_FRAMES / fps if tolerance_s is None else tolerance_s
    if rows.timestamps is None:
        return 0.0, 0, tolerance
    apart = rows.timestamps - np.arange(len(rows.timestamps)) / fps
    finite = apart[np.isfinite(apart)]
    middle = (finite.max() + finite.min()) / 2 if len(finite) else 0.0
    apart = np.abs(apart - middle)
    frame = int(np.argmax(np.where(np.isfinite(apart), apart, np.inf)))
    return float(apart[frame]), frame, tolerance


def print_clock_note(recorded: RecordedSet, clocks: Mapping[int, float]) -> None:
    """Note the largest deviation of timestamps, where it is above a tenth of a frame."""
    worst = max(clocks, key=lambda number: clocks[number])
    if clocks[worst] * recorded.fps > CLOCK_TOLERANCE_FRAMES / 5:
        said = f"timestamps deviate by up to {clocks[worst] * 1e3:.1f} ms (episode {worst})"
        console.print_note(f"{recorded.path}: {said} from frame numbers, which are what is read")
