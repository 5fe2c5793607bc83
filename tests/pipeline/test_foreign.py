"""Recordings that nobody of this project made: a first mapping reads them, and their motion is their own.

They are not part of the project: the environment variable AIM_RECORDINGS names their folder; without it there is
nothing to try.
"""

from __future__ import annotations

import itertools
import os
import tomllib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from aim.data.formats.lerobot import LeRobotSet
from aim.data.mapped import MappedReader, read_recorded
from aim.data.mapping_file import parse_mapping
from aim.data.scaffold import write_scaffold
from sim.types import UserError

FOREIGN = Path(os.environ.get("AIM_RECORDINGS", "no-recordings"))
MADE = FOREIGN / "made_by_lerobot"
NAMES = (
    "unitree_g1", "bimanual_hands_open50", "made_by_lerobot/arm_10", "made_by_lerobot/panda_delta_10_images",
    "made_by_lerobot/panda_delta_20_video", "made_by_lerobot/panda_joint_15", "made_by_lerobot/so101_av1_30",
    "made_by_lerobot/v21_image_20", "made_by_lerobot/v21_video_30",
)  # fmt: skip
BLOCKS = 16  # black or white, the frame's number, in the top tenth of the made pictures

pytestmark = pytest.mark.skipif(not FOREIGN.is_dir(), reason="AIM_RECORDINGS names no folder of recordings")


def open_set(name: str) -> MappedReader:
    """Open a set with its first mapping, as it was written."""
    recorded = LeRobotSet(FOREIGN / name)
    return read_recorded(recorded, parse_mapping(tomllib.loads(write_scaffold(recorded)), name))


@pytest.mark.parametrize("name", NAMES)
def test_a_first_mapping_reads_it(name: str) -> None:
    data = open_set(name)
    for ref in data.episodes:
        move = data.motion(ref)
        assert len(move.state) == len(move.action) == 4 * (ref.pictures - 1) > 0
        assert move.instruction
    for camera in data.info.cameras:
        shown = data.frames(data.episodes[-1], camera, [0, -1])
        assert shown.std() > 5


def read_number(picture: np.ndarray, square: int) -> int:
    """Number that the blocks of a made picture show; letterboxed ones begin below the bar."""
    height = square
    top = (picture.shape[0] - height) // 2
    strip = picture[top : top + height // 10].mean((0, 2))
    edges = np.linspace(0, len(strip), BLOCKS + 1).astype(int)
    bits = [strip[a + 1 : b - 1].mean() > 127 for a, b in itertools.pairwise(edges)]
    return sum(1 << i for i, bit in enumerate(bits) if bit)


@pytest.mark.parametrize(("name", "camera", "height", "fps"), [
    ("so101_av1_30", "top", 480, 30), ("so101_av1_30", "wrist", 240, 30), ("panda_joint_15", "exterior", 180, 15),
    ("arm_10", "front", 240, 10), ("panda_delta_10_images", "image", 256, 10), ("v21_image_20", "front", 240, 20),
    ("v21_video_30", "front", 240, 30),
])  # fmt: skip
def test_no_frame_is_off_by_one(name: str, camera: str, height: int, fps: int) -> None:
    data = open_set(f"made_by_lerobot/{name}")
    for ref in data.episodes:
        found = [read_number(picture, height) for picture in data.frames(ref, camera, range(ref.pictures))]
        assert found == [i * 8 * fps // 100 for i in range(ref.pictures)]


@pytest.mark.parametrize("name", ["so101_av1_30", "arm_10", "v21_image_20", "v21_video_30", "panda_joint_15"])
def test_no_joint_value_is_off_by_one(name: str) -> None:
    """Joint j of episode e is 0.6 sin(1.3 t + 0.4 j + 0.3 e), the action the same one frame later."""
    data = open_set(f"made_by_lerobot/{name}")
    fps = data.recorded.fps
    joints = data.info.state.kinds.count("joint_position")
    for ref in data.episodes:
        move = data.motion(ref)
        seconds = np.arange(len(move.state))[:, None] / 50
        for rows, ahead in ((move.state, 0.0), (move.action, 1 / fps)):
            phase = 1.3 * (seconds + ahead) + 0.4 * np.arange(joints) + 0.3 * ref.index
            bend = 0.6 * (1.3 / fps) ** 2 / 8  # of the arc between two frames
            np.testing.assert_allclose(rows[:, :joints], 0.6 * np.sin(phase), atol=bend + 1e-4)


@pytest.mark.parametrize("name", ["panda_delta_20_video", "panda_delta_10_images"])
def test_displacements_integrate_to_the_sets_own(name: str) -> None:
    data = open_set(f"made_by_lerobot/{name}")
    table = pq.ParquetFile(MADE / name / "data/chunk-000/file-000.parquet").read()
    rows, episode = np.array(table["action"].to_pylist())[:, :6], np.array(table["episode_index"].to_pylist())
    state = np.array(table["observation.state"].to_pylist())[:, :6]
    assert data.info.action.kinds == ("ee_delta",) * 6 + ("gripper",)
    for ref in data.episodes:
        moved = data.motion(ref).action[:, :6].sum(0)
        frames = len(data.motion(ref).action) * data.recorded.fps / 50
        own = rows[episode == ref.index]
        true = own[: int(frames)].sum(0) + (frames - int(frames)) * own[int(frames)]
        np.testing.assert_allclose(moved, true, rtol=0.02, atol=1e-4)
        if ref.index == 0:  # whose states follow its actions to the digit
            there = state[episode == 0]
            np.testing.assert_allclose(moved, there[int(frames)] - there[0], rtol=0.02, atol=0.02 * np.ptp(there))


def test_a_set_whose_videos_are_missing_says_so() -> None:
    with pytest.raises(UserError, match=r"videos/observation\.images\.front/.* of episode 0 is missing"):
        open_set("so101_numbers")
