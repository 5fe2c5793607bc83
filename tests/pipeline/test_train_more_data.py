"""More episodes for a training that goes on, in the folder that it began with or in a further one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy import dataset, episode

from aim import cli
from aim.data import latent_files

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
SHORT = ["--precision", "fp32", "--codec-train.precision", "fp32", "--codec-train.steps", "2", "--film-every", "0"]


def train(data: list[Path], out: Path, *more: str) -> int:
    return cli.main(["train", "tiny", "--data", *map(str, data), "--out", str(out), *SHORT, *more, "--json"])


def test_a_further_folder_is_learned_from_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    dataset(first, [episode(seed, pictures=7) for seed in range(3)])
    dataset(second, [episode(seed, pictures=9) for seed in range(2)])
    out = tmp_path / "run"
    assert train([first], out, "--steps", "2") == 0
    began = json.loads((out / "data.json").read_text())["episodes"]
    blocks, write = [], latent_files.write_block
    monkeypatch.setattr(latent_files, "write_block", lambda *words: (blocks.append(words), write(*words)))
    capsys.readouterr()
    assert train([first, second], out, "--steps", "4") == 2, "only where the run is to go on"
    assert "2 are new: --resume learns from them too" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert train([second, first], out, "--steps", "4", "--resume") == 0, "their order does not matter"
    said = capsys.readouterr()
    assert "2 new episodes beside the 3 that it began with: only they are coded" in said.err
    assert json.loads(said.out.splitlines()[-1])["steps"] == 4
    ((_, shape, row, tokens, *_),) = blocks
    assert (shape[1], row, tokens["rgb"].shape[1]) == (3 * 7 + 2 * 9, 3 * 7, 2 * 9)
    assert json.loads((out / "data.json").read_text())["episodes"][:3] == began
    a, b = (load_file(out / f"step-{step:06d}" / "codec.safetensors") for step in (2, 4))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert train([first, second], out, "--steps", "5", "--resume") == 0 and len(blocks) == 1
    assert "new episodes" not in capsys.readouterr().err
    assert train([first], out, "--steps", "6", "--resume") == 2
    assert "it began with 5 episodes" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
