"""A first mapping is right about what statistics can tell, marks what it guessed, and is read as it is written."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from lerobot_set import ACTION, HEAD, STATE, WRIST, Part, counted_part, edit_info, edit_tables, embed_images, write
from memory_set import MemorySet

from aim import cli
from aim.data.action_space import ChannelKind
from aim.data.channel_guess import guess_stroke
from aim.data.formats.lerobot import LeRobotSet
from aim.data.mapped import check_mapping, read_recorded
from aim.data.mapping import RobotMapping
from aim.data.mapping_file import parse_mapping
from aim.data.scaffold import write_scaffold
from sim.types import UserError

FRAMES, FPS = 120, 25
Convert = Callable[[np.ndarray], np.ndarray]
JOINTS = ["shoulder", "elbow", "wrist", "gripper"]


def swing(episode: int) -> np.ndarray:
    """Joints (FRAMES + 1, 3) that swing, in radians, and a gripper from 0 to 1."""
    seconds = np.arange(FRAMES + 1)[:, None] / FPS
    joints = 0.8 * np.sin(seconds * [1.3, 0.9, 1.7] + [0.1, 1.0, 2.0] + episode)
    return np.concatenate([joints, 0.5 + 0.5 * np.sin(seconds + episode)], 1)


def write_set(
    path: Path, state: Callable[[np.ndarray], np.ndarray], action: Callable[[np.ndarray], np.ndarray]
) -> Path:
    """Write two episodes whose rows are functions of `swing`, (FRAMES + 1, 4) to (FRAMES, 4)."""
    parts = [
        Part(state(swing(e)).astype(np.float32), action(swing(e)).astype(np.float32), counted_part(e, FRAMES).pictures)
        for e in range(2)
    ]
    return write(path, parts, names=JOINTS)


def degrees(rows: np.ndarray) -> np.ndarray:
    """Degrees and per cent."""
    return np.concatenate([np.rad2deg(rows[:, :3]), 100 * rows[:, 3:]], 1)


def differences(rows: np.ndarray) -> np.ndarray:
    """Differences of joints, a gripper as it is."""
    return np.concatenate([np.diff(rows[:, :3], axis=0), rows[1:, 3:]], 1)


def scaffold(path: Path) -> tuple[str, RobotMapping]:
    """First mapping of a set, as text and as it is read."""
    text = write_scaffold(LeRobotSet(path))
    return text, parse_mapping(tomllib.loads(text), "scaffold")


@pytest.mark.parametrize(
    ("state", "action", "units", "kind", "stroke"),
    [
        (lambda r: r[:-1], lambda r: r[1:], "radians", "joint_position", (0.0, 1.0)),
        (lambda r: degrees(r[:-1]), lambda r: degrees(r[1:]), "degrees", "joint_position", (0.0, 100.0)),
        (lambda r: r[:-1], differences, "radians", "joint_delta", (0.0, 1.0)),
        (lambda r: degrees(r[:-1]), lambda r: differences(degrees(r)), "degrees", "joint_delta", (0.0, 100.0)),
    ],
)
def test_units_kinds_and_strokes_follow_from_the_numbers(
    tmp_path: Path, state: Callable, action: Callable, units: str, kind: ChannelKind, stroke: tuple[float, float],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = write_set(tmp_path / "set", state, action)
    text, mapping = scaffold(path)
    assert (mapping.units, mapping.kind) == (units, kind)
    assert mapping.gripper["gripper"].state == mapping.gripper["gripper"].action == stroke
    assert mapping.names == tuple(JOINTS) and not mapping.scale
    assert [line for line in text.splitlines() if line.startswith(("units", "kind")) and "GUESS" not in line] == []
    data = read_recorded(LeRobotSet(path), mapping)
    assert capsys.readouterr().err == "", "what it wrote follows"
    true = swing(0)
    np.testing.assert_allclose(data.motion(data.episodes[0]).state[::4], true[: FRAMES - 2 : 2][: 60 - 1], atol=1e-4)


@pytest.mark.parametrize("unit", [1.0, 180 / np.pi])
@pytest.mark.parametrize("gain", [0.01, 0.05, 3.0])
@pytest.mark.parametrize("names", [("shoulder", "elbow", "wrist"), ("x", "y", "yaw")])
def test_displacements_that_are_a_fraction_get_their_scale(
    unit: float, gain: float, names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the state in whatever unit, whatever the numbers of the action; a pose is in metres and radians."""
    unit = 1.0 if names[0] == "x" else unit
    swings = [unit * swing(e)[:, :3] for e in range(2)]
    recorded = MemorySet([(rows[:-1], np.diff(rows, axis=0) / gain) for rows in swings], names, names)
    mapping = parse_mapping(tomllib.loads(write_scaffold(recorded)), "scaffold")
    assert mapping.kind == ("ee_delta" if names[0] == "x" else "joint_delta")
    data = read_recorded(recorded, mapping)
    assert "times its action" not in capsys.readouterr().err
    move, true = data.motion(data.episodes[1]), swing(1)[:, :3]
    np.testing.assert_allclose(move.state[::4], true[: FRAMES - 2 : 2][: len(move.state[::4])], atol=1e-4)
    np.testing.assert_allclose(move.action.sum(0), true[len(move.action) // 2] - true[0], rtol=0.02, atol=2e-3)


def test_counts_of_servos_get_their_scale(tmp_path: Path) -> None:
    def count(rows: np.ndarray) -> np.ndarray:
        return np.round(rows * [652, 652, 652, 2000] + [2048, 2048, 2048, 1000])

    path = write_set(tmp_path / "set", lambda r: count(r[:-1]), lambda r: count(r[1:]))
    _, mapping = scaffold(path)
    assert mapping.scale["shoulder"].state == (pytest.approx(2 * np.pi / 4096), pytest.approx(-np.pi))
    data = read_recorded(LeRobotSet(path), mapping)
    assert np.abs(data.motion(data.episodes[0]).state[:, :3]).max() < 1.1


def test_an_action_of_other_names_is_paired_and_the_rest_is_state_only(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", lambda r: r[:-1], differences)
    features = json.loads((path / "meta/info.json").read_text())["features"]
    features[STATE] |= {"shape": [5], "names": ["x", "y", "z", "finger", "force"]}
    features[ACTION] |= {"names": ["dx", "dy", "dz", "gripper"]}
    edit_info(path, features=features)
    edit_tables(path, lambda columns: columns | {STATE: [[*row, 9.5] for row in columns[STATE]]})
    text, mapping = scaffold(path)
    assert mapping.names == ("x", "y", "z", "finger") and mapping.action_names == ("dx", "dy", "dz", "gripper")
    assert mapping.state_only == ("force",) and mapping.kind == "ee_delta"
    assert "GUESS: which action belongs to which state" in text


def test_cameras_get_short_names_and_wrists_come_last(tmp_path: Path) -> None:
    parts = [dataclasses.replace(counted_part(0, 30), tasks=())]
    path = embed_images(write(tmp_path / "set", parts), parts)
    text, mapping = scaffold(path)
    assert {name: camera.feature for name, camera in mapping.cameras.items()} == {
        "top": HEAD, "gripper_cam_wrist": WRIST,
    }  # fmt: skip
    assert mapping.text and "[text]" in text


NAME_LISTS = st.lists(st.sampled_from([*"abcxyz", "grip", "dx", "1"]), min_size=1, max_size=5)


@settings(deadline=None)
@given(state=NAME_LISTS, action=NAME_LISTS, seed=st.integers(0, 99))
def test_whatever_channels_are_called_the_first_mapping_fits(state: list[str], action: list[str], seed: int) -> None:
    """Every channel of both has a place of its own, and those of one name belong together."""
    assume(len({*state}) == len(state) and len({*action}) == len(action))
    joints = np.cumsum(np.random.default_rng(seed).normal(0, 0.03, (2, FRAMES + 1, 5)), 1)
    rows = [(each[:-1, : len(state)], each[1:, : len(action)]) for each in joints]
    recorded = MemorySet(rows, state, action)
    mapping = parse_mapping(tomllib.loads(write_scaffold(recorded)), "scaffold")
    check_mapping(recorded, mapping)
    assert sorted(mapping.state_channels) == sorted(state) and sorted(mapping.action_channels) == sorted(action)
    pairs = list(zip(mapping.names, mapping.action_names, strict=True))
    assert {name for name in state if name in action} == {name for name, other in pairs if name == other}
    assert all(name not in action for name, other in pairs if name != other)


@pytest.mark.parametrize("name", ["None", "", " ", "arm", "\u00fcber\u00adarm", '"\x7f'])
@pytest.mark.parametrize("folder", [".", "/", "a/b", "set", "a\nb\x7f", " "])
def test_a_robot_always_has_a_name(name: str, folder: str) -> None:
    rows = [(swing(0)[:-1], swing(0)[1:])]
    recorded = MemorySet(rows, JOINTS, JOINTS, robot=name, path=Path(folder))
    mapping = parse_mapping(tomllib.loads(write_scaffold(recorded)), "scaffold")
    assert mapping.robot.strip() and (mapping.robot == name or name.strip() in ("", "None"))


ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=4)
LABELS = st.lists(
    st.one_of(ANY_TEXT, st.sampled_from(["", "0", "1", "00", "a", "a", "state:1", "grip"])), min_size=1, max_size=5
)
NUMBERS = st.one_of(st.floats(-5000, 5000), st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e17]))


