"""Tasks of files and folders anywhere; broken files break only themselves; labels and scenes of tasks."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import read_blocks

from aim import cli
from aim.util import console
from sim import robots, tasks
from sim.envs.settle import check_scenes
from sim.scene.sample import sample_scene
from sim.task.spec import Predicate, SpecError, Task, compute_digest, to_json
from sim.types import UserError

BELL = tasks.load_unvalidated_task("click_bell")
PYTHON_TASK = """\
import dataclasses

from sim.task.spec import Spawn
from sim.tasks.click_bell import TASK as BELL

TASK = dataclasses.replace(
    BELL,
    name="ring",
    horizon=300,
)
"""
BROKEN_FILES = {
    "unknown name": ("TASK = Taskk()\n", 1, "NameError: name 'Taskk' is not defined"),
    "syntax": ("\nTASK = (\n    1 1\n)\n", 3, "invalid syntax. Perhaps you forgot a comma?"),
    "unknown keyword of Task": (
        PYTHON_TASK + "\n\nfrom sim.task.spec import Task\n\nTASK = Task(\n    name='x',\n    horizons=3,\n)\n", 17,
        "unknown keyword of Task 'horizons'; did you mean 'horizon'? valid: name, ",
    ),
    "unknown keyword of Spawn": (
        PYTHON_TASK + "\nSPAWN = Spawn(\n    (0.0, 0.1), (0.0, 0.1),\n    mirrors='coin',\n)\n", 14,
        "unknown keyword of Spawn 'mirrors'; did you mean 'mirror'? valid: x, ",
    ),
    "unknown keyword of replace": (
        PYTHON_TASK.replace("horizon=300", "horizn=300"), 9,
        "unknown keyword of dataclasses.replace 'horizn'; did you mean 'horizon'?",
    ),
    "missing keywords": (
        PYTHON_TASK + "SPAWN = Spawn()\n", 11, "TypeError: Spawn.__init__() missing 2 required positional arguments"),
    "unknown kind": (
        "from sim.catalogue import find_specs\n\nfind_specs('cann')\n", 3, "unknown category 'cann'; "),
    "unknown module": ("import nowhere_to_be_found\n", 1, "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    "exit": ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
    "values": (PYTHON_TASK.replace("horizon=300", "horizon='long'"), 9, "horizon of task is 'long'; valid: "),
    "two lines": ("raise ValueError('one\\ntwo')\n", 1, "ValueError: one two"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_broken_file_is_named_with_its_line(case: str, tmp_path: Path) -> None:
    text, line, says = BROKEN_FILES[case]
    file = tmp_path / "broken.py"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        tasks.load_task(file)
    assert str(caught.value).startswith(f"{file}:{line}: {says}") and "\n" not in str(caught.value)


def write_tasks(folder: Path) -> None:
    (folder / "ring.py").write_text(PYTHON_TASK)
    (folder / "bell.json").write_text(to_json(BELL))
    (folder / "_helper.py").write_text("1 1")
    (folder / "notes.txt").write_text("no task")


def test_tasks_are_loaded_by_name_file_and_folder(tmp_path: Path) -> None:
    write_tasks(tmp_path)
    assert tasks.load_tasks("click_bell") == (tasks.load_task("click_bell"),)
    ring = tasks.load_task(str(tmp_path / "ring.py"))
    assert ring == dataclasses.replace(BELL, name="ring", horizon=300)
    assert tasks.load_tasks(tmp_path / "bell.json") == (BELL,)
    assert tasks.load_tasks(str(tmp_path)) == (BELL, ring)


def test_a_folder_is_one_without_a_separator_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare word is a folder unless a task has that name."""
    (tmp_path / "mine").mkdir()
    write_tasks(tmp_path / "mine")
    (tmp_path / "click_bell").mkdir()
    monkeypatch.chdir(tmp_path)
    assert [task.name for task in tasks.load_tasks("mine")] == ["click_bell", "ring"]
    assert tasks.load_tasks("click_bell") == (tasks.load_task("click_bell"),)
    monkeypatch.chdir(tmp_path / "mine")
    assert [task.name for task in tasks.load_tasks(".")] == ["click_bell", "ring"]


