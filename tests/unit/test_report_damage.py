"""What of a folder cannot be read is one line of the report; the rest is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from reports import read_words, write_folder

from aim.commands.report import write_report
from aim.evaluate import results
from aim.report.gather import gather_findings
from aim.report.page import render_page
from sim.types import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a training, an evaluation of what it made, and one of random actions."""
    write_folder(tmp_path)
    return tmp_path


def test_a_log_taken_up_again_counts_each_step_once(folder: Path) -> None:
    (training,) = gather_findings(folder).trainings
    assert [row["step"] for row in training.log["stage1"]] == [20, 40, 60, 80]


def damage_log(folder: Path) -> None:
    """Cut every line of the training's log short."""
    log = folder / "training" / "log.jsonl"
    log.write_text("".join(line[: len(line) // 2] + "\n" for line in log.read_text().splitlines()))


def damage_run(folder: Path) -> None:
    """Make the training's configuration one of another version."""
    (folder / "training" / "run.json").write_text("{}")


def damage_results(folder: Path) -> None:
    """Take what every episode must have out of the results of the random policy."""
    path = folder / "random" / results.RESULTS_FILE
    path.write_text(path.read_text().replace('"seed"', '"sead"'))


def damage_quality(folder: Path) -> None:
    """Leave a quality of the codec that lacks its figures."""
    (folder / "training" / "codec").mkdir()
    (folder / "training" / "codec" / "quality.json").write_text('{"psnr_rgb": 20.0}')


def damage_rows(folder: Path) -> None:
    """Take the time out of the rows of the training's log."""
    log = folder / "training" / "log.jsonl"
    log.write_text(log.read_text().replace('"seconds"', '"hours"'))


def damage_identity(folder: Path) -> None:
    """Take the robot out of the results of the random policy."""
    path = folder / "random" / results.RESULTS_FILE
    path.write_text(path.read_text().replace('"robot"', '"robbot"'))


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (damage_quality, "training/log.jsonl: it lacks psnr_map, peak_error_px"),
        (damage_rows, "training/log.jsonl: it lacks seconds"),
        (damage_identity, "random/results.json: it lacks robot"),
        (damage_log, "training/log.jsonl: it holds no line of JSON"),
        (damage_run, "training/log.jsonl: training: run.json has schema None"),
        (damage_results, "random/results.json is damaged: TypeError "),
    ],
)
def test_what_cannot_be_read_is_one_line_and_the_rest_is_shown(
    folder: Path, damage: Callable[[Path], None], line: str
) -> None:
    damage(folder)
    findings = gather_findings(folder)
    assert len(findings.problems) == 1 and findings.problems[0].startswith(line)
    assert len(findings.trainings) + len(findings.evaluations) == 2
    text = render_page(findings)
    assert text.count('class="problem"') == 1 and f"could not be read: {line}"[:40] in read_words(text)
    assert write_report(folder)["unreadable"] == list(findings.problems)


def test_where_nothing_can_be_read_there_is_no_page(folder: Path) -> None:
    damage_log(folder)
    with pytest.raises(UserError, match=r"nothing in .*training can be read: log\.jsonl: it holds no line of JSON"):
        write_report(folder / "training")


def test_lines_of_a_log_that_were_cut_short_are_left_out(folder: Path) -> None:
    log = folder / "training" / "log.jsonl"
    whole = gather_findings(folder).trainings[0].log
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join((*lines[:1], lines[0][:20] + "\n", *lines[1:], lines[-1][:9])))
    assert gather_findings(folder).trainings[0].log == whole
