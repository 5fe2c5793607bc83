"""What a recorded set holds is counted, and what is wrong with it said, in one reading of its rows."""

from __future__ import annotations

import numpy as np
from memory_set import MemorySet

from aim.data.recorded_checks import survey_recorded, verify_recorded


def make_set(**more: object) -> MemorySet:
    """Set of an episode of 3 frames, one of 40 and one without any."""
    rows = [(np.zeros((length, 2)), np.zeros((length, 2))) for length in (3, 40, 0)]
    return MemorySet(rows, "ab", "ab", **more)


def test_rows_are_read_once_by_each_verb() -> None:
    for verb in (survey_recorded, verify_recorded):
        recorded = make_set()
        found = verb(recorded)
        assert recorded.times_read == 1
        assert (found.episodes, found.frames, found.shortest, found.longest) == (3, 43, 0, 40)
        assert found.tasks == {"do it": 2}


def test_every_kind_of_problem_is_a_line() -> None:
    recorded = make_set(tasks=(), file_notes=1)
    recorded.rows[1][0][7, 1] = np.nan
    seen: list[int] = []
    assert verify_recorded(recorded, seen.append).problems == (
        "episode 2 has no frames", "file 0 is odd", "episode 1: state 'b' is not finite at frame 7",
        "2 episodes name no task",
    )  # fmt: skip
    assert seen == [0, 1] and survey_recorded(recorded).problems == ()
