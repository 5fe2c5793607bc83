"""One writer a folder: the second is refused at once, and a writer that was killed leaves no lock behind."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aim import cli
from aim.util.folder_lock import is_empty, lock_folder
from sim.types import UserError

HOLD = "import sys, time, pathlib; from aim.util.folder_lock import lock_folder\nwith lock_folder(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"  # noqa: E501


def test_a_second_writer_is_refused_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    out = tmp_path / "out"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=r"another process is writing to .*out; wait for it or choose another folder"):
        lock_folder(out).__enter__()
    holder.kill()
    holder.communicate()
    assert is_empty(out)
    with lock_folder(out):
        (out / "something").write_text("")
    assert [path.name for path in out.iterdir()] == ["something"]


def test_a_folder_in_which_nothing_was_written_is_removed_again(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "new"):
        assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "new").exists()
    (tmp_path / "old").mkdir()
    with lock_folder(tmp_path / "old"):
        pass
    assert is_empty(tmp_path / "old")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is not a folder that may be written"), lock_folder(tmp_path / "file"):
        pass


def test_of_many_that_come_and_go_one_holds_it_at_a_time(tmp_path: Path) -> None:
    holding, most, done = [0], [0], [0]

    def come_and_go() -> None:
        for _ in range(200):
            try:
                with lock_folder(tmp_path):
                    holding[0] += 1
                    most[0] = max(most[0], holding[0])
                    done[0] += 1
                    holding[0] -= 1
            except UserError:
                pass

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and done[0] > 0


@pytest.mark.parametrize(
    "words",
    [
        ["train", "tiny", "--data", "none"],
        ["eval", "--policy", "random", "--task", "click_bell", "--robot", "panda"],
        ["generate", "--task", "click_bell", "--robot", "panda"],
    ],
    ids=lambda words: words[0],
)
def test_every_verb_that_works_for_long_locks_its_folder(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with lock_folder(tmp_path / "out"):
        assert cli.main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "another process is writing to" in capsys.readouterr().err
