"""A robot of 20 Hz that is driven by displacements of its hand: rows, mapping, and policies that learned from it.

The state is a pose and two fingers in metres, the action a displacement in twentieths of a metre or radian, and a
gripper from -1 open to 1 closed, as in many sets of simulated and real arms.
"""

from __future__ import annotations

import numpy as np
import torch
from lerobot_set import HEAD, Part
from models import randomised
from numpy.typing import NDArray

from aim import presets
from aim.data import loader
from aim.data.source import Source
from aim.model.image_codec import Codec
from aim.model.world_action_model import WorldActionModel
from aim.policy import LearnedPolicy

RATE = 20
POSE = ("x", "y", "z", "roll", "pitch", "yaw")
STATE_NAMES = [*POSE, "finger_l", "finger_r"]
ACTION_NAMES = [*(f"d{name}" for name in POSE), "hand"]
STEP = 0.05  # metres or radians that an action of 1 moves
DELTA_TOML = f"""
robot = "deltaarm"
[cameras]
head = "{HEAD}"
[joints]
state = "observation.state"
action = "action"
names = {list(POSE)}
action_names = {ACTION_NAMES[:6]}
state_only = ["finger_l", "finger_r"]
action_only = ["hand"]
units = "radians"
kind = "ee_delta"
[scale]
{"".join(f"{name} = {{state = [1.0, 0.0], action = [{STEP}, 0.0]}}{chr(10)}" for name in POSE)}
[gripper]
hand = [1.0, -1.0]
[text]
default = "wave"
"""


def make_rows(seed: int, frames: int = 41) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """States (frames 8) and actions (frames 7) of a hand that waves, in the set's units."""
    seconds = np.arange(frames)[:, None] / RATE
    action = np.zeros((frames, 7))
    action[:, :6] = 0.4 * np.sin(2.1 * seconds + 0.9 * np.arange(6) + seed)
    action[:, 6] = np.sign(np.sin(3.0 * seconds[:, 0] + seed) + 1e-9)
    pose = np.cumsum(np.concatenate([np.zeros((1, 6)), STEP * action[:-1, :6]]), 0) + 0.3
    finger = np.clip(0.02 - 0.02 * action[:, 6:], 0.0, 0.04)
    return np.concatenate([pose, finger, -finger], 1), action


def make_part(seed: int, frames: int = 41) -> Part:
    """An episode of a set, with pictures of 48 x 64."""
    state, action = make_rows(seed, frames)
    pictures = np.random.default_rng(seed).integers(0, 255, (1, 48, 64, 3), np.uint8).repeat(frames, 0)
    return Part(state.astype(np.float32), action.astype(np.float32), {HEAD: pictures}, ("wave",))


def make_policy(source: Source, kind: type[LearnedPolicy] = LearnedPolicy) -> LearnedPolicy:
    """Policy with random weights of which none is zero, as if it had learned from a recorded set."""
    run = presets.tiny(source.robot, source.cameras, len(source.info.action), len(source.info.state))
    torch.manual_seed(3)
    codec, model = Codec(run.codec), randomised(WorldActionModel(run.model))
    with torch.no_grad():
        codec.analysis.normal_(std=0.1)
    transform = loader.fit_transform(run, loader.motions(source), loader.windows(source), source)
    return kind(run, transform, codec, model, video_steps=1, action_steps=2, mapping=source.own)
