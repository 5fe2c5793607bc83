"""HTML page of a report, with all images, plots and styles embedded."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from aim.data.peaks import describe_peaks
from aim.evaluate.prediction_summary import summarize_figures
from aim.report import plots
from aim.report.comparison import count_success
from aim.report.findings import (
    DatasetReport,
    EvaluationReport,
    Findings,
    ImaginationReport,
    ReportFigure,
    TrainingReport,
)
from aim.report.results_section import format_interval, format_percent, render_results
from aim.report.style import STYLE_SHEET

ABOUT_TEXT = (
    "An intent-aware world action model: from pictures and an instruction it predicts the coming pictures, the value "
    "maps that say where contact is meant, and from these the actions."
)
CAMERA_CAPTION = "Left, what the camera saw."
PREDICTION_CAPTIONS = {  # what a film shows of what a policy predicted
    "pictures": "Beside it, the picture that the policy predicted before it acted, shown until its time has come.",
    "maps": "Right, the value map that it predicted, laid over what happened: where it meant to touch.",
}
VERDICT_CAPTION = "The last picture has a green edge after a success, a red one after a failure, with the reason below."
LOSS_NOTE = "Loss of each stream, as logged (faint) and as a running mean (firm)."
CODEC_NOTE = "Loss of the picture codec, which is trained before."
COMMANDS_NOTE = (
    "What a command leaves out is at its default. Folders are told from where the command was given; the command of "
    "demonstrations follows from their recipe."
)
STREAM_STYLES = {"rgb": ("pictures", 0), "map": ("value maps", 2), "action": ("actions", 1)}  # name, colour


def render_page(findings: Findings) -> str:
    """The report as HTML that needs no other file and no network."""
    notes = " · ".join(f"{name} {value}" for name, value in findings.notes.items())
    parts = [
        _render_head(findings),
        _render_problems(findings.problems),
        render_results(findings.evaluations),
        *(_render_rollouts(evaluation) for evaluation in findings.evaluations),
        *(_render_training(training, len(findings.trainings) > 1) for training in findings.trainings),
        _render_imagined(findings.imagined),
        *(_render_dataset(data) for data in findings.data),
        _render_commands(findings),
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
    totals = [(e, count_success(e.record["episodes"])) for e in findings.evaluations]
    tiles = [
        _render_tile(format_percent(cell), f"{e.policy_label} succeeds", format_interval(cell))
        for e, cell in totals
        if cell.episodes
    ]
    several = len(findings.trainings) > 1
    tiles += [tile for training in findings.trainings for tile in _render_training_tiles(training, several)]
    tiles += [_render_tile(plots.format_short(data.episodes), "demonstrations", data.robot) for data in findings.data]
    has_model = bool(findings.trainings or findings.imagined) or any(e.is_learned for e in findings.evaluations)
    about = f"<p>{ABOUT_TEXT}</p>" if has_model else ""
    return (
        f'<p class="over">AIM report</p><h1>{escape(findings.title)}</h1>{about}'
        f'<div class="figures">{"".join(tiles)}</div>'
    )


def _render_problems(problems: Sequence[str]) -> str:
    lines = "".join(f'<p class="problem">could not be read: {escape(line)}</p>' for line in problems)
    return f"<section>{lines}</section>" if lines else ""


def _render_training_tiles(training: TrainingReport, several: bool) -> Iterable[str]:
    of_which = f", {training.folder}" if several else ""
    if stage1 := training.log.get("stage1"):
        yield _render_tile(f"{training.step:,}", f"training steps{of_which}", _format_duration(stage1[-1]["seconds"]))
    if training.quality:
        yield _render_tile(f"{training.quality['psnr_rgb']:.1f} dB", f"codec{of_which}", "signal to noise of pictures")


def _render_tile(figure: str, label: str, detail: str) -> str:
    return f"<div><b>{escape(figure)}</b>{escape(label)}<span>{escape(detail)}</span></div>"


def _render_rollouts(evaluation: EvaluationReport) -> str:
    facts = render_table(_list_evaluation_facts(evaluation))
    note = f'<p class="note">{describe_films(evaluation.predictions)}</p>' if evaluation.figures else ""
    heading = f"<h2>Roll-outs: {escape(evaluation.policy_label)}</h2>"
    return f"<section>{heading}{facts}{note}{_render_gallery(evaluation.figures)}</section>"


def describe_films(predictions: Sequence[str] | None) -> str:
    """What the films of an evaluation show; `predictions` are those of the policy's, None where it is not known."""
    if predictions is None:
        return f"Each panel is named in its film. {VERDICT_CAPTION}"
    if not predictions:
        return f"What the camera saw. {VERDICT_CAPTION}"
    return " ".join((CAMERA_CAPTION, *(PREDICTION_CAPTIONS[name] for name in predictions), VERDICT_CAPTION))


