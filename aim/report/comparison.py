"""Success of several policies side by side: task by task, on the seeds that all of them ran, and pair by pair."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aim.evaluate.intervals import mcnemar_p_value, wilson_interval
from aim.report.findings import EvaluationReport, Row


@dataclass(frozen=True)
class SuccessCell:
    """Success of one policy on some seeds; `progress` is the mean share of stages passed, None if it is not known.

    `num_other` counts the seeds of the policy that others did not run, which do not count here.
    """

    successes: int
    episodes: int
    progress: float | None = None
    num_other: int = 0

    @property
    def rate(self) -> float:
        """Success rate; only of cells with episodes."""
        return self.successes / self.episodes

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95 % interval of the rate."""
        return wilson_interval(self.successes, self.episodes)


@dataclass(frozen=True)
class SuccessRow:
    """Cells of one task, in the order of the policies; None for a policy that did not run it.

    `shared` says whether there are seeds that all of those ran, and the cells count these alone.
    """

    task: str
    cells: tuple[SuccessCell | None, ...]
    shared: bool = True
    is_sum: bool = False  # over several tasks


@dataclass(frozen=True)
class SuccessPair:
    """Two policies, by their numbers, on the seeds that both ran, and how many of these only one succeeded on."""

    first: int
    second: int
    cells: tuple[SuccessCell, SuccessCell]
    only_first: int
    only_second: int
    num_tasks: int

    @property
    def p_value(self) -> float:
        """Exact two-sided p-value of McNemar's test."""
        return mcnemar_p_value(self.only_first, self.only_second)


def compare_pairs(evaluations: Sequence[EvaluationReport]) -> list[SuccessPair]:
    """Every two policies that have seeds of a task in common, over all of these."""
    records = [one.record["episodes"] for one in evaluations]
    found = [{(row["task"], row["seed"]): bool(row["success"]) for row in rows} for rows in records]
    pairs = []
    for first, second in itertools.combinations(range(len(found)), 2):
        shared = [key for key in found[first] if key in found[second]]
        if shared:
            both = [(found[first][key], found[second][key]) for key in shared]
            cells = tuple(SuccessCell(sum(side), len(both)) for side in zip(*both, strict=True))
            num_tasks = len({task for task, _ in shared})
            only = both.count((True, False)), both.count((False, True))
            pairs.append(SuccessPair(first, second, (cells[0], cells[1]), *only, num_tasks))
    return pairs


def compare_success(evaluations: Sequence[EvaluationReport]) -> list[SuccessRow]:
    """Rows of the table: each task, and the sum over the tasks that all policies ran if there are several."""
    tasks = list(dict.fromkeys(row["task"] for evaluation in evaluations for row in evaluation.record["episodes"]))
    rows = [_compare_task(task, evaluations) for task in tasks]
    common = [row for row in rows if None not in row.cells and row.shared]
    if len(rows) > 1 and common:
        columns = zip(*(row.cells for row in common), strict=True)
        name = "all tasks" if len(common) == len(rows) else f"the {len(common)} tasks run by all"
        rows.append(
            SuccessRow(name, tuple(_sum_cells(cell for cell in column if cell) for column in columns), is_sum=True)
        )
    return rows


def count_success(rows: Iterable[Row], num_other: int = 0) -> SuccessCell:
    """Cell of some episodes of a results file."""
    rows = list(rows)
    known: list[Any] = [row.get("progress") for row in rows]
    progress = sum(known) / len(known) if known and None not in known else None
    return SuccessCell(sum(row["success"] for row in rows), len(rows), progress, num_other)


def _compare_task(task: str, evaluations: Sequence[EvaluationReport]) -> SuccessRow:
    found = [[row for row in one.record["episodes"] if row["task"] == task] for one in evaluations]
    seeds = [{row["seed"] for row in rows} for rows in found if rows]
    common = set.intersection(*seeds)
    cells = []
    for rows in found:
        counted = [row for row in rows if row["seed"] in common] if common else rows
        cells.append(count_success(counted, len(rows) - len(counted)) if rows else None)
    return SuccessRow(task, tuple(cells), bool(common))


def _sum_cells(cells: Iterable[SuccessCell]) -> SuccessCell:
    cells = list(cells)
    num_episodes = sum(cell.episodes for cell in cells)
    known = [cell.progress * cell.episodes for cell in cells if cell.progress is not None]
    return SuccessCell(
        sum(cell.successes for cell in cells),
        num_episodes,
        sum(known) / num_episodes if len(known) == len(cells) else None,
        sum(cell.num_other for cell in cells),
    )
