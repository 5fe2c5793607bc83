"""Mutated tasks: each is refused with one line that has file and line, or its scene is sampled and settled."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from task_mutations import mutate_task, try_task

from sim import tasks

EXAMPLES = int(os.environ.get("AIM_TASK_EXAMPLES", "60"))


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(tasks.list_tasks()), seed=st.integers(0, 2**32))
def test_a_mutated_task_is_refused_in_one_line_or_runs(name: str, seed: int) -> None:
    assert try_task(mutate_task(name, seed)) in ("refused", "no scene", "runs")


def test_mutations_both_break_tasks_and_leave_them_playable() -> None:
    """The law above would hold of mutations that do nothing, or that never come as far as a scene."""
    outcomes = {try_task(mutate_task("place_empty_cup", seed)) for seed in range(25)}
    assert {"refused", "runs"} <= outcomes
