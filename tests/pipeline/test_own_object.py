"""The page about adding an object is true: its files make a plugin folder, its commands work, its task is solved."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from pages import DOCS, read_blocks

from aim import cli
from aim.util import console

PAGE = DOCS / "add_an_object.md"
FILES = ("plugins/objects/rings.py", "ring_on_post.py", "plugins/catalogue/rings.py")  # of the page's blocks, in order


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's files, in the current folder."""
    blocks = read_blocks(PAGE.name, "python")
    for name, text in zip(FILES, blocks, strict=True):
        assert f"`{name}`" in PAGE.read_text()
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], command: str) -> tuple[int, dict]:
    """Run a command line and return its exit code and its JSON."""
    code = cli.main([*shlex.split(command)[1:], "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("robot", ["aloha", "panda"])
def test_the_commands_of_the_page_show_check_and_solve(
    folder: Path, robot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = re.findall(r"^aim .*$", PAGE.read_text(), re.MULTILINE)
    results = {}
    for command in commands:
        flags = f" --robot {robot} --workers 2" if command.startswith("aim eval") else ""
        code, results[command.split()[1]] = run(capsys, command + flags)
        assert code == console.EXIT_DONE, command
    assert results.keys() == {"object", "task", "eval"}
    assert all(counts["tube"] > 0 for counts in results["object"]["fits"].values())
    assert (folder / "torus.png").stat().st_size > 10_000
    assert results["eval"]["success_rate"] >= 0.95


def test_the_catalogue_group_of_the_page_has_its_category(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = run(capsys, "aim object ring --plugins plugins --seed 4")
    assert code == console.EXIT_DONE
    assert (result["family"], result["variants"], result["variant"]) == ("torus", 3, 1)


def test_without_the_plugins_the_task_says_which_family_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = run(capsys, "aim task ring_on_post.py")
    assert code == console.EXIT_MISTAKE
    assert result["error"].startswith("ring_on_post.py:5: unknown family 'torus'")
