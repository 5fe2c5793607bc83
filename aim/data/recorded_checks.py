"""What a recorded set holds, and whether all of it can be read: files, rows, clocks, numbers, words and frames."""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aim.data.clock import measure_clock_error
from aim.data.recorded import EpisodeRows, RecordedSet, describe_numbers
from sim.types import UserError

FRAMES_AT_ONCE = 32


@dataclass(frozen=True)
class RecordedSurvey:
    """Counts of a recorded set, and one line for each thing that is wrong with an episode."""

    episodes: int
    frames: int
    shortest: int  # frames
    longest: int
    tasks: dict[str, int]  # episodes of each
    silent: int  # episodes with rows that name no task
    problems: tuple[str, ...] = ()


def survey_recorded(recorded: RecordedSet) -> RecordedSurvey:
    """Counts of a set; rows are read for the tasks, pictures are not. Episodes that cannot be read count too."""
    return _survey(recorded, (), lambda number, rows: [])


def verify_recorded(recorded: RecordedSet, watch: Callable[[int], None] = lambda number: None) -> RecordedSurvey:
    """Survey of a set of which every row and every frame was read."""

    def check(number: int, rows: EpisodeRows | UserError) -> list[str]:
        lines = [] if isinstance(rows, UserError) else _check_episode(recorded, number, rows)
        watch(number)
        return lines

    found = _survey(recorded, tuple(recorded.vectors), check)
    empty = [f"episode {number} has no frames" for number, length in recorded.episodes.items() if length < 1]
    silent = [f"{found.silent} episodes name no task"] if found.silent else []
    return replace(found, problems=(*empty, *found.problems, *silent))


def _survey(
    recorded: RecordedSet, features: Sequence[str], check: Callable[[int, EpisodeRows | UserError], list[str]]
) -> RecordedSurvey:
    """Counts of a set, with what `check` says of each episode that has frames."""
    tasks: collections.Counter[str] = collections.Counter()
    problems, silent = [], 0
    for number, rows in recorded.read_rows([n for n, length in recorded.episodes.items() if length > 0], features):
        if isinstance(rows, UserError):
            problems.append(f"episode {number}: {rows}")
        else:
            tasks.update(rows.tasks[:1])
            silent += not rows.tasks
        problems += check(number, rows)
    lengths = recorded.episodes.values()
    return RecordedSurvey(
        len(lengths), sum(lengths), min(lengths), max(lengths), dict(tasks), silent, tuple(problems)
    )  # fmt: skip


def _check_episode(recorded: RecordedSet, number: int, rows: EpisodeRows) -> list[str]:
    """Lines on what is wrong with an episode."""
    where = f"episode {number}"
    try:
        lines = [*recorded.check_files(number, recorded.cameras), *rows.notes]
        for feature, values in rows.values.items():
            bad = np.argwhere(~np.isfinite(values))
            if len(bad):
                label = recorded.vectors[feature].labels[bad[0, 1]]
                lines.append(f"{where}: {feature} {label!r} is not finite at frame {bad[0, 0]}")
        error, frame, tolerance = measure_clock_error(recorded.fps, rows, None)
        if not error <= tolerance:
            lines.append(f"{where}: timestamp is {error * 1e3:.1f} ms off frame_index / {recorded.fps:g} at {frame}")
        length = recorded.episodes[number]
        for camera in recorded.cameras:
            for first in range(0, length, FRAMES_AT_ONCE):
                recorded.read_frames(number, camera, range(first, min(first + FRAMES_AT_ONCE, length)))
        return lines
    except UserError as error:
        return [f"{where}: {error}"]


def describe_lengths(found: RecordedSurvey, fps: float) -> str:
    """Lengths of the episodes in words."""
    return f"{found.shortest} to {found.longest} frames, {found.shortest / fps:.1f} to {found.longest / fps:.1f} s"


def describe_episodes(recorded: RecordedSet) -> str:
    """Numbers of the episodes in words."""
    return describe_numbers(list(recorded.episodes))
