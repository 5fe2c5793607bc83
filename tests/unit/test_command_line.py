"""The command line kept beside results and runs: the same on every machine, and the verb can be called by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aim.commands.evaluate import evaluate_policy
from aim.commands.train import train_model
from aim.train import provenance
from aim.util.command_line import format_command


def collect(**arguments: object) -> dict[str, object]:
    """Return the arguments of `aim eval`, those left out at their defaults."""
    return {**(evaluate_policy.__kwdefaults__ or {}), **arguments}


def test_what_is_left_at_its_default_is_left_out() -> None:
    given = collect(policy="expert", out=Path("runs/a b"), task=("click_bell", "open_laptop"), mp4=True, episodes=25)
    line = format_command("eval", evaluate_policy, given)
    assert line == "aim eval --policy expert --out 'runs/a b' --task click_bell open_laptop --mp4"


def test_no_folder_of_the_machine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = collect(policy=str(tmp_path / "runs" / "cup"), out=Path("/elsewhere/of/mine/out"), suite="all")
    line = format_command("eval", evaluate_policy, given)
    assert line == "aim eval --policy runs/cup --out .../out --suite all"


def test_flags_of_a_run_follow_the_preset() -> None:
    given = {**(train_model.__kwdefaults__ or {}), "preset": "tiny", "data": (Path("a"), Path("b")), "out": Path("c")}
    given["overrides"] = ("--train.lr", "1e-3")
    assert format_command("train", train_model, given) == "aim train tiny --data a b --out c --train.lr 1e-3"


def test_each_command_of_a_run_is_kept_once(tmp_path: Path) -> None:
    assert provenance.read_commands(tmp_path) == ()
    for command in ("aim train tiny", "", "aim train tiny --resume", "aim train tiny"):
        provenance.add_command(tmp_path, command)
    assert provenance.read_commands(tmp_path) == ("aim train tiny", "aim train tiny --resume")