@settings(deadline=None, max_examples=60)
@given(st.data(), LABELS, LABELS, st.lists(ANY_TEXT, min_size=1, max_size=4, unique=True), ANY_TEXT, st.integers(1, 30))
def test_a_first_mapping_of_any_set_is_read_and_fits(
    data: st.DataObject, state: list[str], action: list[str], cameras: list[str], robot: str, length: int
) -> None:
    """Whatever channels, cameras and the robot are called, whatever the numbers, each has a place of its own."""
    values = [
        data.draw(hnp.arrays(np.float64, (length, len(names)), elements=NUMBERS, fill=NUMBERS))
        for names in (state, action)
    ]
    recorded = MemorySet([(values[0], values[1])], state, action, robot=robot, cameras=tuple(cameras), tasks=())
    shown = [camera for camera in cameras if camera.strip()]
    if not shown:
        with pytest.raises(UserError, match="set has no camera"):
            write_scaffold(recorded)
        return
    mapping = parse_mapping(tomllib.loads(write_scaffold(recorded)), "scaffold")
    check_mapping(recorded, mapping)
    assert len(mapping.state_channels) == len(state) and len(mapping.action_channels) == len(action)
    assert sorted(camera.feature for camera in mapping.cameras.values()) == sorted(shown)


def test_a_number_that_is_the_name_of_another_channel_is_written_with_zeros() -> None:
    rows = swing(0)
    recorded = MemorySet([(rows[:-1], rows[1:])], ["0", "a", "a", "1"], ["0", "a", "a", "1"])
    assert parse_mapping(tomllib.loads(write_scaffold(recorded)), "scaffold").names == ("0", "01", "2", "1")


