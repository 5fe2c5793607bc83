"""State and action may differ in width and order: what is relative to what follows from names and kinds."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aim.data import transforms
from aim.data.action_space import CHANNEL_KINDS, ActionSpace, ChannelKind, find_references, find_relative
from aim.data.formats.simulated import describe_robot_space
from aim.data.transforms import Scale, Transform
from sim import robots

NAMES = "abcdefg"


def make_space(channels: dict[str, ChannelKind]) -> ActionSpace:
    """Space without bounds."""
    width = len(channels)
    return ActionSpace(tuple(channels), tuple(channels.values()), (-inf,) * width, (inf,) * width, (inf,) * width, 50.0)


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
    transform = Transform(find_relative(action, state), scale, still, references=references)
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
