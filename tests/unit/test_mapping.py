"""A mapping says what is what, is refused where it says anything else, and is undone by its inverse."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from lerobot_set import TOML

from aim.data import mapping
from aim.data.mapping import OwnRobot, parse
from sim.types import UserError

EXAMPLE = Path(__file__).parents[2] / "docs/own_robot.toml"
OWN: OwnRobot = parse(tomllib.loads(TOML), "toy.toml")


@given(x=arrays.arrays(np.float64, (3, 3), elements=st.floats(-300, 300)))
def test_ours_and_theirs_are_inverses(x: np.ndarray) -> None:
    np.testing.assert_allclose(OWN.theirs(OWN.ours(x)), x, atol=1e-9)
    np.testing.assert_allclose(OWN.ours(OWN.theirs(x)), x, atol=1e-9)


def test_joints_become_radians_and_grippers_shares() -> None:
    np.testing.assert_allclose(OWN.ours(np.array([[180.0, -90.0, 5.0], [0.0, 0.0, 105.0]]))[:, 0], [np.pi, 0.0])
    np.testing.assert_allclose(OWN.ours(np.array([[180.0, -90.0, 5.0], [0.0, 0.0, 105.0]]))[:, 2], [0.0, 1.0])
    plain = dataclasses.replace(OWN, units="radians", gripper={"grip": (0.08, 0.0)})  # a gripper that counts down
    np.testing.assert_allclose(plain.ours(np.array([1.0, -2.0, 0.02])), [1.0, -2.0, 0.75])
    assert OWN.relative == (True, True, False)


def test_the_example_is_read_and_json_goes_both_ways() -> None:
    own = mapping.read(EXAMPLE)
    assert list(own.cameras) == ["head", "right_wrist"]
    assert own.relative == (True,) * 5 + (False,)
    for each in (own, OWN):
        assert mapping.from_json(mapping.to_json(each)) == each
        assert mapping.differences(each, each) == []


def test_any_change_is_a_difference() -> None:
    changes = {
        "units": "radians", "names": ("y", "x", "grip"), "gripper": {"grip": (0.0, 1.0)}, "text": "", "robot": "b",
        "cameras": dict(reversed(list(OWN.cameras.items()))), "state": "s", "action_names": ("x", "y", "g"),
    }  # fmt: skip
    for name, value in changes.items():
        assert mapping.differences(OWN, dataclasses.replace(OWN, **{name: value})), name
    assert mapping.differences(OWN, dataclasses.replace(OWN, units="radians")) == [
        "joints.units is 'degrees', not 'radians'"
    ]


def test_a_wrapped_joint_is_named() -> None:
    turned = np.float64([[0.0, 3.0, 0.0], [0.1, -3.1, 1.0], [0.2, -3.0, 0.0]])
    assert OWN.leaps(turned) == "'y' leaps by 6.1 radians after frame 0"
    assert OWN.leaps(turned[1:]) == OWN.leaps(turned[:1]) == ""
    assert OWN.leaps(turned * [1.0, 0.1, 9.0]) == "", "a gripper is no angle"


def test_numbers_that_cannot_be_are_named() -> None:
    assert OWN.beyond(np.float32([[1.0, 1.0, 0.0], [-1.0, 2.0, 1.2]])) == ""
    assert "x reaches 90 radians" in OWN.beyond(np.float32([[-90.0, 0.0, 0.0]]))
    assert "grip reaches from 5 to 305, its range in [gripper] is [5.0, 105.0]" in OWN.beyond(
        np.float32([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    )


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ('robot = "toyarm"', "", "toy.toml lacks robot; valid are robot, cameras, joints, gripper, text"),
        ('robot = "toyarm"', 'robot = "toyarm"\njoint = 1', "unknown key 'joint'; valid are robot, cameras"),
        ('robot = "toyarm"', "robot = 3", "robot must be a text, not 3"),
        ('units = "degrees"', 'units = "turns"', "units is 'turns'; valid are degrees, radians"),
        ('units = "degrees"', "", r"\[joints\] lacks units; valid are state, action, names, units, action_names"),
        ('names = ["x", "y", "grip"]', 'names = ["x", "x", "grip"]', "names a channel twice"),
        ('names = ["x", "y", "grip"]', 'names = "x"', "must be a list of texts"),
        ('names = ["x", "y", "grip"]', 'names = ["x"]', r"\[gripper\] has 'grip', which is none of the names x"),
        ("grip = [5.0, 105.0]", "grip = [5.0]", r"must be \[value where closed, value where open\]"),
        ("grip = [5.0, 105.0]", "grip = [5.0, 5.0]", "no such range"),
        ("[text]", "[words]", "unknown key 'words'"),
        ('default = "do it"', "default = 1", r"\[text\] default must be a text"),
        ('head = "observation.images.top"', "head = 1", r"\[cameras\] head must be a text"),
    ],
)
def test_a_mistake_is_one_line(there: str, instead: str, said: str) -> None:
    assert there in TOML
    with pytest.raises(UserError, match=said) as told:
        parse(tomllib.loads(TOML.replace(there, instead, 1)), "toy.toml")
    assert "\n" not in str(told.value)


def test_a_file_that_is_none_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the mapping"):
        mapping.read(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("robot = ")
    with pytest.raises(UserError, match="is not TOML"):
        mapping.read(tmp_path / "bad.toml")
