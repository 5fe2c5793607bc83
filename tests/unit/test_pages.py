"""The code of the pages runs as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from pages import read_blocks

from aim import cli
from aim.util import console


@pytest.mark.parametrize("number", range(3))
def test_the_page_about_python_runs(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = read_blocks("use_from_python.md", "python")
    assert len(blocks) == 3
    exec(compile(blocks[number], f"use_from_python.md, block {number}", "exec"), {"__name__": "page"})
    printed = capsys.readouterr().out
    assert number != 2 or printed.startswith("[ True  True] None")


def test_the_page_about_robots_makes_a_robot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its files make a plugin folder; the robot passes its checks and the expert plays it."""
    folder = tmp_path / "plugins" / "robots"
    folder.mkdir(parents=True)
    (folder / "slim6.py").write_text(read_blocks("add_a_robot.md", "python")[0])
    (folder / "slim6.urdf").write_text(read_blocks("add_a_robot.md", "xml")[0])
    monkeypatch.chdir(tmp_path)
    show, play = (line for block in read_blocks("add_a_robot.md", "sh") for line in block.strip().splitlines())
    assert cli.main(shlex.split(show)[1:]) == console.EXIT_DONE
    printed = capsys.readouterr().out
    assert "ok   reach" in printed and "fail" not in printed and (tmp_path / "slim6.png").exists()
    assert cli.main([*shlex.split(play)[1:], "--workers", "1"]) == console.EXIT_DONE
    assert re.search(r"^all +100\.0 %", capsys.readouterr().out, re.MULTILINE)
