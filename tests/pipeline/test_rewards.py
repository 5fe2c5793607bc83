"""`aim rewards` from a checkpoint to a table: it goes on where it was stopped, and writes over nothing."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from pages import read_blocks
from said import last
from served import make_simulated_policy, write_checkpoint

from aim import cli
from aim.rl import reward_folder, rollout
from aim.rl.rewards import TERMS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread", "short_episodes")]


def measure(source: Path, out: Path, *more: str, task: str = "click_bell") -> int:
    words = ("rewards", "--policy", str(source), "--task", task, "--out", str(out), "--batch", "2", *more, "--json")
    return cli.main(list(words))


def test_a_table_is_made_and_gone_on_with(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rewards"
    collect = rollout.collect_trials

    def collect_and_stop(*words: object, **named: object) -> object:
        yield next(iter(collect(*words, **named)))  # pyright: ignore[reportArgumentType]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rollout, "collect_trials", collect_and_stop)
        assert measure(source, out, "--episodes", "3") == 130
    assert last(capsys)["kept"] == f"kept 1 episodes in {out}; the same command goes on"
    assert measure(source, out, "--episodes", "3") == 0
    said = last(capsys)
    assert (said["episodes"], said["ran"], said["successes"], said["hackable"]) == (3, 2, 0, [])
    assert [row["term"] for row in said["terms"]] == list(TERMS)
    by_name = {row["term"]: row for row in said["terms"]}
    assert by_name["time"]["failure_mean"] == pytest.approx(-1.0) and by_name["success"]["failure_mean"] == 0.0
    assert by_name["map_response"]["failure_mean"] >= 0 and by_name["map_response"]["correlation"] is None
    assert {path.name for path in out.iterdir()} >= {
        "rewards.json", "trials.h5", "table.json", "rewards.svg", "commands.txt",
    }  # fmt: skip
    table = reward_folder.read_table(out)
    assert measure(source, out, "--episodes", "3", "--terms", "time,map_peak") == 0, "other terms of the same trials"
    again = last(capsys)
    assert again["ran"] == 0 and [row["term"] for row in again["terms"]] == ["time", "map_peak"]
    assert again["terms"][0] == by_name["time"] and table.terms[1].term == "time"
    assert measure(source, out, "--episodes", "4") == 0
    assert (last(capsys)["ran"], reward_folder.read_table(out).episodes) == (1, 4)


def test_another_measurement_is_not_written_over(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rewards"
    assert measure(source, out, "--episodes", "1", "--terms", "success,time") == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    for more, says in (
        (("--policy-seed", "4"), "holds another run: policy_seed is 0, not 4; choose another folder"),
        (("--terms", "map_response"), "holds another run: maps is False, not True; choose another folder"),
    ):
        capsys.readouterr()
        assert measure(source, out, "--episodes", "2", *more) == 2
        assert says in last(capsys)["error"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    assert measure(source, tmp_path / "mine") == 2
    assert "is not empty and holds no run of aim rewards" in last(capsys)["error"]


@pytest.mark.parametrize(("more", "task", "says"), [
    (("--terms", "succes"), "click_bell", "unknown reward term 'succes'; did you mean 'success'? valid: success, time"),
    (("--episodes", "0"), "click_bell", "episodes, batch and threads start at 1"),
    ((), "handover_block", "needs 2 arms; robot 'panda' has 1"),
    (("--variation", "wild"), "click_bell", "unknown variation 'wild'"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(
    source: Path, tmp_path: Path, more: tuple[str, ...], task: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure(source, tmp_path / "run", *more, task=task) == 2
    error = last(capsys)["error"]
    assert says in error and "\n" not in error and not (tmp_path / "run").exists()


def test_a_policy_without_maps_has_fewer_terms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_checkpoint(make_simulated_policy("panda", variant="no_map"), tmp_path / "made")
    assert measure(source, tmp_path / "a", "--episodes", "1") == 0
    said, err = capsys.readouterr()
    assert "the policy imagines no value maps; terms of their response are left out" in err
    found = [row["term"] for row in json.loads(said.splitlines()[-1])["terms"]]
    assert found == ["success", "time", "predicates", "progress"]
    assert measure(source, tmp_path / "b", "--episodes", "1", "--terms", "map_peak") == 2
    assert "imagines no value maps" in last(capsys)["error"]


def test_the_command_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_checkpoint(make_simulated_policy("panda"), tmp_path / "runs" / "cup")
    (line,) = [line for block in read_blocks("improve_a_policy.md", "bash") for line in block.splitlines() if
               line.startswith("aim rewards")]  # fmt: skip
    assert cli.main([*shlex.split(re.sub(r"--episodes \d+", "--episodes 2", line))[1:], "--json"]) == 0
    assert last(capsys)["episodes"] == 2 and Path("runs/cup-rewards/rewards.svg").exists()
