"""Policies side by side are counted on the seeds that they share, and called by names that differ."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import evaluated, read_words, trained, write_folder

from aim import config
from aim.evaluate import results
from aim.evaluate.results import EpisodeResult, ResultsIdentity, ResultsOrigin
from aim.report.comparison import compare_pairs, compare_success
from aim.report.findings import EvaluationReport
from aim.report.gather import gather_findings
from aim.report.labels import make_distinct_labels
from aim.report.page import render_page
from aim.report.results_section import PAIRS_NOTE, PROGRESS_NOTE, SHARED_NOTE, UNSHARED_NOTE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a training, an evaluation of what it made, and one of random actions."""
    write_folder(tmp_path)
    return tmp_path


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


@given(st.lists(st.tuples(*[st.sampled_from("ab")] * 2), min_size=1, max_size=6))
def test_no_two_labels_are_alike(pairs: list[tuple[str, str]]) -> None:
    folders = [str(i) for i in range(len(pairs))]
    labels = make_distinct_labels([name for name, _ in pairs], [variant for _, variant in pairs], folders)
    assert len(set(labels)) == len(labels)
    assert all(label.startswith(name) for label, (name, _) in zip(labels, pairs, strict=True))


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