def test_numbers_that_are_not_finite_hide_no_others() -> None:
    whole = swing(0)
    holes = np.where(np.random.default_rng(0).random(whole.shape) < 0.1, np.nan, whole)
    found = [
        write_scaffold(MemorySet([(rows[:-1], rows[1:])], JOINTS, JOINTS)).replace(str(np.abs(rows).max()), "")
        for rows in (whole, holes)
    ]
    assert found[0] == found[1]


def test_cameras_of_like_names_are_all_there() -> None:
    cameras = ("x.a_2", "y.a", "z.a", "w.a")
    recorded = MemorySet([(swing(0)[:-1], swing(0)[1:])], JOINTS, JOINTS, cameras=cameras)
    mapping = parse_mapping(tomllib.loads(write_scaffold(recorded)), "scaffold")
    assert sorted(camera.feature for camera in mapping.cameras.values()) == sorted(cameras)


def test_half_a_character_is_a_line() -> None:
    with pytest.raises(UserError, match=r"the name '\\ud800' holds half a character"):
        write_scaffold(MemorySet([(swing(0)[:-1], swing(0)[1:])], JOINTS, JOINTS, robot="\ud800"))


@pytest.mark.parametrize("turn", [2 * np.pi, 360.0, 4096])
@pytest.mark.parametrize("wraps", [False, True])
def test_angles_jump_within_an_episode_alone(turn: float, wraps: bool) -> None:
    """Where one episode ends at one end of a joint's range and the next begins at the other, nothing wrapped."""
    ends = [swing(0)[:, :2] / (2 * np.pi) * 0.2 + place for place in (0.12, 0.88)]
    if wraps:
        ends[1][40:, 0] -= 0.85
    rows = [(turn * (each - 0.5 * (turn < 4096)), turn * (each - 0.5 * (turn < 4096))) for each in ends]
    recorded = MemorySet([(state[:-1], action[1:]) for state, action in rows], "ab", "ab")
    mapping = parse_mapping(tomllib.loads(write_scaffold(recorded)), "scaffold")
    assert mapping.wrap == (("a",) if wraps else ())


