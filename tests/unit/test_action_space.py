"""State and action may differ in width and order: what is relative to what follows from names and kinds."""

from __future__ import annotations

import dataclasses
import json
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spaces import make_space

from aim.data import transforms
from aim.data.action_space import (
    CHANNEL_KINDS,
    ActionSpace,
    find_channel_difference,
    find_references,
    find_relative,
    tabulate_space,
)
from aim.data.formats.simulated import describe_robot_space
from aim.data.transforms import Scale, Transform
from aim.util.decode import decode_json
from sim import robots
from sim.types import UserError

NAMES = "abcdefg"


spaces = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CHANNEL_KINDS), min_size=1).map(make_space)


@given(action=spaces, state=spaces)
def test_positions_are_relative_to_the_channel_of_their_name(action: ActionSpace, state: ActionSpace) -> None:
    relative = find_relative(action, state)
    for name, kind, place, is_relative in zip(
        action.names, action.kinds, find_references(action, state), relative, strict=True
    ):
        measured = name in state.names and not kind.endswith("delta")
        assert place == (state.names.index(name) if measured else -1)
        assert is_relative == (measured and kind != "gripper")


@given(action=spaces, state=spaces, seed=st.integers(0, 99))
def test_actions_go_to_the_model_and_back_whatever_the_state_is(
    action: ActionSpace, state: ActionSpace, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    chunk = rng.normal(size=(2, 5, len(action))).astype(np.float32)
    measured = rng.normal(size=(2, len(state))).astype(np.float32)
    scale = Scale((0.1,) * len(action), (2.0,) * len(action), (True,) * len(action))
    still = Scale((0.0,) * len(state), (1.0,) * len(state), (True,) * len(state))
    references = find_references(action, state)
    transform = Transform(state, action, scale, still)
    back = transform.action_out(transform.action_in(chunk, measured), measured)
    np.testing.assert_allclose(back, chunk, atol=1e-5)
    assert transforms.from_json(transforms.to_json(transform)) == transform
    held = transform.hold(measured)
    for channel, place in enumerate(references):
        np.testing.assert_array_equal(held[:, channel], measured[:, place] if place >= 0 else 0.0)


def test_a_channel_that_is_named_twice_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="named twice"):
        ActionSpace(("a", "a"), ("gripper", "gripper"), (0, 0), (1, 1), (1, 1), 50.0)


@pytest.mark.parametrize("name", robots.list_robots())
def test_a_robot_of_the_simulator_says_its_space(name: str) -> None:
    robot = robots.load_robot(name)
    space = describe_robot_space(robot)
    assert find_relative(space, space) == tuple(not gripper for gripper in robot.is_gripper)
    assert find_references(space, space) == tuple(range(len(space)))
    assert all(low < high for low, high in zip(space.low, space.high, strict=True))
    assert not space.is_delta.any()


bounds = st.floats(allow_nan=False, allow_infinity=True)


@given(space=spaces, data=st.data())
def test_a_space_goes_to_json_and_back_whatever_its_bounds(space: ActionSpace, data: st.DataObject) -> None:
    drawn = st.tuples(*[bounds.filter(lambda x: x != inf)] * len(space))
    low, high = data.draw(drawn), tuple(-x for x in data.draw(drawn))
    space = dataclasses.replace(space, low=low, high=high, rate_hz=data.draw(st.floats(1, 100)))
    text = json.dumps(tabulate_space(space), allow_nan=False)  # which JSON does not have
    assert decode_json(ActionSpace, text, "space") == space


@pytest.mark.parametrize(
    "change", [{"kinds": ["gripper", "wheel"]}, {"low": [0.0]}, {"names": ["a", "a"]}, {"names": [1, 2]}]
)
def test_a_damaged_space_is_refused(change: dict) -> None:
    raw = tabulate_space(make_space({"a": "gripper", "b": "ee_delta"}))
    with pytest.raises(UserError, match=r"^space"):
        decode_json(ActionSpace, json.dumps(raw | change), "space")


@given(one=spaces, two=spaces)
def test_spaces_differ_where_their_channels_do(one: ActionSpace, two: ActionSpace) -> None:
    assert (find_channel_difference(one, two) == "") == ((one.names, one.kinds) == (two.names, two.kinds))
    other = dataclasses.replace(one, low=(0.0,) * len(one), rate_hz=20.0)
    assert find_channel_difference(one, other) == "", "bounds and rates are not compared"


def test_the_first_difference_is_named() -> None:
    one, two = make_space({"x": "ee_delta", "grip": "gripper"}), make_space({"x": "ee_delta", "hand": "gripper"})
    assert find_channel_difference(one, two) == "channel 1 is hand (gripper), not grip (gripper)"
    three = make_space({"x": "ee_delta"})
    assert find_channel_difference(one, three) == "1 channels, x (ee_delta), not 2, x (ee_delta), grip (gripper)"
