"""Checkpoints with random weights, none of which is zero: of a simulated robot, and of a recorded set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from models import randomised

from aim import presets
from aim.data import mapping_file, transforms
from aim.data.formats.simulated import describe_robot_space
from aim.data.transforms import Transform
from aim.model import lora
from aim.model.image_codec import Codec
from aim.model.world_action_model import WorldActionModel
from aim.policy import LearnedPolicy
from aim.train import checkpoint
from sim import robots
from sim.types import Observation

SIZE = (64, 64)


def write_checkpoint(policy: LearnedPolicy, out: Path) -> Path:
    """Write a policy as the checkpoint of step 1 into `out`, and return its folder."""
    folder = out / "step-000001"
    folder.mkdir(parents=True)
    trained = lora.list_trained(policy.model)
    checkpoint.save_policy(folder, policy.run, policy.transform, policy.codec, trained)  # pyright: ignore
    if policy.mapping:
        (folder / mapping_file.MAPPING_FILE).write_text(mapping_file.mapping_to_json(policy.mapping))
    return folder


def make_simulated_policy(name: str, fovea: int = 0, variant: str = "paper", **options: Any) -> LearnedPolicy:  # noqa: ANN401
    """Policy for a robot of the simulator, as if it had learned from pictures of SIZE; `options` are the policy's."""
    robot = robots.load_robot(name)
    space = describe_robot_space(robot)
    run = presets.tiny(name, robot.camera_names, len(space), len(space))
    run = replace(run, model=replace(run.model, fovea=fovea, variant=variant))
    torch.manual_seed(0)
    codec, model = Codec(run.codec), randomised(WorldActionModel(run.model))
    with torch.no_grad():
        codec.analysis.normal_(std=0.1)
    spread = transforms.measure(np.random.default_rng(0).normal(size=(50, len(space))).astype(np.float32) * 0.1)
    transform = Transform(space, space, spread, spread, robot=name, size=SIZE)
    return LearnedPolicy(run, transform, codec, model, **options)


def draw_observation(policy: LearnedPolicy, rng: np.random.Generator, rows: int) -> Observation:
    """Observation of noise in `rows` worlds."""
    images = {name: rng.integers(0, 255, (rows, *SIZE, 3), np.uint8) for name in policy.cameras}
    state = rng.normal(0.0, 0.1, (rows, len(policy.state_space))).astype(np.float32)
    return Observation(images, state, ("press the bell",) * rows, np.zeros(rows))
