"""The report is one file that needs nothing else, says what was found, and plots what it was given."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import cv2
import lerobot_set
import numpy as np
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from aim import config, presets
from aim.commands.report import write_report
from aim.evaluate import results
from aim.evaluate.prediction_metrics import MAP_METRICS
from aim.evaluate.prediction_summary import ACTION_ERROR_WORDS
from aim.evaluate.results import EpisodeResult, ResultsIdentity, ResultsOrigin
from aim.model import lora
from aim.model.world_action_model import WorldActionModel
from aim.policy.checkpoint import EMA_FILE
from aim.report import demonstrations, plots
from aim.report.comparison import compare_pairs, compare_success
from aim.report.findings import EvaluationReport
from aim.report.gather import gather_findings
from aim.report.labels import make_distinct_labels
from aim.report.page import ABOUT_TEXT, PAIRS_NOTE, PROGRESS_NOTE, SHARED_NOTE, UNSHARED_NOTE, render_page
from aim.viz import pictures, videos
from sim.types import UserError

VOID = {"meta", "img", "br", "circle", "line", "polyline"}
HOSTILE = '<script>alert("x")</script> & "quotes"'


class Reader(HTMLParser):
    """Collects tags with their attributes and all text; fails where a tag is closed that was not opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes what is not open"

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def evaluated(
    folder: Path, policy: str, wins: Sequence[bool], film: bool = True, origin: ResultsOrigin | None = None,
    first_seed: int = 0, **fields: object,
) -> None:  # fmt: skip
    """Write the results of an evaluation on two tasks, the first episode filmed; `fields` are those of its episodes."""
    seeds = range(first_seed, first_seed + len(wins))
    rows = [EpisodeResult("ring", seed, won, 50 + seed, HOSTILE) for seed, won in zip(seeds, wins, strict=True)]
    rows += [EpisodeResult("push", seed, not won, 80, "push") for seed, won in zip(seeds, wins, strict=True)]
    if film:
        rows[0] = EpisodeResult("ring", 0, wins[0], 50, HOSTILE, "films/ring-0.webp")
        picture = np.random.default_rng(0).integers(0, 255, (3, 32, 40, 3), dtype=np.uint8)
        videos.write_webp(folder / "films" / "ring-0.webp", picture)
    digest = "" if policy in ("expert", "random") else "abc"
    rows = [dataclasses.replace(row, **fields) for row in rows]  # pyright: ignore[reportArgumentType]
    results.save_results(folder, ResultsIdentity(policy, digest, "panda", "clean", {}), rows, origin)


def trained(folder: Path) -> None:
    """Write what a training leaves: run.json, and a log that was broken off and taken up again."""
    folder.mkdir(parents=True)
    config.save_run(presets.get_preset("tiny")("panda", ("head", "wrist"), 8, 8), folder)
    rows = [{"part": "codec", "step": s, "loss": 1.0 / s, "samples_per_second": 9.0, "seconds": s} for s in (50, 100)]
    for step in (20, 40, 60, 40, 60, 80):
        stage1 = {"rgb": 2.0 / step, "map": 1.0 / step, "action": 3.0 / step, "total": 6.0 / step, "lr": 1e-3}
        rows.append({"part": "stage1", "step": step, **stage1, "samples_per_second": 8.0, "seconds": step / 10})
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"part": "stage1", "st')


