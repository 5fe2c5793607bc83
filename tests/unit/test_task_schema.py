"""The JSON schema of a task accepts every task there is, and refuses what validation refuses by its values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sim import tasks
from sim.task.schema import build_task_schema
from sim.task.spec import to_json
from sim.task.vocabulary_page import render_vocabulary_page

SCHEMA = Draft202012Validator(build_task_schema())
CUP = json.loads(to_json(tasks.load_unvalidated_task("place_empty_cup")))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(build_task_schema())
    Draft202012Validator.check_schema(build_task_schema(tasks.load_unvalidated_task("click_bell")))


@pytest.mark.parametrize("name", tasks.list_tasks())
def test_every_task_is_valid(name: str) -> None:
    task = tasks.load_unvalidated_task(name)
    raw = json.loads(to_json(task))
    assert [error.message for error in SCHEMA.iter_errors(raw)] == []
    Draft202012Validator(build_task_schema(task)).validate(raw)


BROKEN: dict[str, tuple[tuple[Any, ...], Any]] = {
    "a text for a number": (("success", 0, "args", "x"), "4cm"),
    "a negative limit": (("success", 0, "args", "x"), -0.1),
    "the same object twice": (
        ("success", 0),
        {"name": "stacked", "args": {"objs": ["cup", "cup"], "x": 0.1, "y": 0.1, "heights": [0.1, 0.2]}},
    ),
    "an unknown keyword": (("success", 0, "args", "xyz"), 0.1),
    "an unknown predicate": (("success", 0, "name"), "nearly"),
    "a predicate without limits": (("success", 0, "args"), {"a": "cup.bottom", "b": "coaster.top"}),
    "an unknown skill": (("plan", 0, "name"), "grab"),
    "a skill that lacks a keyword": (("plan", 0, "args"), {"arm": "a", "obj": "cup"}),
    "a place without a goal": (("plan", 1, "args"), {"arm": "a", "obj": "cup"}),
    "an unknown family": (("objects", 0, "variants", 0, "family"), "teapot"),
    "a family's unknown number": (("objects", 0, "variants", 0, "params", "weight"), 1.0),
    "an unknown colour": (("objects", 0, "variants", 0, "colour"), "grean"),
    "no mass": (("objects", 0, "mass"), 0.0),
    "a spawn of one number": (("objects", 0, "spawn", "x"), [0.1]),
    "an unknown field": (("horizons",), 400),
    "a horizon of half a picture": (("horizon",), 402),
    "a horizon in words": (("horizon",), "long"),
    "a high table": (("table", "top"), 5.0),
    "no list of objects": (("objects",), {}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_tasks_are_not(case: str) -> None:
    path, value = BROKEN[case]
    raw = json.loads(json.dumps(CUP))
    node = raw
    for key in path[:-1]:
        node = node[key]
    assert SCHEMA.is_valid(raw)
    node[path[-1]] = value
    assert not SCHEMA.is_valid(raw)


@pytest.mark.parametrize("field", ["name", "instructions", "objects", "arms", "success", "plan", "horizon"])
def test_required_fields_are_required(field: str) -> None:
    assert not SCHEMA.is_valid({key: value for key, value in CUP.items() if key != field})


def test_with_a_task_its_names_are_asked_for() -> None:
    schema = Draft202012Validator(build_task_schema(tasks.load_unvalidated_task("click_bell")))
    assert not schema.is_valid(CUP)


def test_the_page_of_words_is_current(pytestconfig: pytest.Config) -> None:
    page = pytestconfig.rootpath / "docs" / "vocabulary.md"
    assert page.read_text() == render_vocabulary_page(), "run: aim tasks --vocabulary docs/vocabulary.md"
