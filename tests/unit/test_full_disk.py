"""A full disk is a line that names it and what is kept, whoever meets it; and never the end of the process."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import SafetensorError
from toy import dataset, episode

from aim import cli
from aim.evaluate import results
from aim.train import checkpoint
from aim.util.full_disk import describe_disk, explain_full_disk
from sim.types import UserError

FULL = OSError(errno.ENOSPC, "No space left on device")


def raise_from_cause() -> None:
    try:
        raise FULL
    except OSError as error:
        raise ValueError("could not write") from error


def raise_error(error: Exception) -> Callable[..., None]:
    def fail(*arguments: object, **named: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    "fail",
    [
        raise_error(FULL),
        raise_error(OSError(errno.EDQUOT, "Disk quota exceeded")),
        raise_error(SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")),
        raise_error(RuntimeError("task bell: OSError: [Errno 28] No space left on device\nTraceback ...")),
        raise_from_cause,
    ],
)
def test_whoever_meets_a_full_disk(tmp_path: Path, fail: Callable[[], None]) -> None:
    with pytest.raises(UserError) as error, explain_full_disk(tmp_path / "new" / "out", lambda: "kept 3 episodes"):
        fail()
    said = str(error.value)
    assert said.startswith(f"there is no room left on the disk of {tmp_path}/new/out (") and "MB free" in said
    assert said.endswith("; kept 3 episodes") and "\n" not in said


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "Permission denied"), UserError("mine"), ValueError("x")])
def test_other_errors_are_left_as_they_are(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as raised, explain_full_disk(tmp_path, lambda: ""):
        raise error
    assert raised.value is error


def test_the_disk_is_that_of_the_nearest_folder_there_is() -> None:
    assert "/dev/shm" in describe_disk(Path("/dev/shm/none/of/these")) or not Path("/dev/shm").is_mount()


WRITE = """
import resource, sys
from pathlib import Path
import synthetic
from aim.data import shard
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
shard.write_shard(Path(sys.argv[1]), "bell", range(3), [synthetic.episode(seed) for seed in range(3)])
"""


def test_a_shard_that_cannot_be_written_is_an_error_and_no_crash(tmp_path: Path) -> None:
    """The limit of a file's size stands for the disk's: HDF5 crashed where it had to close a file that was cut off."""
    paths = f"import sys; sys.path[:0] = {sys.path!r}\n"
    done = subprocess.run([sys.executable, "-c", paths + WRITE, str(tmp_path / "a.h5")], capture_output=True, text=True)
    assert done.returncode == 1 and "OSError: [Errno 27]" in done.stderr.splitlines()[-1], done


@pytest.mark.slow
def test_a_training_says_what_is_kept_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = dataset(tmp_path / "toy", [episode(seed, pictures=7) for seed in range(3)]), tmp_path / "run"
    words = ["train", "tiny", "--data", str(data.path), "--out", str(out), "--film-every", "0", "--json"]
    words += ["--codec-train.steps", "2"]
    assert cli.main([*words, "--steps", "1"]) == 0
    with monkeypatch.context() as full:
        full.setattr(checkpoint, "save_file", raise_error(SafetensorError("No space left on device (os error 28)")))
        capsys.readouterr()
        assert cli.main([*words, "--steps", "2", "--resume"]) == 2
    said = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert f"kept {out}/step-000001; with more room --resume goes on" in said
    assert not list(out.glob(".*.part")), "what was begun is removed"
    assert cli.main([*words, "--steps", "2", "--resume"]) == 0


@pytest.mark.slow
def test_an_evaluation_says_what_is_kept_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "--policy", "random", "--task", "click_bell", "--robot", "panda", "--films", "0", "--workers", "1"]
    words += ["--batch", "1", "--out", str(tmp_path / "out"), "--json"]
    assert cli.main([*words, "--episodes", "1"]) == 0
    with monkeypatch.context() as full:
        full.setattr(results.Path, "write_text", raise_error(FULL))
        capsys.readouterr()
        assert cli.main([*words, "--episodes", "2"]) == 2
    said = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert said.endswith("kept 1 episodes; with more room the same command goes on")
    assert cli.main([*words, "--episodes", "2"]) == 0