def read_words(text: str) -> str:
    """Return the words of a page, one blank between them."""
    return " ".join("".join(Reader(text).words).split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    evaluated(tmp_path / "evaluation", "tiny step-000080", [True, True, False, True])
    evaluated(tmp_path / "random", "random", [False] * 4, film=False)
    trained(tmp_path / "training")
    return tmp_path


def test_the_page_needs_no_other_file_and_no_network(folder: Path) -> None:
    text = render_page(gather_findings(folder))
    without_films = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?:|//|@import|url\(", without_films)
    for tag, attributes in Reader(text).tags:
        assert tag not in ("script", "link", "iframe"), f"<{tag}>"
        assert "href" not in attributes
        if tag == "img":
            head, _, data = (attributes["src"] or "").partition(",")
            assert head == "data:image/webp;base64"
            assert base64.b64decode(data) == (folder / "evaluation/films/ring-0.webp").read_bytes()
    assert text.count("<img ") == 1


def test_words_of_others_stay_words(folder: Path) -> None:
    assert HOSTILE in "".join(Reader(render_page(gather_findings(folder))).words)


def test_the_page_says_rates_with_intervals(folder: Path) -> None:
    words = read_words(render_page(gather_findings(folder)))
    record = results.read_record(folder / "evaluation" / results.RESULTS_FILE)
    low, high = record["tasks"]["ring"]["ci95"]
    assert f"75 % {100 * low:.0f} to {100 * high:.0f} %, n = 4" in words
    assert "all tasks50 %" in words
    assert "push, ring on panda" in words


def test_every_plot_is_sound_xml_and_stays_on_its_canvas(folder: Path) -> None:
    drawn = re.findall(r"<svg.*?</svg>", render_page(gather_findings(folder)), re.DOTALL)
    assert len(drawn) == 3, "intervals, losses, codec"
    for text in drawn:
        root = ElementTree.fromstring(text)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for line in root.iter("polyline"):
            for point in line.attrib["points"].split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= width and 0 <= y <= height


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


def test_learned_policies_come_first(folder: Path) -> None:
    evaluated(folder / "a", "expert", [True] * 4, film=False)
    assert [found.policy_label for found in gather_findings(folder).evaluations] == [
        "tiny step-000080",
        "expert",
        "random",
    ]


def test_the_verb_writes_the_page_and_says_where(folder: Path) -> None:
    said = write_report(folder)
    path = folder / "report.html"
    assert said["report"] == str(path) and said["bytes"] == path.stat().st_size
    assert (said["evaluations"], said["trainings"], said["imagined"], said["datasets"]) == (2, 1, 0, 0)
    Reader(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_nothing_to_report_is_the_users_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"no folder|nothing to report"):
        write_report(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_film_in_the_page_plays(folder: Path) -> None:
    (film,) = gather_findings(folder).evaluations[0].figures
    ok, played = cv2.imdecodeanimation(np.frombuffer(film.data, np.uint8))
    assert ok and len(played.frames) == 3 and film.success is True


def imagined(folder: Path, **changes: object) -> None:
    """Write what `aim imagine` leaves, with a film and a sheet."""
    names = (*MAP_METRICS, *ACTION_ERROR_WORDS, *(f"{name}_still" for name in ACTION_ERROR_WORDS))
    kinds = ("psnr", "psnr_copy", "psnr_codec", "psnr_changed", "psnr_copy_changed", "psnr_codec_changed")
    figures = {
        **dict.fromkeys(names), **dict.fromkeys(kinds, 21.5), "windows": 6, "episodes": 3, "true_maps": False,
        "episodes_learned_from": 0, "checkpoint": "step-000080", "film": "gone/futures.webp",
        "sheet": "gone/misses.png", "panels": ["present", "true future"],
        "command": "aim imagine --policy runs/a", **changes,
    }  # fmt: skip
    picture = np.random.default_rng(0).integers(0, 255, (3, 32, 40, 3), dtype=np.uint8)
    videos.write_webp(folder / "futures.webp", picture)
    pictures.write_png(folder / "misses.png", picture[0])
    (folder / "result.json").write_text(json.dumps(figures))


def test_imagined_futures_are_shown_with_their_figures(folder: Path) -> None:
    imagined(folder / "training" / "foreseen", joint_error_rad=0.0123)
    imagined(folder / "training" / "given", true_maps=True)
    (folder / "other").mkdir()
    (folder / "other" / "result.json").write_text('{"someone": "else\'s"}')
    text = render_page(gather_findings(folder))
    words = read_words(text)
    assert "step-000080step-000080, true maps" in words and "21.5 dB; the present repeated" in words
    assert "mapsnonethe true ones were given" in words and "joints off by 0.0123 rad" in words
    assert words.count("from the left: present, true future") == 2 and "none of them learned from" in words
    assert text.count("data:image/png;base64,") == 2 and text.count("data:image/webp;base64,") == 3


@pytest.mark.parametrize("kind", ["simulated", "recorded"])
def test_demonstrations_have_a_heading_facts_and_films_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "simulated":
        monkeypatch.setattr(demonstrations, "_list_task_names", lambda: ("reach",))
        toy.dataset(tmp_path / "shown", [toy.episode(seed, pictures=5) for seed in range(4)])
    else:
        lerobot_set.write(tmp_path / "shown", [lerobot_set.toy_part(seed) for seed in range(2)])
    findings = gather_findings(tmp_path)
    (data,) = findings.data
    text = render_page(findings)
    words = read_words(text)
    assert "Demonstrations: shown" in words and ABOUT_TEXT not in words and "policy" not in words
    assert len(data.figures) == (3 if kind == "simulated" else 2) == text.count("<img ")
    ok, film = cv2.imdecodeanimation(np.frombuffer(data.figures[0].data, np.uint8))
    assert ok and len(film.frames) > 2
    if kind == "simulated":
        assert "reach 4 of 4" in words and "aim generate --task reach --robot aloha --num 4 --seed 0" in words
    else:
        assert "toy_follower" in words and "at 25 a second" in words and f"episode 0: {toy.SAY}" in words


@pytest.mark.parametrize(("rank", "said"), [(0, "parameters"), (4, "trained parameters")])
def test_parameters_are_the_models_or_called_trained(tmp_path: Path, rank: int, said: str) -> None:
    trained(tmp_path / "training")
    run = config.load_run(tmp_path / "training")
    run = dataclasses.replace(run, model=dataclasses.replace(run.model, lora_rank=rank), weights="wan" if rank else "")
    config.save_run(run, tmp_path / "training")
    model = WorldActionModel(run.model)
    if rank:
        lora.add_adapters(model, rank, 1.0)
    kept, total = lora.list_trained(model), sum(value.numel() for value in model.parameters())
    checkpoint = tmp_path / "training" / "step-000080"
    checkpoint.mkdir()
    save_file({name: value.detach().contiguous() for name, value in kept.items()}, checkpoint / EMA_FILE)
    (training,) = gather_findings(tmp_path).trainings
    assert training.parameters == sum(value.numel() for value in kept.values()) and (
        training.parameters < total
    ) == bool(rank)
    told = re.findall(r"([a-z ]*parameters)</td><td>([0-9,]+)", render_page(gather_findings(tmp_path)))
    assert told == [(said, f"{training.parameters:,}")]


def test_policies_stand_side_by_side_on_the_seeds_that_all_ran(folder: Path) -> None:
    evaluated(folder / "expert", "expert", [True] * 6, film=False)
    rows = compare_success(gather_findings(folder).evaluations)
    assert [(row.task, row.shared, row.is_sum) for row in rows] == [
        ("push", True, False), ("ring", True, False), ("all tasks", True, True),
    ]  # fmt: skip
    learned, expert, chance = rows[1].cells
    assert learned and expert and chance
    assert (learned.successes, learned.episodes, learned.num_other) == (3, 4, 0)
    assert (expert.successes, expert.episodes, expert.num_other) == (4, 4, 2)
    words = read_words(render_page(gather_findings(folder)))
    assert "2 other seeds left out" in words and SHARED_NOTE in words and "100 %expert" not in words
    assert chance.progress is None and "stages" not in words


def report_of(name: str, hits: dict[tuple[str, int], bool]) -> EvaluationReport:
    """Return the report of a policy's success by task and seed."""
    rows = [{"task": task, "seed": seed, "success": success} for (task, seed), success in hits.items()]
    return EvaluationReport(name, {"episodes": rows}, (), policy_label=name)


def test_pairs_of_policies_are_counted_on_the_seeds_that_both_ran() -> None:
    """Seed by seed: A alone succeeds on ten, B alone on one; others' seeds and tasks do not count."""
    first = {("ring", seed): seed < 15 for seed in range(20)} | {("push", 0): True}
    second = {("ring", seed): 10 <= seed < 16 for seed in reversed(range(25))}
    third = {("fold", 0): True, ("push", 0): True}
    pair, other = compare_pairs([report_of("A", first), report_of("B", second), report_of("C", third)])
    assert (pair.first, pair.second, pair.only_first, pair.only_second, pair.num_tasks) == (0, 1, 10, 1, 1)
    assert [(cell.successes, cell.episodes) for cell in pair.cells] == [(15, 20), (6, 20)]
    assert pair.p_value == pytest.approx(2 * (1 + 11) / 2**11)
    assert (other.first, other.second, other.p_value, other.cells[0].episodes) == (0, 2, 1.0, 1)
    seeds = [("ring", seed) for seed in range(200)] + [("push", seed) for seed in range(8)]
    both = compare_pairs([report_of(name, dict.fromkeys(seeds, name == "A")) for name in "AB"])
    assert [(one.num_tasks, one.cells[0].episodes, one.p_value < 1e-60) for one in both] == [(2, 208, True)]


@pytest.mark.parametrize("policies", [1, 2, 3, 6, 7])
def test_a_line_for_each_of_few_pairs_stands_under_the_table(tmp_path: Path, policies: int) -> None:
    for number in range(policies):
        rows = [EpisodeResult("ring", seed, number == 0 or seed == 0, 50, "push") for seed in range(16)]
        identity = ResultsIdentity(f"<policy{number}>", "abc", "panda", "clean", {})
        results.save_results(tmp_path / f"e{number}", identity, rows, ResultsOrigin())
    words = read_words(render_page(gather_findings(tmp_path)))
    told = re.findall(r"<policy0> 100 %, <policy[1-9]> 6.25 % on the same 16 seeds: p < 0.001", words)
    alike = re.findall(r"<policy[1-9]> 6.25 %, <policy[1-9]> 6.25 % on the same 16 seeds: p = 1.000", words)
    few = 2 <= policies <= 6
    assert len(told) == (policies - 1) * few and len(alike) == (policies - 1) * (policies - 2) // 2 * few
    assert (PAIRS_NOTE in words) == few


def test_policies_without_a_seed_in_common_are_marked(tmp_path: Path) -> None:
    evaluated(tmp_path / "a", "expert", [True] * 3, film=False)
    evaluated(tmp_path / "b", "random", [False] * 2, film=False, first_seed=50)
    words = read_words(render_page(gather_findings(tmp_path)))
    assert "ring *100 %" in words and UNSHARED_NOTE in words and "all tasks" not in words
    assert "on the same" not in words and PAIRS_NOTE not in words


def test_partial_success_is_told_where_it_is_known(tmp_path: Path) -> None:
    evaluated(tmp_path / "a", "random", [False, False], film=False, progress=0.25)
    words = read_words(render_page(gather_findings(tmp_path)))
    assert words.count("stages 25 %") == 3 and PROGRESS_NOTE in words, "two tasks, and both together"


@pytest.mark.parametrize(
    ("shown", "has", "lacks"),
    [
        ((), "What the camera saw", "predicted"),
        (("pictures",), "the picture that the policy predicted", "value map"),
        (("pictures", "maps"), "the value map that it predicted", "Each panel"),
        (None, "Each panel is named", "predicted"),
    ],
)
def test_a_caption_speaks_of_the_panels_that_there_are(
    tmp_path: Path, shown: tuple[str, ...] | None, has: str, lacks: str
) -> None:
    evaluated(tmp_path / "a", "mine.py:Policy", [True], film_predictions=shown)
    words = read_words(render_page(gather_findings(tmp_path)))
    assert has in words and lacks not in words and ABOUT_TEXT not in words


def test_columns_of_an_ablation_are_called_by_their_variants(tmp_path: Path) -> None:
    for variant in ("paper", "no_map"):
        origin = ResultsOrigin(commands=(f"aim eval --out {variant}",), variant=variant)
        evaluated(tmp_path / variant / "eval", "nano step-002000", [True], film=False, origin=origin)
    evaluated(tmp_path / "again", "nano step-002000", [True], film=False, origin=ResultsOrigin(variant="paper"))
    findings = gather_findings(tmp_path)
    assert [one.policy_label for one in findings.evaluations] == [
        "nano step-002000, paper (again)",
        "nano step-002000, no_map",
        "nano step-002000, paper (paper/eval)",
    ]
    words = read_words(render_page(findings))
    assert "Commands that made thisaim eval --out no_map aim eval --out paper" in words
    assert "Not known: those of nano step-002000, paper (again)." in words


def test_a_variant_that_results_do_not_tell_is_that_of_the_run_around_them(tmp_path: Path) -> None:
    for variant in ("paper", "text"):
        trained(tmp_path / variant)
        run = config.load_run(tmp_path / variant)
        config.save_run(
            dataclasses.replace(run, model=dataclasses.replace(run.model, variant=variant)), tmp_path / variant
        )
        evaluated(tmp_path / variant / "eval", "nano step-002000", [True], film=False)
    labels = [one.policy_label for one in gather_findings(tmp_path).evaluations]
    assert labels == ["nano step-002000, paper", "nano step-002000, text"]


def test_steps_of_codec_and_training_are_told_apart(folder: Path) -> None:
    (folder / "training" / "step-000085").mkdir()
    (folder / "training" / "commands.txt").write_text("aim train tiny --data <a>\n")
    words = read_words(render_page(gather_findings(folder)))
    assert "85 steps (the last one logged is 80) in 8 s" in words and "100 steps before that" in words
    assert "85training steps" in words and "aim train tiny --data <a>" in words
    drawn = render_page(gather_findings(folder))
    assert ">training step</text>" in drawn and ">codec step</text>" in drawn


@pytest.mark.parametrize(
    ("peaks", "told"),
    [
        ((None, None, None), "peaks: none to judge by"),
        ((0.0, 0.0, 0.0), "peaks: none to judge by"),
        ((0.0, 0.0, 1.0), "peaks are all lost"),
        ((1.25, 2.0, 0.5), "peaks off by 1.25 pixels, 50 % lost"),
    ],
    ids=["none", "none, as it was written before", "all lost, as it was written before", "some"],
)
def test_no_figure_of_the_codec_is_told_over_nothing(folder: Path, peaks: tuple[float | None, ...], told: str) -> None:
    quality = dict(zip(("peak_error_px", "peak_error_max_px", "peaks_lost"), peaks, strict=True))
    quality |= {"psnr_rgb": 25.0, "psnr_map": 30.0, "by_view": {"head": 25.0}}  # pyright: ignore[reportOperatorIssue]
    (folder / "training" / "codec").mkdir()
    (folder / "training" / "codec" / "quality.json").write_text(json.dumps(quality))
    assert f"30.0 dB, {told}" in read_words(render_page(gather_findings(folder)))


@given(st.lists(st.tuples(*[st.sampled_from("ab")] * 2), min_size=1, max_size=6))
def test_no_two_labels_are_alike(pairs: list[tuple[str, str]]) -> None:
    folders = [str(i) for i in range(len(pairs))]
    labels = make_distinct_labels([name for name, _ in pairs], [variant for _, variant in pairs], folders)
    assert len(set(labels)) == len(labels)
    assert all(label.startswith(name) for label, (name, _) in zip(labels, pairs, strict=True))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_a_legend_stays_on_its_canvas(lengths: list[int]) -> None:
    names = ["m" * length for length in lengths]
    drawn = ElementTree.fromstring(plots.plot_intervals([("task", [None] * len(names))], names))
    shown = [text for text in drawn.iter("text") if text.text in names]
    places = [(float(text.attrib["x"]), float(text.attrib["y"])) for text in shown]
    assert len(places) == len(names) == len(set(places))
    for (x, y), name in zip(places, names, strict=True):
        assert x + 7.2 * len(name) <= plots.PLOT_WIDTH_PX and y < float(drawn.attrib["viewBox"].split()[3])


numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(numbers, st.floats(1e-3, 1e6))
def test_ticks_are_even_and_within(low: float, span: float) -> None:
    high = low + span
    marks = plots.choose_ticks(low, high)
    assert 2 <= len(marks) <= 7
    assert all(low - 1e-6 * span <= mark <= high + 1e-6 * span for mark in marks)
    steps = np.diff(marks)
    assert np.allclose(steps, steps[0], rtol=1e-6)
    assert f"{steps[0]:e}"[0] in "1259"  # 9.99… is a rounded 10


@given(st.floats(1e-6, 1e3), st.floats(1.2, 1e5))
def test_log_ticks_are_within(low: float, ratio: float) -> None:
    marks = plots.choose_log_ticks(low, low * ratio)
    assert len(marks) >= 2
    assert all(low * (1 - 1e-6) <= mark <= low * ratio * (1 + 1e-6) for mark in marks)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50), st.integers(1, 20))
