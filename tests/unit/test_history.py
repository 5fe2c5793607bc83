"""What a policy remembers: pictures of about one latent frame ago, and what was carried out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aim.policy import history as histories
from aim.policy.history import (
    History,
    forget_worlds,
    make_history,
    recall_actions,
    recall_frames,
)
from aim.policy.observation import check_observation
from aim.util.horizons import check_horizon, list_horizons
from sim.types import Observation, UserError

STRIDE, DIM = 16, 3


def make_tokens(value: float, worlds: int = 1) -> torch.Tensor:
    return torch.full((worlds, 2, 4), float(value))


def look(history: History, step: int) -> History:
    """The history after an observation at a control step, whose tokens say when it was."""
    now = np.array([step])
    history = histories.record_step(history, now)
    planned = np.full((1, 32, DIM), float(step), np.float32) + np.arange(32, dtype=np.float32)[None, :, None] / 100
    return replace(history, seen=(*history.seen, (now, make_tokens(step))), handed_out=planned)


@pytest.mark.parametrize(("step", "known"), [(12, False), (13, True), (16, True), (19, True), (20, False)])
def test_a_picture_counts_within_60_ms_of_one_latent_frame_ago(step: int, known: bool) -> None:
    history = histories.record_step(look(make_history(1, STRIDE, DIM), 0), np.array([step]))
    past, valid = recall_frames(history, make_tokens(-1.0), 1, STRIDE)
    assert valid.tolist() == [known]
    assert past[0, 0, 0, 0] == (0.0 if known else -1.0)


def test_the_nearest_picture_is_taken() -> None:
    history = make_history(1, STRIDE, DIM)
    for step in (6, 8, 9, 16):
        history = look(history, step)
    past, valid = recall_frames(histories.record_step(history, np.array([25])), make_tokens(-1.0), 1, STRIDE)
    assert valid.all() and past[0, 0, 0, 0] == 9.0


@given(jitter=st.lists(st.floats(-0.015, 0.015), min_size=12, max_size=12), phase=st.floats(0.0, 1 / 30))
def test_a_camera_of_30_hz_with_15_ms_of_jitter_keeps_the_history_known(jitter: list[float], phase: float) -> None:
    """A look every 16 control steps shows the newest picture of the camera, whose stamp is off by some ms."""
    history, known = make_history(1, STRIDE, DIM), []
    for look_number, noise in enumerate(jitter):
        wanted = 0.32 * look_number + 0.05
        stamp = np.floor((wanted - phase) * 30) / 30 + phase + noise
        step = round(max(stamp, 0.0) * 50)
        history = look(history, step)
        past, valid = recall_frames(replace(history, seen=history.seen[:-1]), make_tokens(-1.0), 1, STRIDE)
        known.append(bool(valid[0]) and bool(recall_actions(history)[1][0]))
        if valid[0]:
            assert abs(past[0, 0, 0, 0] - (step - STRIDE)) <= histories.HISTORY_TOLERANCE_STEPS
    assert all(known[1:])


def test_planned_actions_count_as_carried_out_until_the_next_look() -> None:
    history = look(look(make_history(1, 4, DIM), 0), 3)
    actions, known = recall_actions(history)
    assert known.all()  # three of four: some may be missing
    np.testing.assert_allclose(actions[0, :, 0], [0.0, 0.0, 0.01, 0.02])
    later, _ = recall_actions(histories.record_step(history, np.array([5])))
    np.testing.assert_allclose(later[0, :, 0], [0.01, 0.02, 3.0, 3.01])


def test_what_was_carried_out_instead_is_believed() -> None:
    history = look(make_history(1, 4, DIM), 0)
    done = np.full((1, 6, DIM), 7.0, np.float32)
    actions, known = recall_actions(histories.record_step(history, np.array([6]), done))
    assert known.all() and (actions == 7.0).all()


@pytest.mark.parametrize("late", [0, 1, 3, 40, 10**6])
@pytest.mark.parametrize("horizon", [1, 3, 16])
def test_what_was_not_handed_out_was_not_carried_out(horizon: int, late: int) -> None:
    """Until a robot has more to do it holds the last target, and nothing is displaced."""
    chunk = np.arange(1, 33, dtype=np.float32)[None, :, None].repeat(DIM, 2)
    handed_out = histories.hold_last_action(chunk[:, :horizon], np.array([False, True, False]))
    history = replace(histories.record_step(make_history(1, STRIDE, DIM), np.array([0])), handed_out=handed_out)
    actions, known = recall_actions(histories.record_step(history, np.array([horizon + late])))
    done = np.arange(horizon + min(late, 2 * STRIDE)) + 1
    if known[0]:
        target, moved = (each[-STRIDE:] for each in (np.minimum(done, horizon), np.where(done > horizon, 0, done)))
        assert actions[0, -len(target) :, 0].tolist() == actions[0, -len(target) :, 2].tolist() == target.tolist()
        assert actions[0, -len(moved) :, 1].tolist() == moved.tolist()
    assert known[0] == (horizon + late >= STRIDE - histories.HISTORY_TOLERANCE_STEPS)


def test_each_world_did_what_it_says() -> None:
    history = histories.record_step(make_history(2, 4, DIM), np.array([0, 0]))
    done = np.stack([np.full((2, DIM), 7.0), np.full((2, DIM), 8.0)]).astype(np.float32)
    history = histories.record_step(history, np.array([2, 2]), done)
    assert history.executed[:, :, 0].tolist() == [[0, 0, 7, 7], [0, 0, 8, 8]]
    history = replace(history, handed_out=done * 10)
    history = histories.record_step(history, np.array([4, 3]))
    assert history.executed[:, :, 0].tolist() == [[7, 7, 70, 70], [0, 8, 8, 80]]


def test_three_missing_actions_are_held_and_four_are_not_known() -> None:
    history = look(make_history(1, STRIDE, DIM), 0)
    actions, known = recall_actions(histories.record_step(history, np.array([STRIDE - 3])))
    assert known.all()
    np.testing.assert_allclose(actions[0, :3, 0], [0.0, 0.0, 0.0])
    assert actions[0, 4, 0] == pytest.approx(0.01)
    assert not recall_actions(histories.record_step(history, np.array([STRIDE - 4])))[1].any()


def test_a_model_without_history_recalls_nothing_and_lacks_nothing() -> None:
    history = histories.record_step(look(make_history(1, 0, DIM), 0), np.array([5]))
    actions, known = recall_actions(history)
    assert actions.shape == (1, 0, DIM) and known.all()
    assert recall_frames(history, make_tokens(0.0), 0, STRIDE)[1].all()


def test_worlds_that_restart_at_different_times_keep_few_frames_and_no_frame_that_is_needed() -> None:
    history, reach = make_history(4, STRIDE, DIM), STRIDE + histories.HISTORY_TOLERANCE_STEPS
    now, tick = np.zeros(4, np.int64), 8
    for look_number in range(200):
        now = np.where((look_number + np.arange(4) * 7) % 23 == 0, 0, now + tick)
        history = histories.record_step(history, now, np.zeros((4, tick, DIM), np.float32))
        valid = recall_frames(history, make_tokens(-1.0, 4), 1, STRIDE)[1]
        history = histories.record_frame(history, now, make_tokens(look_number, 4), reach)
        assert (valid == (now - history.began >= STRIDE)).all()
        assert len(history.seen) <= reach // tick + 1


def test_a_forgotten_world_and_one_whose_time_runs_back_begin_anew() -> None:
    history = look(look(make_history(1, STRIDE, DIM), 0), 16)
    for again in (forget_worlds(history, np.array([True])), history):
        begun = histories.record_step(again, np.array([4]))
        assert begun.began.tolist() == [4]
        assert not recall_actions(begun)[1].any()
        assert not recall_frames(begun, make_tokens(0.0), 1, STRIDE)[1].any()


@pytest.mark.parametrize("horizon", [16, 8, 5, 4, 2, 1, 19, 13])
def test_execution_horizons_that_meet_the_history_are_accepted(horizon: int) -> None:
    check_horizon(STRIDE, horizon, 32, 1)


@pytest.mark.parametrize("horizon", [0, 10, 12, 20, 32, 33, -4])
def test_execution_horizons_that_never_meet_it_are_refused_with_those_that_do(horizon: int) -> None:
    with pytest.raises(UserError, match=r"320 ms apart and predicts 32 control steps; valid are 1, 2, .*8, .*16"):
        check_horizon(STRIDE, horizon, 32, 1)


def test_without_past_pictures_any_horizon_within_the_chunk_fits() -> None:
    check_horizon(STRIDE, 32, 32, 0)
    with pytest.raises(UserError, match="valid are 1, 2"):
        check_horizon(STRIDE, 33, 32, 0)


@pytest.mark.parametrize(("rate", "horizons"), [
    (10.0, [1, 3]), (20.0, [1, 2, 3, 6, 7]), (50.0, [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 18, 19]),
])  # fmt: skip
def test_horizons_are_counted_in_rows_of_the_robot(rate: float, horizons: list[int]) -> None:
    assert list_horizons(STRIDE, 32, 1, rate) == horizons
    assert list_horizons(STRIDE, 32, 0, rate)[-1] == int(0.64 * rate)
    with pytest.raises(UserError, match=rf"^execution horizon 60.* does not fit: .*valid are 1, .*{horizons[-1]}$"):
        check_horizon(STRIDE, 60, 32, 1, rate)


@given(rate=st.sampled_from([10.0, 15.0, 20.0, 29.97, 30.0, 50.0, 60.0]), data=st.data(), start=st.floats(0, 1))
def test_a_robot_that_looks_at_its_own_rate_keeps_the_history_known(
    rate: float, data: st.DataObject, start: float
) -> None:
    horizon, history = data.draw(st.sampled_from(list_horizons(STRIDE, 32, 1, rate))), make_history(1, STRIDE, DIM)
    for number in range(3 + int(0.7 * rate / horizon)):
        seconds = start + number * horizon / rate
        history = look(history, round(50 * seconds))
        valid = recall_frames(replace(history, seen=history.seen[:-1]), make_tokens(-1.0), 1, STRIDE)[1]
        assert valid[0] or seconds - start < 0.38


GOOD = Observation(
    {"head": np.zeros((2, 8, 8, 3), np.uint8)}, np.zeros((2, DIM), np.float32), ("press", "push"), np.zeros(2)
)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"state": np.full((2, DIM), np.nan, np.float32)}, "state has numbers that are not finite"),
        ({"state": np.zeros((2, DIM + 1), np.float32)}, "state must be an array of floating, any x 3"),
        ({"state": np.zeros((2, DIM), np.int64)}, r"state must be .* it is of int64"),
        ({"state": [[0.0] * DIM] * 2}, r"state must be .* it is list"),
        ({"state": np.zeros((0, DIM), np.float32)}, "state must be"),
        ({"time": np.array([0.0, np.inf])}, "time has numbers that are not finite"),
        ({"time": np.array([0.0, -1.0])}, "time must be seconds since the reset"),
        ({"time": np.zeros(3)}, "time must be an array of floating, 2"),
        ({"instruction": "press"}, "instruction must be 2 texts"),
        ({"instruction": ("press",)}, "instruction must be 2 texts"),
        ({"instruction": ("press", None)}, "instruction must be 2 texts"),
        ({"images": {}}, "the policy needs cameras head; there is no head"),
        ({"images": {"head": np.zeros((2, 8, 8, 3), np.float32)}}, r"images\['head'\] must be .* it is of float32"),
        ({"images": {"head": np.zeros((2, 8, 8), np.uint8)}}, r"images\['head'\] must be an array of uint8, 2 x any"),
        ({"images": {"head": np.zeros((2, 8, 8, 4), np.uint8)}}, r"images\['head'\]"),
        ({"images": {"head": np.zeros((1, 8, 8, 3), np.uint8)}}, r"images\['head'\]"),
        ({"images": {"head": np.zeros((2, 0, 8, 3), np.uint8)}}, r"images\['head'\] must be .* 2 x 0 x 8 x 3"),
        ({"images": {"head": np.zeros((2, 8, 0, 3), np.uint8)}}, r"images\['head'\] must be .* 2 x 8 x 0 x 3"),
        ({"executed": np.full((2, 4, DIM), np.nan)}, "executed has numbers that are not finite"),
        ({"executed": np.zeros((2, DIM))}, "executed must be"),
        ({"executed": np.zeros((2, 4, DIM + 1))}, "executed must be an array of floating, 2 x any x 3"),
    ],
)
def test_an_observation_that_is_not_valid_is_refused_by_field(change: dict[str, object], named: str) -> None:
    check_observation(GOOD, ("head",), DIM, DIM)
    with pytest.raises(UserError, match=named):
        check_observation(replace(GOOD, **change), ("head",), DIM, DIM)


DEEP = replace(
    GOOD, depth={"head": np.full((2, 8, 8), np.nan, np.float32)}, intrinsics={"head": np.eye(3)},
    extrinsics={"head": np.tile(np.eye(4), (2, 1, 1))},
)  # fmt: skip


@pytest.mark.parametrize(("part", "value", "named"), [
    *((part, None, f"there is no {part} of head") for part in ("depth", "intrinsics", "extrinsics")),
    ("depth", np.zeros((2, 8, 8, 1), np.float32), r"depth\['head'\] must be an array of floating, 2 x any x any"),
    ("depth", np.zeros((2, 0, 8), np.float32), r"depth\['head'\] must be"),
    ("depth", np.zeros((2, 8, 8), np.uint16), r"depth\['head'\] must be .* it is of uint16"),
    ("intrinsics", np.eye(4), r"intrinsics\['head'\] must be an array of floating, 3 x 3"),
    ("intrinsics", np.zeros((3, 3)), r"intrinsics\['head'\] must be the matrix of a camera; it has no inverse"),
    ("intrinsics", np.full((3, 3), np.nan), r"intrinsics\['head'\] has numbers that are not finite"),
    ("extrinsics", np.eye(4), r"extrinsics\['head'\] must be an array of floating, 2 x 4 x 4"),
    ("extrinsics", [np.eye(4)] * 2, r"extrinsics\['head'\] must be .* it is list"),
])  # fmt: skip
def test_depth_that_cannot_be_read_is_refused_by_field_and_camera(part: str, value: object, named: str) -> None:
    """Pixels without a reading are no fault; a policy that needs no depth does not ask for it."""
    given = replace(DEEP, **{part: {} if value is None else {"head": value}})
    check_observation(DEEP, ("head",), DIM, DIM, depth=True)
    check_observation(given, ("head",), DIM, DIM)
    with pytest.raises(UserError, match=named) as error:
        check_observation(given, ("head",), DIM, DIM, depth=True)
    assert "\n" not in str(error.value)