@pytest.mark.parametrize("names", [("roll", "x"), ("joint", "other")])
@pytest.mark.parametrize("start", [0.0, np.pi])
@pytest.mark.parametrize("deltas", [False, True])
def test_what_turns_over_is_listed_whatever_its_kind(names: tuple[str, str], start: float, deltas: bool) -> None:
    """An angle of a joint or of a pose; a position in millimetres jumps as far and is no angle."""
    true = np.pi + swing(0)[:, :2]
    true[:, 1] = 200.0 + 9.0 * (np.arange(FRAMES + 1) % 30 == 0) if names[1] == "x" else true[:, 1] - np.pi
    state = true.copy()
    state[:, 0] = (true[:, 0] - start) % (2 * np.pi) + start - np.pi
    action = np.diff(true, axis=0) if deltas else state[1:]
    mapping = parse_mapping(tomllib.loads(write_scaffold(MemorySet([(state[:-1], action)], names, names))), "scaffold")
    assert mapping.kind.startswith("ee" if names[0] == "roll" else "joint")
    assert mapping.wrap == ((names[0],) if np.abs(np.diff(state[:, 0])).max() > 5 else ())


@pytest.mark.parametrize(
    ("low", "high", "stroke"),
    [(0, 0.039, (0, 0.04)), (0, 0.07, (0, 0.08)), (0, 0.96, (0, 1)), (2, 97, (0, 100)), (0, 250, (0, 255)),
     (-1, 1, (-1, 1)), (-90, 80, (-100, 100)), (5, 5, (5, 6)), (2000, 3000, (2000, 3000))],
)  # fmt: skip
def test_strokes_are_usual_ones_or_the_extremes(low: float, high: float, stroke: tuple[float, float]) -> None:
    assert guess_stroke(np.array([low, high, low])) == stroke


@pytest.mark.parametrize("state", [(0.0, 1.0), (0.0, 0.08), (-1.0, 1.0)])
@pytest.mark.parametrize("action", [(0.0, 1.0), (1.0, 0.0), (0.0, 100.0), (100.0, 0.0), (-1.0, 1.0), (1.0, -1.0)])
def test_a_gripper_that_is_asked_the_other_way_has_its_action_turned(
    state: tuple[float, float], action: tuple[float, float]
) -> None:
    """Whether or not both have the same range; what is asked and what is measured are alike then."""
    opening = swing(0)[:, 3:]
    rows = [low + (high - low) * opening for low, high in (state, action)]
    recorded = MemorySet([(rows[0][:-1], rows[1][1:])], ["gripper"], ["gripper"])
    mapping = parse_mapping(tomllib.loads(write_scaffold(recorded)), "scaffold")
    assert (mapping.gripper["gripper"].state, mapping.gripper["gripper"].action) == (state, action)


def test_a_set_without_actions_is_a_line(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", lambda r: r[:-1], lambda r: r[1:])
    features = json.loads((path / "meta/info.json").read_text())["features"]
    del features[ACTION]
    edit_info(path, features=features)
    with pytest.raises(UserError, match=f"has no feature of actions; it has {STATE}"):
        write_scaffold(LeRobotSet(path))


def test_the_verbs_of_data_know_recorded_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_set(tmp_path / "set", lambda r: r[:-1], lambda r: r[1:])
    assert cli.main(["data", "map", str(path)]) == 0
    assert parse_mapping(tomllib.loads(capsys.readouterr().out), "map").names == tuple(JOINTS)
    for verb in ("info", "verify"):
        assert cli.main(["data", verb, str(path), "--json"]) == 0
        heard = capsys.readouterr()
        found = json.loads(heard.out.splitlines()[-1])
        assert (found["episodes"], found["frames"], found["fps"], found["ok"]) == (2, 2 * FRAMES, FPS, True)
        assert "2 episodes, 240 frames at 25 a second" in heard.err
    edit_tables(path, lambda columns: columns | {STATE: [[np.nan, *row[1:]] for row in columns[STATE]]})
    assert cli.main(["data", "verify", str(path), "--json"]) == 2
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert not found["ok"] and len(found["problems"]) == 2 and "is not finite at frame 0" in found["problems"][0]
    assert cli.main(["data", "map", str(tmp_path / "nothing"), "--json"]) == 2
    assert "is no recorded set" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
