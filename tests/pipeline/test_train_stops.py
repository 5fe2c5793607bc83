"""A training that is stopped before its first step, and one whose codec turned out poor: what is kept goes on."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from stops import signal_at_step
from toy import dataset, episode

from aim import cli, config
from aim.data import latent_files
from aim.data.store import Dataset
from aim.policy import load_policy, precision
from aim.train import codec as codec_training
from aim.train import codec_quality, codec_state, schedule
from aim.train.codec_state import STATE_FILE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
CODEC_STEPS = 12
SHORT = ["--steps", "2", "--precision", "fp32", "--codec-train.precision", "fp32", "--film-every", "0", "--json"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return a small toy dataset."""
    return dataset(tmp_path_factory.mktemp("data") / "toy", [episode(seed, pictures=7) for seed in range(4)])


def train(data: Dataset, out: Path, *more: str) -> int:
    """Run `aim train` on the toy and return its exit code."""
    return cli.main(["train", "tiny", "--data", str(data.path), "--out", str(out), *SHORT, *more])


@pytest.fixture(scope="module")
def undisturbed(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a training whose codec took CODEC_STEPS without a stop."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train(data, out, "--codec-train.steps", str(CODEC_STEPS)) == 0
    return out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_stop_while_the_codec_is_trained_costs_nothing(
    data: Dataset, undisturbed: Path, tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out, more = tmp_path / "halves", ("--codec-train.steps", str(CODEC_STEPS))
    with monkeypatch.context() as patch:
        patch.setattr(schedule, "compute_learning_rate", signal_at_step(5, number))
        assert train(data, out, *more) == 130
    kept = json.loads(capsys.readouterr().out.splitlines()[-1])["kept"]
    progress = codec_state.read_codec_progress(out / "codec" / STATE_FILE)
    assert progress and progress.step == 6
    assert kept == f"kept the codec at step 6 in {out / 'codec' / STATE_FILE}; --resume goes on"
    assert train(data, out, *more, "--resume") == 0
    for name in ("codec/codec", "step-000002/ema"):
        a, b = (load_file(folder / f"{name}.safetensors") for folder in (undisturbed, out))
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a), name


def test_a_stop_while_pictures_are_coded_keeps_the_episodes_that_were(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert train(data, whole, "--codec-train.steps", "2") == 0
    reserve = latent_files.reserve

    def reserve_and_stop(*arguments: object) -> None:
        reserve(*arguments)  # pyright: ignore[reportArgumentType]
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(latent_files, "reserve", reserve_and_stop)
    assert train(data, halves, "--codec-train.steps", "2") == 130
    monkeypatch.undo()
    said = json.loads(capsys.readouterr().out.splitlines()[-1])["kept"]
    assert said.startswith("kept the tokens of 1 of 4 episodes") and said.endswith("--resume goes on")
    coded = []
    monkeypatch.setattr(
        latent_files, "write_block", lambda *words, do=latent_files.write_block: coded.append(do(*words))
    )
    assert train(data, halves, "--codec-train.steps", "2", "--resume") == 0 and len(coded) == 1
    a, b = (load_file(folder / "step-000002" / "ema.safetensors") for folder in (whole, halves))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_stop_before_anything_was_made_says_so(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(codec_training, "train_codec", stop)
    assert train(data, tmp_path / "run") == 130
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["kept"] == "nothing was made yet; --resume goes on"


def test_a_poor_codec_is_trained_further_where_it_is_given_more(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, poor = tmp_path / "run", [True]
    found = codec_quality.measure_quality
    monkeypatch.setattr(
        codec_quality, "measure_quality",
        lambda *words: dataclasses.replace(found(*words), psnr_things=9.0 if poor[0] else 29.0, peaks_lost=0.0),
    )  # fmt: skip
    short, longer = ("--codec-train.steps", "2"), ("--codec-train.steps", "4", "--resume", "--steps", "3")
    assert train(data, out, *short) == 0
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("the codec is poor")]
    assert "9.0 dB" in line and "--resume with more --codec-minutes trains it further" in line
    first = load_file(out / "codec" / "codec.safetensors")
    assert train(data, out, *short, "--resume") == 0, "nobody asked for more"
    assert "trained further" not in capsys.readouterr().err
    poor[0] = False
    assert train(data, out, *longer) == 0
    assert "is trained further, and pictures are coded anew; step-000002 goes on with it" in capsys.readouterr().err
    second = load_file(out / "codec" / "codec.safetensors")
    assert any(not torch.equal(first[key], second[key]) for key in first)
    assert torch.equal(second["analysis"], load_file(out / "step-000003" / "codec.safetensors")["analysis"])
    assert not (out / "codec" / STATE_FILE).exists(), "a good codec is done"


def test_a_damaged_newest_checkpoint_costs_the_steps_since_the_one_before(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def steps(out: Path) -> list[str]:
        return sorted(path.name for path in out.glob("step-*"))

    out, codec = tmp_path / "run", ("--codec-train.steps", "2")
    for count in (2, 3, 4):
        assert train(data, out, *codec, "--steps", str(count), "--resume") == 0
    assert steps(out) == ["step-000003", "step-000004"]
    os.truncate(out / "step-000004" / "optimiser.safetensors", 100)
    capsys.readouterr()
    assert train(data, out, *codec, "--steps", "5", "--resume") == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "is damaged" in line]
    assert line.endswith("step-000003, the one before, is used")
    assert steps(out) == ["step-000003", "step-000005"]
    for folder in out.glob("step-*"):
        (folder / "model.safetensors").unlink()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("step-*/*")}
    assert train(data, out, *codec, "--steps", "6", "--resume") == 2
    assert "there is no other checkpoint" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("step-*/*")} == before


def test_precision_is_that_of_the_device_and_a_training_goes_on_in_its_own(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, more = tmp_path / "run", ("--codec-train.steps", "2", "--precision", "auto")
    monkeypatch.setattr(precision, "has_native_bf16", lambda: False)
    assert train(data, out, *more) == 0
    assert config.load_run(out / "step-000002").train.precision == "auto"
    monkeypatch.setattr(precision, "has_native_bf16", lambda: True)
    assert load_policy(out).precision == "bf16"
    assert train(data, out, *more, "--steps", "3", "--resume") == 0
    assert json.loads((out / "step-000003" / "progress.json").read_text())["precision"] == "fp32"
    assert train(data, out, *more, "--steps", "4", "--precision", "fp32", "--resume") == 0
    assert load_policy(out).precision == "fp32"


def test_a_codec_whose_training_has_no_end_is_refused(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(data, tmp_path / "run", "--codec-train.steps", "0") == 2
    said = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert said == "the codec's training needs an end: codec-train.steps or --codec-minutes above 0"
    assert not (tmp_path / "run").exists()
