"""A mapping says what is what, is refused where it says anything else, and is undone by its inverse."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from lerobot_set import TOML
from memory_set import MemorySet, map_joints

from aim.data import mapping_file
from aim.data.action_space import ChannelKind
from aim.data.conversion import convert_rows, find_angle_jump, find_far_target, nearest_turn, unwrap_angles
from aim.data.mapping import CameraMapping, ChannelRange, RobotMapping
from aim.data.mapping_file import parse_mapping
from aim.data.recorded import EpisodeRows
from aim.evaluate.prediction_metrics import ACTION_ERRORS
from sim.types import UserError

EXAMPLE = Path(__file__).parents[2] / "docs/own_robot.toml"
OWN: RobotMapping = parse_mapping(tomllib.loads(TOML), "toy.toml")
WIDE = """
robot = "arm"
[cameras]
head = {from = "top", fit = "crop", ratio = 1.25}
wrist = "hand"
[joints]
state = ["joints", "gripper"]
action = "action"
names = ["a", "b", "grip"]
action_names = ["da", "db", 6]
state_only = ["force"]
action_only = ["base"]
units = "degrees"
kind = "joint_delta"
wrap = ["b"]
[kinds]
b = "joint_position"
base = "ee_delta"
[scale]
a = {state = [0.00153398, -3.14159], action = [0.05, 0.0]}
[gripper]
grip = {state = [0.0, 0.08], action = [1.0, -1.0]}
[clock]
tolerance_s = 0.02
[episodes]
without = [3, 7]
"""


def parse_text(text: str) -> RobotMapping:
    """Parse a mapping."""
    return parse_mapping(tomllib.loads(text), "toy.toml")


@given(x=arrays.arrays(np.float64, (3, 3), elements=st.floats(-300, 300)))
def test_conversions_are_inverses(x: np.ndarray) -> None:
    for mapping, width in ((OWN, 3), (parse_text(WIDE), 4)):
        rows = np.resize(x, (3, width))
        np.testing.assert_allclose(mapping.state_to_set(mapping.state_from_set(rows)), rows, atol=1e-9)
        np.testing.assert_allclose(mapping.action_from_set(mapping.action_to_set(rows)), rows, atol=1e-9)


def test_joints_become_radians_and_grippers_shares() -> None:
    rows = np.array([[180.0, -90.0, 5.0], [0.0, 0.0, 105.0]])
    for ours in (OWN.state_from_set(rows), OWN.action_from_set(rows)):
        np.testing.assert_allclose(ours, [[np.pi, -np.pi / 2, 0.0], [0.0, 0.0, 1.0]])
    pair = ChannelRange((0.08, 0.0), (0.08, 0.0))  # a gripper that counts down
    plain = dataclasses.replace(OWN, units="radians", gripper={"grip": pair})
    np.testing.assert_allclose(plain.state_from_set(np.array([1.0, -2.0, 0.02])), [1.0, -2.0, 0.75])


def test_state_and_action_differ_in_channels_kinds_and_ranges() -> None:
    mapping = parse_text(WIDE)
    assert mapping.state_channels == ("a", "b", "grip", "force")
    assert mapping.action_channels == ("da", "db", "6", "base")
    assert mapping.action_labels == ("a", "b", "grip", "base")
    assert mapping.state_kinds == ("joint_position", "joint_position", "gripper", "joint_position")
    assert mapping.action_kinds == ("joint_delta", "joint_position", "gripper", "ee_delta")
    state = mapping.state_from_set(np.array([2048.0, 180.0, 0.02, 57.0]))
    np.testing.assert_allclose(state[:3], [2048 * 0.00153398 - 3.14159, np.pi, 0.25])
    action = mapping.action_from_set(np.array([1.0, 180.0, 0.5, 0.3]))
    np.testing.assert_allclose(action, [0.05, np.pi, 0.25, 0.3])  # what is given in metres stays in metres
    assert mapping.wraps_state.tolist() == mapping.wraps_action.tolist() == [False, True, False, False]
    deltas = dataclasses.replace(mapping, scale={})  # "a" is a displacement in degrees
    np.testing.assert_allclose(deltas.action_from_set(np.array([90.0, 180.0, 0.5, 0.3])), [np.pi / 2, np.pi, 0.25, 0.3])
    assert mapping.cameras["head"] == CameraMapping("top", "crop", 1.25)
    assert mapping.cameras["wrist"] == CameraMapping("hand", "letterbox", 1.0)


def test_a_mapping_may_do_without_state() -> None:
    text = WIDE.replace('state = ["joints", "gripper"]\n', "").replace('state_only = ["force"]\n', "")
    mapping = parse_text(text)
    assert mapping.state_channels == () == mapping.state_kinds
    assert mapping.state_from_set(np.zeros((5, 0))).shape == (5, 0)
    assert len(mapping.action_kinds) == 4


def test_the_example_is_read_and_json_goes_both_ways() -> None:
    own = mapping_file.read_mapping(EXAMPLE)
    assert list(own.cameras) == ["head", "right_wrist"]
    assert own.action_kinds == ("joint_position",) * 5 + ("gripper",)
    for each in (own, OWN, parse_text(WIDE)):
        assert mapping_file.mapping_from_json(mapping_file.mapping_to_json(each)) == each
        assert mapping_file.compare_mappings(each, each) == []


def test_any_change_is_a_difference() -> None:
    pair = ChannelRange((0.0, 1.0), (0.0, 1.0))
    changes = {
        "units": "radians", "names": ("y", "x", "grip"), "gripper": {"grip": pair}, "text": "", "robot": "b",
        "cameras": dict(reversed(list(OWN.cameras.items()))), "state": ("s",), "action_names": ("x", "y", "g"),
        "kind": "joint_delta", "kinds": {"x": "joint_delta"}, "scale": {"x": pair}, "wrap": ("x",),
        "state_only": ("z",), "action_only": ("z",), "action": ("a",),
    }  # fmt: skip
    for name, value in changes.items():
        assert mapping_file.compare_mappings(OWN, dataclasses.replace(OWN, **{name: value})), name
    fields = {field.name for field in dataclasses.fields(OWN)}
    assert fields - set(changes) == {"clock_tolerance_s", "only", "without"}  # which decide what is read, not how
    assert mapping_file.compare_mappings(OWN, dataclasses.replace(OWN, units="radians")) == [
        "joints.units is 'degrees', not 'radians'"
    ]


@given(
    angles=arrays.arrays(np.float64, (20, 2), elements=st.floats(-0.9, 0.9)), start=st.floats(-3, 3),
    lead=st.floats(-1.5, 1.5),
)  # fmt: skip
def test_wrapping_angles_take_the_short_way(angles: np.ndarray, start: float, lead: float) -> None:
    """Whatever a joint does, the wrapped recording gives back its turning and the lead of its targets."""
    true = start + np.cumsum(angles, 0)
    wraps = np.array([True, True])
    state = unwrap_angles(wrap(true), wraps)
    np.testing.assert_allclose(np.diff(state, axis=0), np.diff(true, axis=0), atol=1e-9)
    np.testing.assert_allclose(nearest_turn(wrap(true + lead), state, wraps) - state, lead, atol=1e-9)
    untouched = np.array([False, False])
    np.testing.assert_array_equal(unwrap_angles(wrap(true), untouched), wrap(true))


def wrap(angles: np.ndarray) -> np.ndarray:
    """Angles within half a turn of 0."""
    return (angles + np.pi) % (2 * np.pi) - np.pi


def test_a_joint_that_jumps_by_a_turn_is_named() -> None:
    turned = np.float64([[0.0, 3.0, 0.0], [0.1, -3.1, 1.0], [0.2, -3.0, 0.0]])
    joints, names = np.array([True, True, False]), ("x", "y", "grip")
    assert find_angle_jump(turned, joints, names) == "'y' jumps by 6.1 radians after frame 0"
    assert find_angle_jump(turned[1:], joints, names) == find_angle_jump(turned[:1], joints, names) == ""
    assert find_angle_jump(turned * [1.0, 0.1, 9.0], joints, names) == "", "a gripper is no angle"
    assert (
        find_far_target(turned[1:], turned[:-1], joints, names)
        == "'y' is 6.1 radians from the measured angle at frame 0"
    )


@pytest.mark.parametrize("kind", ["ee_pose", "joint_position"])
@pytest.mark.parametrize("part", ["state", "action", "both", "apart", "action alone"])
@pytest.mark.parametrize("centre", [0.0, np.pi])
def test_whatever_angle_jumps_by_a_turn_is_refused_unless_it_wraps(kind: str, part: str, centre: float) -> None:
    """A joint, or a roll of a pose; beside it metres, quaternions that turn over, and millimetres are let pass."""
    smooth = np.pi - centre + 0.3 * np.sin(np.arange(60) / 5)
    jumps = wrap(smooth - centre) + centre
    state, action = jumps if part in ("state", "both") else smooth, jumps if part in ("action", "both") else smooth
    if part == "apart":
        state, action = np.full(60, centre - 3.1), np.full(60, centre + 3.1)
    beside = np.stack([np.where(np.arange(60) < 30, 1.0, -1.0), 200.0 + 5.5 * (np.arange(60) % 2)], 1)
    rows = tuple(np.column_stack([each, beside]) for each in (state, action if part != "action alone" else jumps))
    joints = {"kind": "ee_pose", "state": [] if part == "action alone" else "state"}
    mapping = dataclasses.replace(map_joints("abc", **joints), kinds={"a": kind})
    recorded = MemorySet([(rows[0], rows[1])], "abc", "abc")
    ((number, found),) = recorded.read_rows([0], ("state", "action"))
    assert isinstance(found, EpisodeRows)
    with pytest.raises(UserError, match=r"'a' (jumps by|is) 6\.\d radians .*; list it in \[joints\] wrap"):
        convert_rows(recorded, mapping, number, found)
    followed = convert_rows(recorded, dataclasses.replace(mapping, wrap=("a",)), number, found)
    assert np.abs(np.diff(followed.action[:, 0])).max() < 0.1


def test_numbers_that_cannot_be_are_named() -> None:
    low, high = np.float64([-1.0, 1.0, 0.0]), np.float64([1.0, 2.0, 1.2])
    assert OWN.find_range_error("state", low, high) == "" == OWN.find_range_error("action", low, high)
    far = np.float64([-90.0, 0.0, 0.0])
    assert "x reaches 90 radians in the state, where units is 'degrees'" in OWN.find_range_error("state", far, far)
    said = OWN.find_range_error("action", np.zeros(3), np.float64([0.0, 0.0, 3.0]))
    assert said == "grip reaches from 5 to 305 in the action, its range in [gripper] is [5.0, 105.0]"
    said = OWN.find_range_error("state", np.float64([0.0, 0.0, -0.75]), np.ones(3))
    assert said == "grip reaches from -70 to 105 in the state, its range in [gripper] is [5.0, 105.0]"
    force = np.float64([0.0, 0.0, 0.0, 500.0])
    assert parse_text(WIDE).find_range_error("state", force, force) == ""  # a state-only channel may be anything


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        (
            'robot = "toyarm"',
            "",
            "^toy.toml: lacks robot$",
        ),
        ('robot = "toyarm"', 'robot = "toyarm"\njoint = 1', "^toy.toml: has no field 'joint'; did you mean 'joints'"),
        ('robot = "toyarm"', "robot = 3", "robot must be str, not 3"),
        ('units = "degrees"', 'units = "turns"', "units is 'turns'; valid are 'degrees', 'radians'"),
        ('units = "degrees"', "", "toml: joints lacks units"),
        ('names = ["x", "y", "grip"]', 'names = ["x", "x", "grip"]', "names a channel twice"),
        ('names = ["x", "y", "grip"]', 'names = "x"', "joints.names must be a list, not 'x'"),
        ('names = ["x", "y", "grip"]', 'names = ["x"]', r"\[gripper\] has 'grip', which is none of the names x"),
        ("grip = [5.0, 105.0]", "grip = [5.0]", r"gripper.grip must be \[value .*action = \[...\]}, not \[5.0\]$"),
        ("grip = [5.0, 105.0]", "grip = 3", r"gripper.grip must be \[value where closed, value .*}, not 3$"),
        ("grip = [5.0, 105.0]", "grip = {state = [5.0], action = 3}", r"grip.state has too few values: \[5.0\]"),
        ("grip = [5.0, 105.0]", "grip = [5.0, 5.0]", r"must be \[value where closed, value where open\]"),
        ("[text]", "[words]", "has no field 'words'; it has robot, cameras, joints"),
        ('default = "do it"', "default = 1", "text.default must be str"),
        (
            'units = "degrees"',
            'units = "degrees"\nkind = "delta"',
            "kind is 'delta'; valid are 'joint_position', 'joint_delta', 'ee_",
        ),
        (
            'units = "degrees"',
            'units = "degrees"\nwrap = ["z"]',
            r"wrap has 'z', which is none of the names x, y, grip",
        ),
        ('units = "degrees"', 'units = "degrees"\nstate_only = ["x"]', "names a channel twice"),
        ("[gripper]", '[kinds]\nx = "ee"\n[gripper]', "kinds.x is 'ee'; valid are"),
        ("[gripper]", '[kinds]\nw = "ee_pose"\n[gripper]', r"\[kinds\] has 'w', which is none of the names"),
        ("[gripper]", "[scale]\nx = [0.0, 1.0]\n[gripper]", r"\[scale\] x must not be 0"),
        ("[gripper]", "[scale]\ngrip = [1.0, 1.0]\n[gripper]", r"'grip' stands in \[scale\] and in \[gripper\]"),
        ("[gripper]", '[scale]\nx = [1.0, 1.0]\n[kinds]\nx = "joint_delta"\n[gripper]', "whose offset must be 0"),
        ("grip = [5.0, 105.0]", "grip = {state = [0.0, 1.0]}", "gripper.grip lacks action"),
        ("[text]", "[clock]\ntolerance_s = -1\n[text]", "tolerance_s must be greater than 0, not -1"),
        ("[text]", '[episodes]\nwithout = ["1"]\n[text]', r"episodes.without\[0\] must be int, not '1'"),
        (
            'head = "observation.images.top"',
            'head = {from = "a", fit = "pad"}',
            "fit is 'pad'; valid are 'letterbox', 'crop'",
        ),
        ('head = "observation.images.top"', 'head = {fit = "crop"}', "cameras.head lacks from"),
        (
            'head = "observation.images.top"',
            'head = {from = "a", ratio = 0}',
            "ratio must be greater than or equal to 0.1, not 0",
        ),
        ('head = "observation.images.top"', 'head = {form = "a"}', "has no field 'form'; did you mean 'from'"),
        ("grip = [5.0, 105.0]", "grip = [0.0, inf]", "must be two finite numbers"),
        ("grip = [5.0, 105.0]", "grip = [0, 1, 2]", r"gripper.grip must be \[value .*not \[0, 1, 2\]$"),
        ("grip = [5.0, 105.0]", "grip = {state = [0, 1, 2]}", r"gripper.grip.state has too many values: \[0, 1, 2\]$"),
        ("[gripper]", "[scale]\nx = 3\n[gripper]", r"scale.x must be \[scale, offset\], or {state = \[...\], .*not 3"),
        ("[gripper]", "[scale]\nx = 2024-01-01\n[gripper]", r"scale.x must be \[scale, offset\]"),
        ('robot = "toyarm"', "robot = 2024-01-01", "robot must be str, not {'date': '2024-01-01'}"),
        ('default = "do it"', "default = 07:32:00", "text.default must be str, not {'date': '07:32:00'}"),
        ('names = ["x", "y", "grip"]', 'names = ["x", "y", 2024-01-01, "grip"]', r"joints.names\[2\] must be str"),
        ('head = "observation.images.top"', '"" = "observation.images.top"', "has a camera without a name"),
        ('head = "observation.images.top"', '" " = "observation.images.top"', "has a camera without a name"),
        (
            'head = "observation.images.top"',
            "head = 2024-01-01",
            "cameras.head must be the name of a feature, or {from",
        ),
        ('action = "action"', "action = 3", "joints.action must be the name of a feature, or a list of such, not 3"),
        ('action = "action"', "action = {a = 1}", "joints.action must be the name of a feature, or a list of such"),
        (
            'head = "observation.images.top"',
            "head = 1",
            "cameras.head must be the name of a feature, or {from = NAME, .*}, not 1$",
        ),
    ],
)
def test_a_mistake_is_one_line(there: str, instead: str, said: str) -> None:
    assert there in TOML
    with pytest.raises(UserError, match=said) as told:
        parse_mapping(tomllib.loads(TOML.replace(there, instead, 1)), "toy.toml")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("kind", get_args(ChannelKind))
@pytest.mark.parametrize("channel", ["x", "grip", "force"])
@pytest.mark.parametrize("how", ["kinds", "kind"])
@pytest.mark.parametrize("table", ["scale", "gripper"])
def test_what_would_be_ignored_is_refused(kind: ChannelKind, channel: str, how: str, table: str) -> None:
    """A kind beside a range in [gripper], a scale of a gripper: whatever is accepted decides how a channel is read."""
    raw = tomllib.loads(TOML.split("[gripper]")[0])
    raw["joints"] |= {"state_only": ["force"]} | ({"kind": kind} if how == "kind" else {})
    raw |= {"kinds": {channel: kind} if how == "kinds" else {}, table: {channel: [2.0, 0.0]}}
    said = how == "kinds" or (channel != "force" and table == "scale")  # usual kinds give way to [gripper]
    if said and (kind == "gripper") != (table == "gripper"):
        with pytest.raises(UserError, match=rf"toy.toml: '{channel}' is a {kind} .*stands in \[{table}\]"):
            parse_mapping(raw, "toy.toml")
        return
    mapping = parse_mapping(raw, "toy.toml")
    place = mapping.state_channels.index(channel)
    assert (mapping.state_kinds[place] == "gripper") == (table == "gripper")
    rows = np.zeros(len(mapping.state_channels))
    rows[place] = 2.0
    assert mapping.state_from_set(rows)[place] == (4.0 if table == "scale" else 0.0)


def test_a_file_that_is_none_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the mapping"):
        mapping_file.read_mapping(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("robot = ")
    with pytest.raises(UserError, match="is not TOML"):
        mapping_file.read_mapping(tmp_path / "bad.toml")


@pytest.mark.parametrize("size", [1, 100, 200, 4301])
@pytest.mark.parametrize("text", [
    lambda size: "1" * size, lambda size: "0x" + "f" * size, lambda size: "0." + "1" * size,
    lambda size: "9e" + "9" * size,
    lambda size: "[" * size + "]" * size, lambda size: "{a = " * size + "1" + "}" * size, lambda size: '"' + "x" * size,
    lambda size: "1\na" + ".a" * size + " = 1",
])  # fmt: skip
def test_whatever_a_file_holds_is_a_mapping_or_one_line(tmp_path: Path, text: Callable[[int], str], size: int) -> None:
    """However long its numbers, however deep its tables."""
    file = tmp_path / "big.toml"
    file.write_text(TOML.split("[cameras]")[0] + "joints = " + text(size))
    with pytest.raises(UserError) as error:
        mapping_file.read_mapping(file)
    assert "\n" not in str(error.value) and "big.toml" in str(error.value)


@pytest.mark.parametrize("units", ["degrees", "radians"])
@pytest.mark.parametrize("kind", ["ee_pose", "ee_delta"])
def test_a_joint_that_slides_stays_in_metres_beside_joints_in_any_unit(units: str, kind: str) -> None:
    text = TOML.replace('"degrees"', f'"{units}"') + f'[kinds]\ny = "{kind}"\n'
    rows = np.array([[90.0, 0.4, 55.0]])
    mapping = parse_text(text)
    turn = np.pi / 2 if units == "degrees" else 90.0
    for found in (mapping.state_from_set(rows), mapping.action_from_set(rows)):
        np.testing.assert_allclose(found, [[turn, 0.4, 0.5]])
    assert mapping.state_kinds == ("joint_position", "ee_pose", "gripper")
    assert ACTION_ERRORS[mapping.action_kinds[1]].endswith("m_or_rad"), "apart from the errors of joints in radians"


def test_targets_are_followed_over_turns_and_displacements_are_left_as_they_are() -> None:
    """Of "a" the displacement, of "b" the target, and of "base", which has no state, the target alone."""
    joints = {"kind": "joint_delta", "wrap": ["a", "b", "base"], "action_only": ["base"]}
    plain = map_joints("ab", **joints)
    mapping = dataclasses.replace(plain, kinds={"b": "joint_position", "base": "joint_position"})
    state = np.float64([[0.0, 3.0], [0.0, -3.1], [0.0, -3.0]])
    action = np.float64([[5.0, 3.1, 3.0], [-5.0, -3.0, -3.0], [0.1, -2.9, -2.9]])
    recorded = MemorySet([(state, action)], "ab", ("a", "b", "base"))
    recorded.tasks = ("first", "second")
    ((number, rows),) = recorded.read_rows([0], ("state", "action"))
    assert isinstance(rows, EpisodeRows)
    found = convert_rows(recorded, mapping, number, rows)
    assert found.instruction == "first"
    turn = 2 * np.pi
    np.testing.assert_allclose(found.state, [[0.0, 3.0], [0.0, turn - 3.1], [0.0, turn - 3.0]])
    np.testing.assert_allclose(
        found.action, [[5.0, 3.1, 3.0], [-5.0, turn - 3.0, turn - 3.0], [0.1, turn - 2.9, turn - 2.9]]
    )