def _list_evaluation_facts(evaluation: EvaluationReport) -> dict[str, str]:
    record = evaluation.record
    seeds = [row["seed"] for row in record["episodes"]]
    facts = {"folder": evaluation.folder, "robot": record["robot"], "scenes": record["variation"]}
    if record["variant"]:
        facts["variant"] = record["variant"]
    if seeds:
        first, last = min(seeds), max(seeds)
        facts["seeds"] = str(first) if first == last else f"{first} to {last}"
    for task, figures in record["tasks"].items():
        if lost := figures.get("lost"):
            reasons = ", ".join(f"{reason} {count}" for reason, count in lost.items())
            facts[f"lost, {task}"] = f"{sum(lost.values())} of {figures['episodes']}: {reasons}"
    return facts


def _render_gallery(videos: Sequence[ReportFigure]) -> str:
    wide = "".join(_render_figure(video) for video in videos if video.wide)
    small = "".join(_render_figure(video) for video in videos if not video.wide)
    return (f'<div class="wide">{wide}</div>' if wide else "") + (f'<div class="films">{small}</div>' if small else "")


def _render_figure(video: ReportFigure) -> str:
    data = base64.b64encode(video.data).decode("ascii")
    ended = {True: '<span class="yes">success</span> · ', False: '<span class="no">failure</span> · ', None: ""}
    return (
        f'<figure><img src="data:{video.media};base64,{data}" alt="{escape(video.caption)}">'
        f"<figcaption>{ended[video.success]}{escape(video.caption)}</figcaption></figure>"
    )


def _render_training(training: TrainingReport, several: bool) -> str:
    stage1, codec = training.log.get("stage1", []), training.log.get("codec", [])
    heading = f"Training: {escape(training.folder)}" if several else "Training"
    parts = [f"<section><h2>{heading}</h2>{render_table(_list_training_facts(training))}"]
    if len(stage1) > 1:
        lines = [_make_curve(name, stage1, stream, colour) for stream, (name, colour) in STREAM_STYLES.items()]
        parts.append(_render_plot(lines, "training step", "flow-matching loss", 260, LOSS_NOTE))
    if len(codec) > 1:
        curve = _make_curve("codec", codec, "loss", 3)
        parts.append(_render_plot([curve], "codec step", "codec loss", 190, CODEC_NOTE))
    if training.samples:
        parts.append(_render_gallery([training.samples]))
    return f"{_join_lines(parts)}</section>"


def _make_curve(name: str, rows: Sequence[Mapping[str, Any]], field: str, colour: int) -> plots.Curve:
    return plots.Curve(name, [row["step"] for row in rows], [row[field] for row in rows], colour)


def _render_plot(lines: Sequence[plots.Curve], steps: str, label: str, height: int, note: str) -> str:
    drawn = plots.plot_curves(lines, steps, label, log=True, height=height)
    return f"<figure>{drawn}<figcaption>{note}</figcaption></figure>"


