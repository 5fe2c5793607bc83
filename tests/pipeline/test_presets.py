"""Every preset that a machine without a GPU can hold trains a step of codec and model, and acts in the simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aim import cli
from aim.policy import load_policy
from sim import robots, tasks
from sim.envs.env import Env

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
    env = Env(tasks.load_task("click_bell"), robots.load_robot("panda"), 1, size=(32, 32), cameras=("head",))
    env.reset([0])
    chunk = load_policy(tmp_path / "run").act(env.observe())
    assert chunk.actions.shape == (1, 32, 8) and np.isfinite(chunk.actions).all()
