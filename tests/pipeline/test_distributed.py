"""Two processes train what one trains, stop when they are told to and go on to the bit, and share checkpoints with one.

Everything through the command line, as a user would: `torchrun --nproc-per-node 2 -m aim train …`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy import dataset, episode

pytestmark = pytest.mark.slow
HERE = Path(__file__).parents[2]
ALONE = (sys.executable, "-m", "aim")
TWO = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "aim")
PATIENCE_S = 600


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small toy dataset."""
    return dataset(tmp_path_factory.mktemp("data") / "toy", [episode(seed, pictures=7) for seed in range(4)]).path


def command(who: tuple[str, ...], data: Path, out: Path, steps: int, *more: str) -> list[str]:
    asked = ["train", "tiny", "--data", data, "--out", out, "--steps", steps, "--precision", "fp32", "--film-every", 0]
    return [*who, *map(str, asked), *more, "--json"]


def start(words: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str], code: int = 0) -> dict:
    """Return the one line that a command answers with."""
    with process:
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.terminate()
            raise
    assert process.returncode == code, err
    lines = out.splitlines()
    assert len(lines) == 1, "one process speaks"
    return json.loads(lines[0])


def train(who: tuple[str, ...], data: Path, out: Path, steps: int, *more: str) -> Path:
    """Return the checkpoint that a training ends with."""
    return Path(said(start(command(who, data, out, steps, *more)))["checkpoint"])


def apart(one: Path, two: Path) -> float:
    """Return by how much any number of two checkpoints differs: weights, average, optimiser and codec."""
    most = 0.0
    for name in ("codec", "model", "ema", "optimiser"):
        a, b = (load_file(folder / f"{name}.safetensors") for folder in (one, two))
        assert a.keys() == b.keys(), name
        most = max(most, *(float((a[key] - b[key]).abs().max()) for key in a))
    return most


@pytest.fixture(scope="module")
def four(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return four steps of one process and of two, each from nothing."""
    out = tmp_path_factory.mktemp("runs")
    return train(ALONE, data, out / "one", 4), train(TWO, data, out / "two", 4)


def test_two_train_what_one_trains(four: tuple[Path, Path]) -> None:
    assert apart(*four) < 1e-5
    start = load_file(four[0] / "optimiser.safetensors")
    assert max(float(value.abs().max()) for key, value in start.items() if key.endswith("exp_avg")) > 1e-3
    tells = [json.loads(line)["part"] for line in (four[1].parent / "log.jsonl").read_text().splitlines()]
    assert tells == ["codec", "latents"], "one process writes"


def test_each_goes_on_with_what_the_other_began(data: Path, four: tuple[Path, Path], tmp_path: Path) -> None:
    for name, checkpoint in zip(("one", "two", "plain"), (*four, four[0]), strict=True):
        shutil.copytree(checkpoint.parent, tmp_path / name)
    plain = train(ALONE, data, tmp_path / "plain", 8, "--resume")
    assert apart(plain, train(TWO, data, tmp_path / "one", 8, "--resume")) < 1e-5
    assert apart(plain, train(ALONE, data, tmp_path / "two", 8, "--resume", "--checkpointing")) < 1e-5
    assert apart(plain, four[0]) > 1e-3


def test_two_that_are_stopped_go_on_to_the_bit(data: Path, four: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("whole", "halves"):
        shutil.copytree(four[1].parent, tmp_path / name, ignore=shutil.ignore_patterns("step-*", "log.jsonl"))
    whole = train(TWO, data, tmp_path / "whole", 40)
    halves = start(command(TWO, data, tmp_path / "halves", 40))
    log = tmp_path / "halves" / "log.jsonl"
    until = time.monotonic() + PATIENCE_S
    while not (log.is_file() and '"step": 20' in log.read_text()):
        assert halves.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    halves.send_signal(signal.SIGINT)
    words = said(halves, code=1)  # torchrun's own
    assert "--resume goes on" in words["kept"]
    (kept,) = (tmp_path / "halves").glob("step-*")
    assert 20 <= int(kept.name[-6:]) < 40
    assert apart(whole, train(TWO, data, tmp_path / "halves", 40, "--resume")) == 0.0


def test_a_batch_that_two_cannot_share_is_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    process = start(command(TWO, data, tmp_path / "run", 4, "--batch-size", "7"))
    assert "batch_size 7 cannot be shared out evenly among 2 processes" in said(process, code=1)["error"]
    assert not (tmp_path / "run").exists()


def test_sharing_keeps_what_is_not_sharded_as_it_is() -> None:
    from aim.train import distributed

    value = torch.arange(3.0)
    assert (
        distributed.gather_tensor(value) is value
        and distributed.get_local_shard(value) is value
        and distributed.shard_like(value, value) is value
    )
    assert (
        distributed.broadcast_from_main(1.0, 2.0) == (1.0, 2.0)
        and distributed.run_on_main_first(lambda: 1, lambda: 2) == 1
    )
