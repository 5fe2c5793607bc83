"""What training would learn wrongly is reported before it: actions of another kind, what rests, freezes or jumps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aim.data.action_space import ChannelKind
from aim.data.conversion import EpisodeNumbers
from aim.data.mapping import CameraMapping, RobotMapping
from aim.data.motion_checks import check_motions, measure_following
from sim.types import UserError

FPS, CHANNELS = 30.0, 3
PLACE = Path("set")
OWN = RobotMapping(
    robot="arm", cameras={"head": CameraMapping("top")}, state=("state",), action=("action",), names=("a", "b", "c"),
    action_names=("a", "b", "c"), units="radians",
)  # fmt: skip
DELTAS = dataclasses.replace(OWN, kind="joint_delta")
seeds = st.integers(0, 10_000)


def swing(seed: int, frames: int = 150) -> NDArray[np.float64]:
    """Smooth motion (frames, CHANNELS) of joints that each swing in two frequencies."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames)[:, None, None] / FPS
    hertz, phase = rng.uniform(0.2, 0.8, (CHANNELS, 2)), rng.uniform(0, 6, (CHANNELS, 2))
    return (rng.uniform(0.2, 0.5, (CHANNELS, 2)) * np.sin(2 * np.pi * hertz * seconds + phase)).sum(2)


def record(seed: int, kind: ChannelKind, lag: int = 1) -> list[EpisodeNumbers]:
    """Three episodes whose state follows the action of a kind, `lag` frames later for a target."""
    found = []
    for number in range(3):
        state = swing(3 * seed + number)
        ahead = np.concatenate([state[lag:], np.repeat(state[-1:], lag, 0)])
        action = ahead if kind in ("joint_position", "ee_pose") else np.diff(state, axis=0, append=state[-1:])
        found.append(EpisodeNumbers(number, state, action, "do it"))
    return found


def change(numbers: list[EpisodeNumbers], **parts: NDArray[np.float64]) -> list[EpisodeNumbers]:
    """Replace parts of the second episode."""
    return [numbers[0], dataclasses.replace(numbers[1], **parts), numbers[2]]


@given(seed=seeds, lag=st.integers(1, 6))
def test_what_follows_is_not_reported(seed: int, lag: int) -> None:
    assert check_motions(OWN, record(seed, "joint_position", lag), FPS, PLACE) == []
    assert check_motions(DELTAS, record(seed, "joint_delta"), FPS, PLACE) == []


@given(seed=seeds, pose=st.booleans())
def test_actions_of_the_other_kind_are_refused(seed: int, pose: bool) -> None:
    kind = "ee_pose" if pose else "joint_position"
    other = "ee_delta" if pose else "joint_delta"
    targets, deltas = dataclasses.replace(OWN, kind=kind), dataclasses.replace(OWN, kind=other)
    with pytest.raises(UserError, match=f'differences, not targets; give the mapping .joints. kind = "{other}"'):
        check_motions(targets, record(seed, "joint_delta"), FPS, PLACE)
    with pytest.raises(UserError, match=f'targets, not differences; give the mapping .joints. kind = "{kind}"'):
        check_motions(deltas, record(seed, "joint_position"), FPS, PLACE)


@given(seed=seeds, gain=st.sampled_from([0.05, 0.5, 2.0, 20.0]))
def test_the_scale_of_displacements_is_told(seed: int, gain: float) -> None:
    numbers = [dataclasses.replace(each, action=each.action / gain) for each in record(seed, "joint_delta")]
    lines = check_motions(DELTAS, numbers, FPS, PLACE)
    assert len(lines) == CHANNELS and all(f"moves by {gain:g} times its action" in line for line in lines)


@given(seed=seeds)
def test_actions_of_another_recording_are_reported(seed: int) -> None:
    numbers = [dataclasses.replace(each, action=swing(seed + 77 + each.number)) for each in record(seed, "ee_pose")]
    state, action = (np.concatenate([vars(each)[part] for each in numbers]) for part in ("state", "action"))
    # by chance some channels are alike, at once or some frames later
    alike = [
        max(abs(np.corrcoef(state[lag:, i], action[: len(action) - lag, i])[0, 1]) for lag in range(6))
        for i in range(CHANNELS)
    ]
    unlike = [name for name, likeness in zip(OWN.names, alike, strict=True) if likeness < 0.2]
    assume(unlike)
    lines = " ".join(check_motions(OWN, numbers, FPS, PLACE))
    assert all(f"the state of '{name}' does not follow its action as joint_position" in lines for name in unlike)


