"""A robot of 20 Hz that moves by displacements trains from its recordings, and is driven in its own units."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from delta_arm import ACTION_NAMES, DELTA_TOML, RATE, STATE_NAMES, STEP, make_part, make_rows
from lerobot_set import HEAD, write
from pages import read_blocks

from aim import cli
from aim.data.mapping_file import read_mapping
from aim.policy import OwnUnitsPolicy, load_policy
from sim.types import Observation

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
SHORT = ["--precision", "fp32", "--codec-train.precision", "fp32", "--codec-train.steps", "2", "--film-every", "0"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a set, its mapping, and a run that learned from it."""
    folder = tmp_path_factory.mktemp("delta")
    parts = [make_part(seed) for seed in range(3)]
    write(folder / "set", parts, fps=RATE, names=STATE_NAMES, action_names=ACTION_NAMES)
    (folder / "delta.toml").write_text(DELTA_TOML)
    flags = ["--data", str(folder / "set"), "--mapping", str(folder / "delta.toml"), "--out", str(folder / "runs/mine")]
    assert cli.main(["train", "tiny", *flags, "--steps", "20", *SHORT, "--json"]) == 0
    return folder


def observe(state: np.ndarray) -> Observation:
    """What the robot's camera of 48 x 64 and its joints say."""
    images = {"head": make_part(0, 1).pictures[HEAD]}
    return Observation(images, state[None].astype(np.float32), ("wave",), np.zeros(1))


def test_it_acts_in_its_own_units_at_20_hz(place: Path) -> None:
    learned, again = (load_policy(place / "runs/mine") for _ in range(2))
    mapping = read_mapping(place / "delta.toml")
    assert learned.mapping == mapping and learned.transform.recorded_hz == RATE
    policy, state = OwnUnitsPolicy(learned), make_rows(0)[0][8]
    chunk = policy.act(observe(state))
    assert chunk.actions.shape == (1, 13, 7) and chunk.execution_horizon == 6
    seen = observe(np.array(mapping.state_from_set(state)))
    images = {"head": mapping.fit_images("head", seen.images["head"])}
    ours = again.act(Observation(images, seen.state, seen.instruction, seen.time)).actions[0]
    space = again.action_space
    ours = np.clip(ours, np.array(space.low, np.float32), np.array(space.high, np.float32))
    assert np.abs(ours[:, :6].sum(0)).max() > 1e-3
    np.testing.assert_allclose(STEP * chunk.actions[0, :, :6].sum(0), ours[:, :6].sum(0), atol=1e-5)
    assert np.abs(chunk.actions).max() <= 1.0


def test_the_loop_on_the_page_drives_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A robot whose clock is its own: 30 rows are carried out, 50 ms apart, and the pose follows them."""
    state, clock, when = make_rows(0)[0][8], [0.0], []

    def send_action(row: np.ndarray) -> np.ndarray:
        state[:6] += STEP * row[:6]
        when.append(clock[0])
        return row

    robot = ModuleType("my_robot")
    vars(robot).update(
        read_cameras=lambda: {"head": make_part(0, 1).pictures[HEAD][0]}, read_state=lambda: state,
        send_action=send_action,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "my_robot", robot)
    monkeypatch.chdir(place)
    (block,) = read_blocks("read_recordings.md", "python")
    before = state.copy()
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: clock[0])
        patched.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
        exec(compile(block, "read_recordings.md", "exec"), {"__name__": "page"})
    np.testing.assert_allclose(when, np.arange(30) / RATE, atol=1e-9)
    assert np.abs(state - before)[:6].max() > 1e-4
    assert capsys.readouterr().out.strip() == f"('head',) {tuple(STATE_NAMES)} {tuple(ACTION_NAMES)} 20.0"


def test_imagined_actions_are_judged_as_displacements(place: Path, tmp_path: Path) -> None:
    words = ["--policy", str(place / "runs/mine"), "--data", str(place / "set"), "--out", str(tmp_path), "--json"]
    assert cli.main(["imagine", *words, "--windows", "4"]) == 0
    figures = json.loads((tmp_path / "result.json").read_text())
    assert figures["joint_error_rad"] is None and figures["ee_error_m_or_rad"] is None
    for name in ("ee_chunk_error_m_or_rad", "ee_chunk_error_m_or_rad_still"):
        assert 1e-4 < figures[name] < 0.5, "metres and radians over 640 ms, not twentieths of them"
    assert 0.0 <= figures["gripper_error_stroke"] <= 1.0
