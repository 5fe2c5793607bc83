"""A task in words says what its data says."""

from __future__ import annotations

import pytest

from sim import robots, tasks
from sim.task import describe
from sim.task.spec import Predicate


@pytest.mark.parametrize(
    ("term", "says"),
    [
        (Predicate("near", {"a": "cup.bottom", "b": "mat.top", "xy": 0.035}), "near cup.bottom, mat.top (xy 0.035)"),
        (Predicate("near", {"a": "can.top", "b": ("box.near", "box.far")}), "near can.top, box.near or box.far"),
        (Predicate("pressed", {"arm": "a", "point": "bell.top"}, latch=True), "once pressed a, bell.top"),
        (
            Predicate("within", {"point": "cup", "x": (0.15, 9.0), "y": (-9.0, 0.2), "z": (0.1, 0.25)}),
            "within cup (x over 0.15, y under 0.2, z 0.1 to 0.25)",
        ),
        (Predicate("left_of", {"a": "cup", "b": "can"}), "left of cup, can"),
        (Predicate("stacked", {"objs": ("a", "b"), "heights": (0.02, 0.05)}), "stacked a, b (heights [0.02, 0.05])"),
        (Predicate("pointing", {"point": "a.top", "both": True}), "pointing a.top (both)"),
    ],
)
def test_a_term_in_words(term: Predicate, says: str) -> None:
    assert describe.describe_predicate(term) == says


def test_a_row_says_who_can_do_it() -> None:
    chosen = [tasks.load_task("click_bell"), tasks.load_task("handover_block")]
    page = describe.render_task_page(chosen, [robots.load_robot("aloha"), robots.load_robot("panda")])
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows] == ["| `click_bell`", "| `handover_block`"]
    assert [row[-1] for row in rows] == ["aloha, panda |", "aloha |"]
    assert rows[0][1] == "press the top of the bell" and "once pressed a, bell.top" in rows[0][4]
    assert "{" not in page


def test_a_suite_has_a_table_of_its_own() -> None:
    page = describe.render_task_page([tasks.load_task(name) for name in tasks.list_suite_tasks("all")], [])
    heads = [line for line in page.splitlines() if line.startswith("## ")]
    assert [head.split()[1].rstrip(":") for head in heads] == list(tasks.list_suites())