@given(seed=seeds)
def test_an_action_that_is_the_state_is_reported(seed: int) -> None:
    numbers = [dataclasses.replace(each, action=each.state.copy()) for each in record(seed, "joint_position")]
    (line,) = check_motions(OWN, numbers, FPS, PLACE)
    assert line.startswith("the action equals the state in 100 % of the frames")


def test_a_set_at_rest_is_reported() -> None:
    still = [EpisodeNumbers(i, np.full((50, 3), 0.3), np.full((50, 3), 0.3), "do it") for i in range(2)]
    lines = check_motions(OWN, still, FPS, PLACE)
    assert [line.partition(":")[0] for line in lines] == ["nothing moves in the state", "nothing moves in the action"]


@given(seed=seeds, channel=st.integers(0, CHANNELS - 1))
def test_a_frozen_state_is_reported(seed: int, channel: int) -> None:
    numbers = record(seed, "joint_position")
    state = numbers[1].state.copy()
    state[:, channel] = state[0, channel]
    lines = check_motions(OWN, change(numbers, state=state), FPS, PLACE)
    name = OWN.names[channel]
    said = f"the state of '{name}' stands still while its action moves, in 1 of 3 episodes (first: 1)"
    assert said in lines


@given(seed=seeds, channel=st.integers(0, CHANNELS - 1), frame=st.integers(5, 140), sign=st.sampled_from([-1, 1]))
def test_a_jump_is_reported_with_its_frame(seed: int, channel: int, frame: int, sign: int) -> None:
    numbers = record(seed, "joint_position")
    state = numbers[1].state.copy()
    state[frame + 1 :, channel] += sign * 1.5
    lines = check_motions(OWN, change(numbers, state=state), FPS, PLACE)
    assert any(
        f"'{OWN.names[channel]}' jumps by" in line and f"after frame {frame} of episode 1" in line for line in lines
    )


@given(length=st.integers(1, 4))
def test_very_short_episodes_are_checked_too(length: int) -> None:
    numbers = [EpisodeNumbers(i, swing(i, length), swing(i, length), "do it") for i in range(2)]
    assert isinstance(check_motions(OWN, numbers, FPS, PLACE), list)


def test_a_set_without_state_has_nothing_to_follow() -> None:
    blind = dataclasses.replace(OWN, state=())
    numbers = [dataclasses.replace(each, state=np.zeros((150, 0))) for each in record(0, "joint_position")]
    assert check_motions(blind, numbers, FPS, PLACE) == []


@pytest.mark.parametrize("size", [5.8e-195, 1e-160, 1e-90])
def test_a_range_whose_square_underflows_is_no_motion(size: float) -> None:
    state, action = np.array([size, size, 0.0, size] * 3), np.zeros(12)
    found = measure_following([(state, action)], fps=4, min_range=0.0)
    assert found is None or np.isfinite([found.as_target, found.as_delta, found.correlation, found.gain]).all()
    assert (found is None) == (size < 1e-100)


@pytest.mark.parametrize("gain", [3.0, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_targets_in_other_numbers_than_the_state_are_followed_all_the_same(seed: int, gain: float) -> None:
    numbers = [dataclasses.replace(e, action=gain * e.action + 1.0) for e in record(seed, "joint_position")]
    found = measure_following([(each.state[:, 0], each.action[:, 0]) for each in numbers], FPS)
    assert found is not None and found.as_target < 0.0 and found.correlation > 0.9
    assert check_motions(OWN, numbers, FPS, PLACE) == []


def test_targets_that_are_reached_at_once_are_followed_however_fast_they_swing() -> None:
    """Two frames make a quarter of a period: 0.1 s after the action the state says nothing of it any more."""
    numbers = []
    for number in range(3):
        swings = 0.3 * np.sin(2 * np.pi * np.arange(151)[:, None] / 8 + np.arange(CHANNELS) + number)
        numbers.append(EpisodeNumbers(number, swings[:-1], swings[1:], "do it"))
    found = measure_following([(each.state[:, 0], each.action[:, 0]) for each in numbers], FPS)
    assert found is not None and found.as_target > 0.99 and abs(found.correlation) < 0.1
    assert check_motions(OWN, numbers, FPS, PLACE) == []
