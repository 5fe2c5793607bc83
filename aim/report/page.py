"""The page: findings in, one HTML text out, with every picture, plot and style inside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from aim.report import plots
from aim.report.gather import Data, Evaluation, Film, Findings, Training
from aim.report.style import STYLE

STREAMS = {"rgb": "rgb", "map": "value map", "action": "action"}


def page(findings: Findings) -> str:
    """Return the report as HTML that needs no other file and no network."""
    parts = [
        _head(findings),
        _results(findings.evaluations),
        *(_rollouts(evaluation) for evaluation in findings.evaluations),
        *(_training(training) for training in findings.trainings),
        *(_data(data) for data in findings.data),
        _configuration(findings.trainings),
        f"<footer>{_join(f'{name} {value}' for name, value in findings.notes.items())}</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(findings.title)} – AIM report</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{_lines(parts)}\n</main></body></html>\n"
    )


def _head(findings: Findings) -> str:
    tiles = [_tile(_percent(e.record), f"{e.policy} succeeds", _interval(e.record)) for e in findings.evaluations]
    tiles += [tile for training in findings.trainings for tile in _training_tiles(training)]
    tiles += [_tile(data.facts["episodes"], "demonstrations", data.name) for data in findings.data]
    return (
        f'<p class="over">AIM report</p><h1>{escape(findings.title)}</h1>'
        "<p>An intent-aware world action model: from pictures and an instruction it predicts the coming pictures, the value "
        "maps that say where contact is meant, and from these the actions.</p>"
        f'<div class="figures">{"".join(tiles)}</div>'
    )


def _training_tiles(training: Training) -> Iterable[str]:
    last = training.log[-1] if training.log else {}
    if "step" in last:
        yield _tile(plots.short(last["step"]), "training steps", f"{training.name}, {_duration(last.get('seconds'))}")


def _tile(figure: str, label: str, detail: str) -> str:
    return f"<div><b>{escape(figure)}</b>{escape(label)}<span>{escape(detail)}</span></div>"


def _results(evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return ""
    tasks = list(dict.fromkeys(task for evaluation in evaluations for task in evaluation.record["tasks"]))
    head = "".join(f"<th>{escape(evaluation.policy)}</th>" for evaluation in evaluations)
    rows = [
        f"<tr><td>{escape(task)}</td>{''.join(_cell(e.record['tasks'].get(task)) for e in evaluations)}</tr>" for task in tasks
    ]
    if len(tasks) > 1:
        overall = "".join(_cell({**e.record, "episodes": len(e.record["episodes"])}) for e in evaluations)
        rows.append(f'<tr class="all"><td>all tasks</td>{overall}</tr>')
    marks = [(task, [_mark(e.record["tasks"].get(task)) for e in evaluations]) for task in tasks]
    return (
        "<section><h2>Closed-loop success</h2>"
        f'<div class="scroll"><table><thead><tr><th>task</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f"<figure>{plots.intervals(marks, [e.policy for e in evaluations])}"
        "<figcaption>Success rate with Wilson 95 % intervals. Every seed was run once; none was skipped or repeated."
        "</figcaption></figure></section>"
    )


def _cell(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return '<td class="note">not run</td>'
    return f'<td>{_percent(figures)} <span class="ci">{_interval(figures)}, n = {figures["episodes"]}</span></td>'


def _mark(figures: Mapping[str, Any] | None) -> plots.Mark | None:
    return None if figures is None else plots.Mark(figures["success_rate"], *figures["ci95"])


def _rollouts(evaluation: Evaluation) -> str:
    return _gallery(f"Roll-outs: {evaluation.policy}", evaluation.films)


def _gallery(title: str, films: Sequence[Film], tag: str = "h2") -> str:
    if not films:
        return ""
    wide = "".join(_figure(film) for film in films if film.wide)
    small = "".join(_figure(film) for film in films if not film.wide)
    return (
        f"<section><{tag}>{escape(title)}</{tag}>"
        + (f'<div class="wide">{wide}</div>' if wide else "")
        + (f'<div class="films">{small}</div>' if small else "")
        + "</section>"
    )


def _figure(film: Film) -> str:
    data = base64.b64encode(film.data).decode("ascii")
    return (
        f'<figure><img src="data:image/webp;base64,{data}" alt="{escape(film.caption)}">'
        f"<figcaption>{_verdict(film.success)}{escape(film.caption)}</figcaption></figure>"
    )


def _verdict(success: bool | None) -> str:
    if success is None:
        return ""
    return '<span class="yes">success</span> · ' if success else '<span class="no">failure</span> · '


def _configuration(trainings: Sequence[Training]) -> str:
    if not trainings:
        return ""
    blocks = "".join(
        f"<details><summary>{escape(t.name)}/run.json</summary><pre>{escape(json.dumps(t.run, indent=2))}</pre></details>"
        for t in trainings
    )
    return f"<section><h2>Complete configuration</h2>{blocks}</section>"


def facts(rows: Mapping[str, str]) -> str:
    """Return a table of two columns: what, and its value."""
    body = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f'<table class="facts"><tbody>{body}</tbody></table>'


def _percent(figures: Mapping[str, Any]) -> str:
    return f"{100 * figures['success_rate']:.3g} %"


def _interval(figures: Mapping[str, Any]) -> str:
    low, high = figures["ci95"]
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _join(items: Iterable[str]) -> str:
    return escape(" · ".join(items))


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)
