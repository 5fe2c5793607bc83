"""HTML page of a report, with all images, plots and styles embedded."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from aim.report import plots
from aim.report.gather import DatasetReport, EvaluationReport, Findings, ReportVideo, TrainingReport
from aim.report.style import STYLE_SHEET

ABOUT_TEXT = (
    "An intent-aware world action model: from pictures and an instruction it predicts the coming pictures, the value "
    "maps that say where contact is meant, and from these the actions."
)
RESULTS_NOTE = "Success rate with Wilson 95 % intervals. Every seed was run once; none was skipped or repeated."
VIDEOS_NOTE = (
    "Left, what the camera saw. Middle, the picture that the policy predicted before it acted, shown until its time "
    "has come. Right, the value map that it predicted with it, laid over what happened: where it meant to touch."
)
LOSS_NOTE = "Loss of each stream, as logged (faint) and as a running mean (firm)."
CODEC_NOTE = "Loss of the picture codec, which is trained before."
STREAM_STYLES = {"rgb": ("pictures", 0), "map": ("value maps", 2), "action": ("actions", 1)}  # name, colour


def render_page(findings: Findings) -> str:
    """The report as HTML that needs no other file and no network."""
    notes = " · ".join(f"{name} {value}" for name, value in findings.notes.items())
    parts = [
        _render_head(findings),
        _render_results(findings.evaluations),
        *(_render_rollouts(evaluation) for evaluation in findings.evaluations),
        *(_render_training(training) for training in findings.trainings),
        *(_render_dataset(data) for data in findings.data),
        _render_configuration(findings.trainings),
        f"<footer>{escape(notes)}</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(findings.title)}: AIM report</title><style>{STYLE_SHEET}</style></head>\n"
        f"<body><main>\n{_join_lines(parts)}\n</main></body></html>\n"
    )


def _render_head(findings: Findings) -> str:
    tiles = [
        _render_tile(_format_percent(e.record), f"{e.policy_label} succeeds", _format_interval(e.record))
        for e in findings.evaluations
    ]
    tiles += [tile for training in findings.trainings for tile in _render_training_tiles(training)]
    tiles += [
        _render_tile(plots.format_short(data.episodes), "demonstrations", data.facts["robot"]) for data in findings.data
    ]
    return (
        f'<p class="over">AIM report</p><h1>{escape(findings.title)}</h1><p>{ABOUT_TEXT}</p>'
        f'<div class="figures">{"".join(tiles)}</div>'
    )


def _render_training_tiles(training: TrainingReport) -> Iterable[str]:
    if stage1 := training.log.get("stage1"):
        yield _render_tile(f"{stage1[-1]['step']:,}", "training steps", _format_duration(stage1[-1]["seconds"]))
    if training.quality:
        yield _render_tile(f"{training.quality['psnr_rgb']:.1f} dB", "codec", "signal to noise of pictures")


def _render_tile(figure: str, label: str, detail: str) -> str:
    return f"<div><b>{escape(figure)}</b>{escape(label)}<span>{escape(detail)}</span></div>"


def _render_results(evaluations: Sequence[EvaluationReport]) -> str:
    if not evaluations:
        return ""
    tasks = list(dict.fromkeys(task for evaluation in evaluations for task in evaluation.record["tasks"]))
    by_task = [(task, [e.record["tasks"].get(task) for e in evaluations]) for task in tasks]
    head = "".join(f"<th>{escape(name)}</th>" for name in ["task", *(e.policy_label for e in evaluations)])
    rows = [f"<tr><td>{escape(task)}</td>{''.join(map(_render_cell, figures))}</tr>" for task, figures in by_task]
    if len(tasks) > 1:
        overall = "".join(_render_cell({**e.record, "episodes": len(e.record["episodes"])}) for e in evaluations)
        rows.append(f'<tr class="all"><td>all tasks</td>{overall}</tr>')
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    marks = [(task, [_make_interval(found) for found in figures]) for task, figures in by_task]
    plot = plots.plot_intervals(marks, [e.policy_label for e in evaluations])
    return (
        f'<section><h2>Closed-loop success</h2><div class="scroll">{table}</div>'
        f"<figure>{plot}<figcaption>{RESULTS_NOTE}</figcaption></figure></section>"
    )


def _render_cell(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return '<td class="note">not run</td>'
    interval = f"{_format_interval(figures)}, n = {figures['episodes']}"
    return f'<td>{_format_percent(figures)} <span class="ci">{interval}</span></td>'


def _make_interval(figures: Mapping[str, Any] | None) -> plots.RateInterval | None:
    return None if figures is None else plots.RateInterval(figures["success_rate"], *figures["ci95"])


def _render_rollouts(evaluation: EvaluationReport) -> str:
    if not evaluation.videos:
        return ""
    note = f'<p class="note">{VIDEOS_NOTE}</p>' if any(video.wide for video in evaluation.videos) else ""
    heading = f"<h2>Roll-outs: {escape(evaluation.policy_label)}</h2>"
    return f"<section>{heading}{note}{_render_gallery(evaluation.videos)}</section>"


def _render_gallery(videos: Sequence[ReportVideo]) -> str:
    wide = "".join(_render_figure(video) for video in videos if video.wide)
    small = "".join(_render_figure(video) for video in videos if not video.wide)
    return (f'<div class="wide">{wide}</div>' if wide else "") + (f'<div class="films">{small}</div>' if small else "")


def _render_figure(video: ReportVideo) -> str:
    data = base64.b64encode(video.data).decode("ascii")
    ended = {True: '<span class="yes">success</span> · ', False: '<span class="no">failure</span> · ', None: ""}
    return (
        f'<figure><img src="data:image/webp;base64,{data}" alt="{escape(video.caption)}">'
        f"<figcaption>{ended[video.success]}{escape(video.caption)}</figcaption></figure>"
    )


def _render_training(training: TrainingReport) -> str:
    stage1, codec = training.log.get("stage1", []), training.log.get("codec", [])
    parts = [f"<section><h2>Training</h2>{render_table(_list_training_facts(training))}"]
    if len(stage1) > 1:
        lines = [_make_curve(name, stage1, stream, colour) for stream, (name, colour) in STREAM_STYLES.items()]
        parts.append(_render_plot(lines, "flow-matching loss", 260, LOSS_NOTE))
    if len(codec) > 1:
        parts.append(_render_plot([_make_curve("codec", codec, "loss", 3)], "codec loss", 190, CODEC_NOTE))
    return f"{_join_lines(parts)}</section>"


def _make_curve(name: str, rows: Sequence[Mapping[str, Any]], field: str, colour: int) -> plots.Curve:
    return plots.Curve(name, [row["step"] for row in rows], [row[field] for row in rows], colour)


def _render_plot(lines: Sequence[plots.Curve], label: str, height: int, note: str) -> str:
    drawn = plots.plot_curves(lines, "step", label, log=True, height=height)
    return f"<figure>{drawn}<figcaption>{note}</figcaption></figure>"


def _list_training_facts(training: TrainingReport) -> dict[str, str]:
    rows = {"folder": training.name}
    if run := training.run:
        model, config = run.model, run.train
        rows["preset"] = f"{run.preset}, for the robot {run.robot}"
        rows["model"] = f"{model.layers} layers, pictures {model.width} and actions {model.action_width} wide"
        if training.parameters:
            rows["parameters"] = f"{training.parameters:,}"
        rows["attention"] = f"variant {model.variant!r}"
        rows["pictures"] = ", ".join(f"{view.name} {view.height} by {view.width}" for view in run.codec.views)
        rows["optimiser"] = f"AdamW, batch {config.batch_size}, learning rate up to {config.lr:g}, seed {config.seed}"
    if stage1 := training.log.get("stage1"):
        pace = sorted(row["samples_per_second"] for row in stage1)[len(stage1) // 2]
        rows["done"] = (
            f"{stage1[-1]['step']} steps in {_format_duration(stage1[-1]['seconds'])}, {pace:.0f} samples a second"
        )
    if quality := training.quality:
        views = ", ".join(f"{name} {value:.1f} dB" for name, value in quality["by_view"].items())
        rows["codec, pictures"] = f"{quality['psnr_rgb']:.1f} dB ({views})"
        rows["codec, maps"] = f"{quality['psnr_map']:.1f} dB, peaks off by {quality['peak_error_px']:.2f} pixels"
    return rows


def _render_dataset(data: DatasetReport) -> str:
    rows = render_table({"folder": data.name, **data.facts})
    return f"<section><h2>Demonstrations</h2>{rows}{_render_gallery(data.videos)}</section>"


def _render_configuration(trainings: Sequence[TrainingReport]) -> str:
    blocks = []
    for training in trainings:
        if training.run:
            rows = render_table(flatten_tree(dataclasses.asdict(training.run)))
            blocks.append(f"<details><summary>run.json of {escape(training.name)}</summary>{rows}</details>")
    return f'<section class="screen"><h2>Complete configuration</h2>{_join_lines(blocks)}</section>' if blocks else ""


def render_table(rows: Mapping[str, str]) -> str:
    """Table of two columns: name and value."""
    body = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f'<div class="scroll"><table class="facts"><tbody>{body}</tbody></table></div>'


def flatten_tree(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Leaves of nested dicts by their paths, such as "model.width"; long lists are cut short."""
    rows: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            rows |= flatten_tree(value, f"{prefix}{name}.")
        else:
            text = json.dumps(value)
            rows[prefix + name] = text if len(text) <= 200 else f"{text[:60]} … ({len(value)} entries)"
    return rows


def _format_percent(figures: Mapping[str, Any]) -> str:
    return f"{100 * figures['success_rate']:.3g} %"


def _format_interval(figures: Mapping[str, Any]) -> str:
    low, high = figures["ci95"]
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def _format_duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _join_lines(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)
