"""Every preset that a machine without a GPU can hold trains a step of codec and model, and acts in the simulator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aim import cli

pytestmark = pytest.mark.slow

TASK = ("--task", "click_bell", "--robot", "panda")


def aim(*words: object) -> int:
    return cli.main([str(word) for word in words])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two demonstrations."""
    folder = tmp_path_factory.mktemp("presets") / "data"
    assert aim("generate", *TASK, "--cameras", "head", "--size", "32x32", "--num", 2, "--out", folder) == 0
    return folder


@pytest.mark.parametrize("preset", ["nano", "small"])
def test_a_preset_trains_and_acts(data: Path, tmp_path: Path, preset: str) -> None:
    limits = ("--steps", 1, "--codec-train.steps", 1, "--batch-size", 2, "--codec-train.batch-size", 2, "--shifts", 0)
    assert aim("train", preset, "--data", data, "--out", tmp_path / "run", *limits, "--film-every", 0) == 0
    assert aim("eval", "--policy", tmp_path / "run", *TASK, "--episodes", 1, "--out", tmp_path / "results") == 0
    (episode,) = json.loads((tmp_path / "results/results.json").read_text())["episodes"]
    assert episode["steps"] > 0