def test_a_mistake_in_a_file_has_its_line_however_the_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, line, _ = BROKEN_FILES[next(iter(BROKEN_FILES))]
    (tmp_path / "broken.py").write_text(text)
    (tmp_path / "inner").mkdir()
    for folder, reference in ((tmp_path, "broken.py"), (tmp_path / "inner", "../broken.py")):
        monkeypatch.chdir(folder)
        with pytest.raises(SpecError, match=rf"broken\.py:{line}: "):
            tasks.load_task(reference)


@pytest.mark.parametrize(("reference", "says"), [
    ("nowhere/ring.py", "there is no file nowhere/ring.py; files of nowhere: none"),
    ("nowhere/ring.toml", r"nowhere/ring.toml is no task; valid: a name, or a file .py, .json, or a folder"),
    ("click_bel", "unknown task 'click_bel'; did you mean 'click_bell'"),
])  # fmt: skip
def test_what_is_no_task_is_refused(reference: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        tasks.load_tasks(reference)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no tasks in .*; valid: a folder of files .py, .json"):
        tasks.load_tasks(tmp_path)


def test_two_different_tasks_never_share_a_label() -> None:
    other = dataclasses.replace(BELL, horizon=BELL.horizon + 4)
    assert tasks.label_task(BELL) == "click_bell"
    assert tasks.label_task(other) == f"click_bell-{compute_digest(other)[:8]}"
    mine = dataclasses.replace(BELL, name="mine")
    assert tasks.label_task(mine) == f"mine-{compute_digest(mine)[:8]}"


@pytest.fixture
def broken_neighbour(tmp_path: Path) -> Iterator[Path]:
    """A file beside the project's tasks that cannot be imported."""
    file = tmp_path / "broken_task.py"
    file.write_text("\nTASK = Taskk()\n")
    tasks.__path__.append(str(tmp_path))
    importlib.invalidate_caches()
    yield file
    tasks.__path__.remove(str(tmp_path))
    sys.modules.pop("sim.tasks.broken_task", None)


def run_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict, str]:
    code = cli.main([*words, "--json"])
    captured = capsys.readouterr()
    return code, json.loads(captured.out.splitlines()[-1]), captured.err