def _list_training_facts(training: TrainingReport) -> dict[str, str]:
    rows = {"folder": training.folder}
    if run := training.run:
        model, config = run.model, run.train
        rows["preset"] = f"{run.preset}, for the robot {run.robot}"
        rows["model"] = f"{model.layers} layers, pictures {model.width} and actions {model.action_width} wide"
        if training.parameters:
            rows["trained parameters" if model.lora_rank else "parameters"] = f"{training.parameters:,}"
        rows["attention"] = f"variant {model.full_variant!r}"
        rows["pictures"] = ", ".join(f"{view.name} {view.height} by {view.width}" for view in run.codec.views)
        optimiser = {"adamw": "AdamW", "muon": "Muon"}[config.optimizer]
        rows["optimiser"] = (
            f"{optimiser}, batch {config.batch_size}, learning rate up to {config.lr:g}, seed {config.seed}"
        )
    if stage1 := training.log.get("stage1"):
        pace = sorted(row["samples_per_second"] for row in stage1)[len(stage1) // 2]
        logged = "" if stage1[-1]["step"] == training.step else f" (the last one logged is {stage1[-1]['step']})"
        rows["trained"] = (
            f"{training.step} steps{logged} in {_format_duration(stage1[-1]['seconds'])}, {pace:.0f} samples a second"
        )
    if codec := training.log.get("codec"):
        rows["codec trained"] = f"{codec[-1]['step']} steps before that"
    if quality := training.quality:
        views = ", ".join(f"{name} {value:.1f} dB" for name, value in quality["by_view"].items())
        rows["codec, pictures"] = f"{quality['psnr_rgb']:.1f} dB ({views})"
        rows["codec, maps"] = f"{quality['psnr_map']:.1f} dB, {_describe_codec_peaks(quality)}"
    return rows


def _describe_codec_peaks(quality: Mapping[str, Any]) -> str:
    """What the codec makes of peaks; before a figure over nothing was None it was 0."""
    error, lost = quality["peak_error_px"], quality["peaks_lost"]
    if quality["peak_error_max_px"] == 0.0:
        error, lost = None, lost or None
    return describe_peaks(error, lost)


def _render_imagined(imagined: Sequence[ImaginationReport]) -> str:
    if not imagined:
        return ""
    columns = [_list_imagined_facts(one) for one in imagined]
    head = "".join(f"<th>{escape(name)}</th>" for name in ["", *(one.label for one in imagined)])
    body = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{escape(column[name])}</td>' for column in columns)}</tr>"
        for name in columns[0]
    )
    table = (
        f'<div class="scroll"><table class="facts"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    shown = "".join(f"<h3>{escape(one.label)}</h3>{_render_gallery(one.shown)}" for one in imagined if one.shown)
    return f"<section><h2>Imagined futures beside the true ones</h2>{table}{shown}</section>"


def _list_imagined_facts(one: ImaginationReport) -> dict[str, str]:
    figures = one.figures
    shared = figures["episodes_learned_from"]
    learned = "" if shared is None else ", none of them learned from" if not shared else f", {shared} learned from"
    return {
        "folder": one.folder,
        "windows": f"{figures['windows']} of {figures['episodes']} episodes{learned}",
        **summarize_figures(figures),
    }


def _render_dataset(data: DatasetReport) -> str:
    rows = render_table(data.facts)
    return f"<section><h2>Demonstrations: {escape(data.folder)}</h2>{rows}{_render_gallery(data.figures)}</section>"


def _render_commands(findings: Findings) -> str:
    """Command lines in the order in which one depends on the other."""
    made = [(data.folder, data.commands) for data in findings.data]
    made += [(training.folder, training.commands) for training in findings.trainings]
    made += [(e.policy_label, tuple(e.record["commands"])) for e in findings.evaluations]
    made += [(one.label, tuple(filter(None, [one.figures.get("command")]))) for one in findings.imagined]
    lines = [command for _, commands in made for command in commands]
    if not lines:
        return ""
    unknown = ", ".join(name for name, commands in made if not commands)
    note = COMMANDS_NOTE + (f" Not known: those of {unknown}." if unknown else "")
    text = escape("\n".join(dict.fromkeys(lines)))
    return f'<section><h2>Commands that made this</h2><pre>{text}</pre><p class="note">{escape(note)}</p></section>'


def _render_configuration(trainings: Sequence[TrainingReport]) -> str:
    blocks = []
    for training in trainings:
        if training.run:
            rows = render_table(flatten_tree(dataclasses.asdict(training.run)))
            blocks.append(f"<details><summary>run.json of {escape(training.folder)}</summary>{rows}</details>")
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


def _format_duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _join_lines(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)
