"""A model with geometry from depth on the disk to depth in an observation, and every variant through training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from aim import cli
from aim.data import latents
from aim.data.source import open_source
from aim.model import canvas
from aim.model.intent import VARIANTS
from aim.policy import LearnedPolicy, load_policy
from aim.policy.history import History, record_step
from sim import robots, tasks
from sim.envs.env import Env
from sim.types import Observation, UserError

torch.set_num_threads(1)


def aim(*words: object) -> int:
    return cli.main([str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two demonstrations with depth, and a run whose codec others borrow."""
    home = tmp_path_factory.mktemp("geometry")
    made = ("--task", "click_bell", "--robot", "panda", "--num", 2, "--size", "64x64", "--workers", 1)
    assert aim("generate", *made, "--depth", "--out", home / "data") == 0
    assert aim("generate", *made, "--out", home / "flat") == 0
    assert train(home, "first") == 0
    return home


def train(home: Path, out: str, *words: object, data: str = "data") -> int:
    return aim(
        "train", "tiny", "--data", home / data, "--out", home / out, "--steps", 2, "--codec-minutes", 0.02,
        "--film-every", 0, *words,
    )  # fmt: skip


def test_points_of_the_loader_are_those_of_the_simulator(folder: Path, tmp_path: Path) -> None:
    source = open_source(folder / "data", None)
    assert train(folder, "points", "--geometry", "--codec", folder / "first") == 0
    policy = load_policy(folder / "points")
    kept = latents.with_points(
        latents.cached(tmp_path, policy.codec, source, policy.run.data), source, policy.run.codec
    )
    assert kept.points is not None
    assert kept.points.shape == (1, kept.rgb.shape[1], policy.run.model.tokens, 4)
    env = Env(tasks.load_task("click_bell"), robots.load_robot("panda"), 1, size=(64, 64), depth=True)
    env.reset([0])
    seen = env.observe()
    told = policy.build_context(seen, *begun(policy, seen)).points
    assert told is not None
    torch.testing.assert_close(told[0], kept.points[0, 0], atol=2e-3, rtol=0)  # depth is kept in millimetres
    assert policy.act(seen).actions.shape == (1, 32, 8)
    env.close()
    blind = Env(tasks.load_task("click_bell"), robots.load_robot("panda"), 1, size=(64, 64))
    blind.reset([0])
    with pytest.raises(UserError, match="depth"):
        policy.act(blind.observe())
    blind.close()


def begun(policy: LearnedPolicy, seen: Observation) -> tuple[History, Tensor]:
    """Return what `context` is told beside the observation."""
    memory = record_step(policy.begin_history(1), (seen.time * 50).astype(int))
    return memory, policy.codec.encode(policy._collect_pictures(seen), "rgb")


def test_geometry_without_depth_and_an_unknown_variant_are_lines(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder, "none", "--geometry", data="flat") == 2
    assert "aim generate --depth" in capsys.readouterr().err
    assert train(folder, "none2", "--variant", "papr") == 2
    assert "did you mean 'paper'" in capsys.readouterr().err
    assert train(folder, "none3", "--codec", folder / "data") == 2
    assert "there is no codec in" in capsys.readouterr().err


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_trains_acts_and_is_measured(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder, name, "--variant", name, "--codec", folder / "first") == 0
    capsys.readouterr()
    assert aim("imagine", "--policy", folder / name, "--data", folder / "data", "--windows", 3, "--out",
               folder / f"{name}-seen", "--json") == 0  # fmt: skip
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["peak_within_8px"] is None) == (name in ("no_map", "video_free"))
    assert found["psnr"] > 0
    assert canvas.compute_token_grids(load_policy(folder / name).run.codec) == ((2, 2), (1, 1))
