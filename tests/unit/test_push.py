"""Pushes: what they are, and that demonstrations under them show the way back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from aim import cli
from sim import robots, tasks
from sim.episodes import record
from sim.expert.perturb import sample_perturbations

TASK, PANDA = tasks.load_task("click_bell"), robots.load_robot("panda")


def test_a_seed_gives_the_same_pushes_and_grippers_none() -> None:
    one, again, other = (sample_perturbations(TASK, PANDA, seed, 0.03) for seed in (5, 5, 6))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.shape == (TASK.horizon + 1, len(PANDA.action_names))
    grips = [name.endswith("/gripper") for name in PANDA.action_names]
    assert not one[:, grips].any()
    assert one[:, ~np.array(grips)].any(0).all()
    assert not sample_perturbations(TASK, PANDA, 5, 0.0).any()


def test_pushes_come_and_go_smoothly_and_scale() -> None:
    many = np.concatenate([sample_perturbations(TASK, PANDA, seed, 0.03) for seed in range(40)])
    at_rest = ~many.any(1)
    assert 0.2 < at_rest.mean() < 0.8
    assert np.abs(np.diff(sample_perturbations(TASK, PANDA, 3, 0.03), axis=0)).max() < 0.02  # radians in 20 ms
    double = np.concatenate([sample_perturbations(TASK, PANDA, seed, 0.06) for seed in range(40)])
    assert np.allclose(double, 2 * many, atol=1e-7)


def test_the_robot_is_pushed_half_of_the_time() -> None:
    """A pause, 0.6 s on the average, begins where a push of 0.3 to 0.9 s has ended."""
    long = dataclasses.replace(TASK, horizon=20_000)
    at_rest = ~sample_perturbations(long, PANDA, 0, 0.03).any(axis=1)
    assert 0.45 < at_rest.mean() < 0.55


def test_what_is_written_down_is_what_the_expert_wanted() -> None:
    plain, pushed = (
        next(record.record_episodes(TASK, PANDA, [3], ("head",), (16, 16), perturbation_rad=push))
        for push in (0.0, 0.03)
    )
    assert plain.success
    assert pushed.success
    begun = int(np.flatnonzero(sample_perturbations(TASK, PANDA, 3, 0.03).any(1))[0])
    assert np.array_equal(plain.state[: begun + 1], pushed.state[: begun + 1])
    soon = slice(begun, begun + 12)
    assert np.abs(plain.state[soon] - pushed.state[soon]).max() > 0.003
    assert np.abs(plain.action[soon] - pushed.action[soon]).max() < 0.001  # wanted, not done


def test_too_large_a_push_is_a_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["generate", "--task", "click_bell", "--push", "2", "--out", str(tmp_path / "d")]) == 2
    assert "push is 2; it lies in 0 to 0.2 radians" in capsys.readouterr().err