def test_a_running_mean_stays_within_and_keeps_straight_lines(values: list[float], window: int) -> None:
    mean = plots.smooth_values(values, window)
    assert len(mean) == len(values)
    assert all(min(values) - 1e-6 <= value <= max(values) + 1e-6 for value in mean)
    line = [0.5 * i for i in range(len(values))]
    assert plots.smooth_values(line, window) == pytest.approx(line)


@given(st.floats(0.1, 10), st.floats(1.5, 100), st.booleans())
def test_an_axis_maps_its_ends_to_its_ends(low: float, ratio: float, log: bool) -> None:
    axis = plots.Axis(low, low * ratio, 300.0, 20.0, log)
    assert axis(low) == pytest.approx(300) and axis(low * ratio) == pytest.approx(20)
    middle = low * ratio**0.5 if log else low * (1 + ratio) / 2
    assert axis(middle) == pytest.approx(160)


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0"), (0.0512, "0.0512"), (950.0, "950"), (2000.0, "2k"), (12345.0, "12.3k"), (3e6, "3M")]
)
def test_short_numbers(value: float, said: str) -> None:
    assert plots.format_short(value) == said


def test_curves_leave_out_what_cannot_be_drawn() -> None:
    drawn = plots.plot_curves(
        [plots.Curve("loss", [1, 2, 3, 4], [1.0, float("nan"), 0.0, 2.0])], "step", "loss", log=True
    )
    points = ElementTree.fromstring(drawn).find("polyline")
    assert points is not None and len(points.attrib["points"].split()) == 2
    assert "fewer than two points" in plots.plot_curves([plots.Curve("loss", [1], [1.0])], "step", "loss")