def test_a_broken_file_breaks_only_itself(broken_neighbour: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says = f"{broken_neighbour}:2: NameError: name 'Taskk' is not defined"
    assert tasks.load_task("click_bell") == BELL and "robotwin50" in tasks.list_suites()
    code, found, err = run_json(["tasks"], capsys)
    assert code == console.EXIT_FAULT and found["broken"] == {"broken_task": says} and f"left out: {says}" in err
    assert {task["name"] for task in found["tasks"]} == set(tasks.list_tasks()) - {"broken_task"}


def test_a_suite_is_not_run_without_a_broken_file(
    broken_neighbour: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "--policy", "random", "--out", str(tmp_path / "out"), "--suite", "robotwin50"]
    code, found, _ = run_json(words, capsys)
    assert code == console.EXIT_MISTAKE and found["error"].startswith(f"{broken_neighbour}:2: NameError")
    assert not (tmp_path / "out").exists()


def test_a_folder_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tasks(tmp_path)
    code, found, _ = run_json(["tasks", str(tmp_path)], capsys)
    assert code == console.EXIT_DONE and [task["name"] for task in found["tasks"]] == ["click_bell", "ring"]
    (tmp_path / "later.py").write_text("TASK = 1\n")
    code, found, _ = run_json(["tasks", str(tmp_path)], capsys)
    assert code == console.EXIT_FAULT and list(found["broken"]) == [str(tmp_path / "later.py")]
    assert len(found["tasks"]) == 2


def test_a_task_of_a_file_is_shown_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tasks(tmp_path)
    code, found, err = run_json(["task", str(tmp_path / "ring.py"), "--robot", "panda", "--check"], capsys)
    assert code == console.EXIT_DONE and found["task"]["name"] == "ring" and "are not solved before anyone acts" in err
    code, found, _ = run_json(["task", str(tmp_path)], capsys)
    assert (
        code == console.EXIT_MISTAKE and found["error"] == f"{tmp_path} holds 2 tasks; valid: one, as a name or a file"
    )


@pytest.mark.parametrize(("task", "says"), [
    (dataclasses.replace(BELL, success=(Predicate("gripper_open", {"arm": "a"}),)), "it is solved before anyone acts"),
    (dataclasses.replace(
        tasks.load_unvalidated_task("place_empty_cup"),
        objects=tuple(
            dataclasses.replace(thing, spawn=dataclasses.replace(thing.spawn, tilt=(0.6, 0.0, 0.0)))
            if thing.name == "cup" else thing
            for thing in tasks.load_unvalidated_task("place_empty_cup").objects
        ),
    ), "cup tips over"),
])  # fmt: skip
def test_scenes_that_cannot_be_used_are_found(
    task: Task, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "task.json"
    file.write_text(to_json(task))
    code, found, _ = run_json(["task", str(file), "--robot", "panda", "--check"], capsys)
    assert code == console.EXIT_MISTAKE
    assert (
        found["error"].startswith(f"task {task.name!r}: none of 3 seeds has a usable scene: ")
        and says in found["error"]
    )


def test_tasks_of_files_are_evaluated_beside_the_project_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two different tasks of one name stay apart, and other processes play the task of the file."""
    changed = dataclasses.replace(BELL, horizon=40)
    file = tmp_path / "click_bell.json"
    file.write_text(to_json(changed))
    words = ["eval", "--policy", "random", "--robot", "panda", "--episodes", "2", "--films", "0", "--workers", "2"]
    code, found, _ = run_json([*words, "--out", str(tmp_path / "out"), "--task", "click_bell", str(file)], capsys)
    assert code == console.EXIT_DONE and list(found["tasks"]) == ["click_bell", tasks.label_task(changed)]
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["episodes"]
    steps = {row["task"]: row["steps"] for row in rows}
    assert steps[tasks.label_task(changed)] == 40 and steps["click_bell"] > 40


@pytest.mark.slow
def test_a_task_of_a_file_is_recorded_under_its_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tasks(tmp_path)
    ring = tasks.load_task(tmp_path / "ring.py")
    out = tmp_path / "set"
    words = ["generate", "--out", str(out), "--task", str(tmp_path / "ring.py"), "--robot", "panda", "--size", "32x32"]
    code, found, _ = run_json([*words, "--num", "1", "--workers", "1", "--cameras", "head"], capsys)
    assert code == console.EXIT_DONE and found["episodes"] == 1
    recipe = json.loads((out / "dataset.json").read_text())
    assert recipe["tasks"] == [tasks.label_task(ring)] and recipe["digests"] == [compute_digest(ring)]
    assert [file.name for file in (out / "shards").iterdir()] == [f"{tasks.label_task(ring)}-000000.h5"]
    code, found, _ = run_json(["data", "verify", str(out)], capsys)
    assert code == console.EXIT_DONE and found["problems"] == []


STRICT = [name for name in tasks.list_tasks() if name.removesuffix("_strict") != name]


@pytest.mark.parametrize("name", STRICT)
def test_a_strict_task_has_the_scenes_of_its_weak_twin(name: str) -> None:
    strict, weak = (tasks.load_unvalidated_task(n) for n in (name, name.removesuffix("_strict")))
    for variation in ("clean", "random"):
        ours, theirs = (sample_scene(task, robots.load_robot("aloha"), 5, variation) for task in (strict, weak))
        assert {k: v.tolist() for k, v in ours.poses.items()} == {k: v.tolist() for k, v in theirs.poses.items()}
        assert (ours.specs, ours.colours, ours.role_arms) == (theirs.specs, theirs.colours, theirs.role_arms)
        assert (ours.instruction, ours.table) == (theirs.instruction, theirs.table)


def test_the_task_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    (code,) = read_blocks("add_a_task.md", "python")
    file = tmp_path / "can_on_coaster.py"
    file.write_text(code)
    task = tasks.load_task(file)
    assert task.name == "can_on_coaster" and not check_scenes(task, robots.load_robot("panda"), range(3))
