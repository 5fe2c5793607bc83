"""Section of the report about closed-loop success: policies side by side, task by task and pair by pair."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from aim.report import plots
from aim.report.comparison import SuccessCell, SuccessPair, SuccessRow, compare_pairs, compare_success
from aim.report.findings import EvaluationReport

RESULTS_NOTE = "Success rate with Wilson 95 % intervals. Every seed was run once; none was skipped or repeated."
SHARED_NOTE = (
    "Side by side are the seeds that all policies of a row ran; what a policy ran besides does not count here."
)
UNSHARED_NOTE = "Rows marked * have no seed that all of their policies ran: other scenes stand side by side."
PROGRESS_NOTE = "Stages: how much of the task's plan an episode passed, on the mean."
PAIRS_NOTE = (
    "p: McNemar's exact test, two-sided, of the seeds on which only one of the two succeeded; each pair by itself, not "
    "corrected for how many there are."
)
MAX_PAIRED_POLICIES = 6  # more make too many pairs
SMALLEST_P = 0.001  # that is told as a number


def render_results(evaluations: Sequence[EvaluationReport]) -> str:
    """Section with success rates by task and policy, and their plot; "" where there are none."""
    rows = compare_success(evaluations)
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in ["task", *(e.policy_label for e in evaluations)])
    body = "".join(_render_row(row) for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    marks = [(row.task, [_make_interval(cell) for cell in row.cells]) for row in rows if not row.is_sum]
    plot = plots.plot_intervals(marks, [e.policy_label for e in evaluations])
    cells = [cell for row in rows for cell in row.cells if cell]
    notes = [RESULTS_NOTE]
    notes += [SHARED_NOTE] if any(cell.num_other for cell in cells) else []
    notes += [UNSHARED_NOTE] if any(not row.shared for row in rows) else []
    notes += [PROGRESS_NOTE] if any(cell.progress is not None for cell in cells) else []
    return (
        f'<section><h2>Closed-loop success</h2><div class="scroll">{table}</div>{_render_pairs(evaluations)}'
        f"<figure>{plot}<figcaption>{' '.join(notes)}</figcaption></figure></section>"
    )


def _render_pairs(evaluations: Sequence[EvaluationReport]) -> str:
    """A line for every two policies that ran the same seeds; none where there are many policies."""
    pairs = compare_pairs(evaluations) if len(evaluations) <= MAX_PAIRED_POLICIES else []
    lines = [escape(_format_pair(pair, [e.policy_label for e in evaluations])) for pair in pairs]
    return f'<p class="note">{"<br>".join([*lines, PAIRS_NOTE])}</p>' if lines else ""


def _format_pair(pair: SuccessPair, labels: Sequence[str]) -> str:
    first, second = pair.cells
    rates = f"{labels[pair.first]} {format_percent(first)}, {labels[pair.second]} {format_percent(second)}"
    tasks = f" of {pair.num_tasks} tasks" if pair.num_tasks > 1 else ""
    p = f"p = {pair.p_value:.3f}" if pair.p_value >= SMALLEST_P else f"p < {SMALLEST_P}"
    return f"{rates} on the same {first.episodes} seeds{tasks}: {p}"


def _render_row(row: SuccessRow) -> str:
    name = escape(row.task) + ("" if row.shared else " *")
    kind = ' class="all"' if row.is_sum else ""
    return f"<tr{kind}><td>{name}</td>{''.join(map(_render_cell, row.cells))}</tr>"


def _render_cell(cell: SuccessCell | None) -> str:
    if cell is None:
        return '<td class="note">not run</td>'
    lines = [f"{format_interval(cell)}, n = {cell.episodes}"]
    lines += [] if cell.progress is None else [f"stages {100 * cell.progress:.0f} %"]
    lines += [f"{cell.num_other} other seeds left out"] if cell.num_other else []
    told = "".join(f'<span class="ci">{line}</span>' for line in lines)
    return f"<td>{format_percent(cell)} {told}</td>"


def _make_interval(cell: SuccessCell | None) -> plots.RateInterval | None:
    return None if cell is None else plots.RateInterval(cell.rate, *cell.interval)


def format_percent(cell: SuccessCell) -> str:
    """Success rate, as in "52 %"."""
    return f"{100 * cell.rate:.3g} %"


def format_interval(cell: SuccessCell) -> str:
    """Interval of a success rate, as in "45 to 59 %"."""
    low, high = cell.interval
    return f"{100 * low:.0f} to {100 * high:.0f} %"
