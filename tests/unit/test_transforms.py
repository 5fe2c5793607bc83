"""What goes into the model comes out again; still joints neither count nor explode."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from spaces import make_arm

from aim.data import transforms
from aim.data.transforms import MIN_SCALE, Transform
from sim.types import UserError

SPACE = make_arm(2, 1)
JOINTS = (True, True, False)
NUMBERS = st.floats(-3, 3, width=32)


def fitted(seed: int, spread: tuple[float, ...] = (0.5, 2.0, 0.4)) -> Transform:
    """Return the transform of normal data with these standard deviations."""
    draw = np.random.default_rng(seed)
    state = draw.normal(size=(500, 3)).astype(np.float32)
    target = state + draw.normal(size=(500, 3)).astype(np.float32) * np.float32(spread)
    apart = transforms.relative(target[:, None], state, JOINTS)[:, 0]
    return Transform(SPACE, SPACE, transforms.measure(apart), transforms.measure(state))


@given(
    action=arrays.arrays(np.float32, (2, 5, 3), elements=NUMBERS),
    state=arrays.arrays(np.float32, (2, 3), elements=NUMBERS),
    seed=st.integers(0, 9),
)
def test_out_is_the_inverse_of_in(action: np.ndarray, state: np.ndarray, seed: int) -> None:
    transform = fitted(seed)
    back = transform.action_out(transform.action_in(action, state), state)
    np.testing.assert_allclose(back, action, atol=1e-5)


@given(
    action=arrays.arrays(np.float32, (4, 5, 3), elements=NUMBERS),
    state=arrays.arrays(np.float32, (4, 3), elements=NUMBERS),
)
def test_absolute_is_the_inverse_of_relative(action: np.ndarray, state: np.ndarray) -> None:
    apart = transforms.relative(action, state, JOINTS)
    np.testing.assert_allclose(transforms.absolute(apart, state, JOINTS), action, atol=1e-6)
    np.testing.assert_array_equal(apart[..., 2], action[..., 2])  # a gripper is not relative


def test_scale_and_unscale_are_inverses_and_quantiles_become_one() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (4000, 2)).astype(np.float32)
    scale = transforms.measure(x)
    z = scale.normalise(x)
    np.testing.assert_allclose(scale.unnormalise(z), x, atol=1e-5)
    np.testing.assert_allclose(np.quantile(z, [0.01, 0.99], axis=0), [[-1, -1], [1, 1]], atol=0.05)


def test_the_middle_is_that_of_the_quantiles_however_the_rows_are_spread() -> None:
    squares = (np.arange(101, dtype=np.float64) ** 2)[:, None]  # 1 % and 99 % of them are 1 and 99²
    scale = transforms.measure(squares)
    assert scale.middle[0] == pytest.approx((1 + 9801) / 2) and scale.half[0] == pytest.approx((9801 - 1) / 2)


def test_a_still_joint_holds_its_place_and_does_not_count() -> None:
    transform = fitted(0, spread=(0.5, 1e-5, 0.4))
    assert transform.action.moves == (True, False, True)
    state = np.array([[0.3, -0.7, 0.5]], np.float32)
    wild = np.full((1, 4, 3), 50.0, np.float32)
    held = transform.action_out(wild, state)
    np.testing.assert_allclose(held[0, :, 1], -0.7, atol=1e-4)
    assert (transform.action_in(state[:, None] + 1.0, state)[..., 1] == 0.0).all()


def test_a_joint_that_hardly_moves_is_not_blown_up() -> None:
    x = np.random.default_rng(0).normal(0.0, 0.001, (1000, 1)).astype(np.float32)
    scale = transforms.measure(x)
    assert scale.moves == (True,)
    assert np.abs(scale.normalise(x)).max() < 0.004 / (MIN_SCALE / 2)


def test_a_rare_move_stays_of_the_order_of_one() -> None:
    x = np.zeros((1000, 1), np.float32)
    x[:5] = 1.0  # a gripper that closes in one sample of two hundred
    z = transforms.measure(x).normalise(x)
    assert np.abs(z).max() <= 2 * transforms.MAX_SCALED_VALUE


def test_states_far_outside_are_held() -> None:
    assert np.abs(fitted(0).state_in(np.full((1, 3), 1e6, np.float32))).max() == transforms.MAX_SCALED_VALUE


def test_json_both_ways() -> None:
    transform = fitted(3)
    assert transforms.from_json(transforms.to_json(transform)) == transform
    other = dataclasses.replace(transform, mapped=False, robot="panda", size=(240, 320), recorded_hz=None)
    assert transforms.from_json(transforms.to_json(other)) == other != transform


def test_an_older_transform_is_refused_in_one_line(tmp_path: Path) -> None:
    raw = json.loads(transforms.to_json(fitted(3)))
    del raw["schema"]
    (tmp_path / "transform.json").write_text(json.dumps(raw))
    with pytest.raises(
        UserError, match=r"transform.json has schema None; this version reads 'aim.transform/1'$"
    ) as error:
        transforms.read(tmp_path, "", 3)
    assert "\n" not in str(error.value)


def test_what_is_another_robots_is_refused() -> None:
    transform = dataclasses.replace(fitted(3), robot="panda")
    assert transforms.demand(transform, "panda", 3, "here") is transform
    with pytest.raises(UserError, match=r"^here: transform.json is of robot 'panda', run.json of 'aloha'$"):
        transforms.demand(transform, "aloha", 3, "here")
    with pytest.raises(UserError, match=r"^here: transform.json has 3 channels, run.json 8$"):
        transforms.demand(transform, "panda", 8, "here")


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps({"schema": transforms.TRANSFORM_SCHEMA, "action": 1})])
def test_damaged_json_is_the_users_error(text: str) -> None:
    with pytest.raises(UserError):
        transforms.from_json(text)
