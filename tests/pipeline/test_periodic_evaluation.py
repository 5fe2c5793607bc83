"""Judged by closed loop while training: the best is kept, of equals the later one, and a stop loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from aim import presets
from aim.data import transforms
from aim.data.formats.simulated import describe_robot_space
from aim.data.transforms import Transform
from aim.evaluate.checkpoint_evaluation import FIRST_CHECKPOINT_SEED, CheckpointEvaluation
from aim.evaluate.policy_spec import parse_policy
from aim.model.image_codec import Codec
from aim.train import periodic_evaluation, stage1
from aim.train.log import Log, open_log
from aim.train.periodic_evaluation import (
    BEST_FOLDER,
    BEST_RECORD_FILE,
    EVAL_FOLDER,
    EvalConfig,
    PeriodicEvaluation,
)
from sim import robots

pytestmark = pytest.mark.slow
TASK, ROBOT = "click_bell", "panda"
Stops = list[int]


@pytest.fixture
def evaluation(tmp_path: Path) -> tuple[PeriodicEvaluation, dict[str, torch.Tensor], Stops]:
    """Return the evaluation of a training that has learned nothing yet, its average, and its list of stops."""
    robot = robots.load_robot(ROBOT)
    run = presets.tiny(ROBOT, robot.camera_names, *[len(robot.action_names)] * 2)
    moves = np.random.default_rng(0).normal(size=(50, run.model.action_dim)).astype(np.float32) * 0.1
    spread = transforms.measure(moves)
    space = describe_robot_space(robot)
    scale = Transform(space, space, spread, spread, robot=ROBOT)
    training, stops = stage1.begin_training(run, torch.device("cpu")), Stops()
    config = EvalConfig(CheckpointEvaluation((TASK,), ROBOT, 2), 10)
    made = PeriodicEvaluation(config, run, tmp_path, scale, Codec(run.codec), "cpu", open_log(tmp_path), stops)
    return made, training.ema, stops


def test_the_best_is_kept_and_of_equals_the_later_one(
    evaluation: tuple[PeriodicEvaluation, dict[str, torch.Tensor], Stops], tmp_path: Path
) -> None:
    made, ema, stops = evaluation
    record = tmp_path / BEST_FOLDER / BEST_RECORD_FILE
    assert [step for step in range(31) if made.is_due(step)] == [10, 20, 30]
    stops.append(2)
    assert not made.evaluate_step(10, ema) and not record.exists(), "a stop came in between"
    stops.clear()
    assert made.evaluate_step(10, ema)
    found = json.loads(record.read_text())
    assert (found["step"], found["first_seed"], found["tasks"][TASK]["episodes"]) == (10, FIRST_CHECKPOINT_SEED, 2)
    rows = json.loads((tmp_path / EVAL_FOLDER / "step-000010" / "results.json").read_text())["episodes"]
    assert [row["seed"] for row in rows] == [FIRST_CHECKPOINT_SEED, FIRST_CHECKPOINT_SEED + 1]
    assert made.evaluate_step(20, ema) and json.loads(record.read_text())["step"] == 20
    record.write_text(json.dumps({**found, "success_rate": found["success_rate"] + 0.1}))
    assert made.evaluate_step(30, ema) and json.loads(record.read_text())["step"] == 10, "30 is worse"
    assert periodic_evaluation.read_best_success_rate(tmp_path) == found["success_rate"] + 0.1
    assert parse_policy(str(tmp_path / BEST_FOLDER)).robot == ROBOT
    made.log.close()
    told = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(row["part"], row["step"]) for row in told] == [("eval", 10), ("eval", 20), ("eval", 30)]


def test_nobody_was_the_best_before_the_first(tmp_path: Path) -> None:
    Log().write("eval", {"step": 1})  # who tells nobody writes nothing
    assert periodic_evaluation.read_best_success_rate(tmp_path) == -1.0 and list(tmp_path.iterdir()) == []