def test_several_tasks_together_count_by_episode() -> None:
    """One episode of "ring" passed all stages, each of three of "push" a fifth: 1.6 of 4."""

    def report(progress: float | None) -> EvaluationReport:
        rows = [{"task": "ring", "seed": 0, "success": True, "progress": progress}]
        rows += [{"task": "push", "seed": seed, "success": False, "progress": 0.2} for seed in range(3)]
        return EvaluationReport("here", {"episodes": rows}, ())

    ring, push, both = compare_success([report(1.0)])
    for row, expected in ((ring, (1, 1, 1.0)), (push, (0, 3, 0.2)), (both, (1, 4, 0.4))):
        (cell,) = row.cells
        assert cell is not None and (cell.successes, cell.episodes) == expected[:2]
        assert cell.progress == pytest.approx(expected[2])
    (cell,) = compare_success([report(None)])[-1].cells
    assert cell is not None and cell.episodes == 4 and cell.progress is None, "what is not known of one is not told"


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("length", [0, 1, 2, 5, 7, 300])
def test_chosen_items_are_spread_over_all(length: int, count: int) -> None:
    chosen = demonstrations.choose_evenly(range(length), count)
    assert len(chosen) == min(length, count) and chosen[:1] == [0][:length]
    gaps = np.diff([*chosen, length])
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def test_lines_of_a_log_that_were_cut_short_are_left_out(folder: Path) -> None:
    log = folder / "training" / "log.jsonl"
    whole = gather_findings(folder).trainings[0].log
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join((*lines[:1], lines[0][:20] + "\n", *lines[1:], lines[-1][:9])))
    assert gather_findings(folder).trainings[0].log == whole
