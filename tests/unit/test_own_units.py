"""What learned from a recorded set acts in the set's units, under its names, at its rate."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import numpy as np
import pytest
from delta_arm import ACTION_NAMES, DELTA_TOML, RATE, STATE_NAMES, STEP, make_policy, make_rows
from memory_set import MemorySet, map_joints
from served import write_checkpoint

from aim.commands.serve import serve_policy
from aim.data.mapped import read_recorded
from aim.data.mapping_file import parse_mapping
from aim.data.source import Source
from aim.policy import LearnedPolicy, OwnUnitsPolicy
from aim.policy.history import History
from aim.serve.server import PolicyServer
from sim.types import ActionChunk, Observation, UserError

pytestmark = pytest.mark.usefixtures("one_thread")
SIZE = (48, 64)


class Watched(LearnedPolicy):
    """A learned policy that keeps what it was shown, what it planned, and its histories."""

    def __init__(self, *parts: object, **options: object) -> None:
        """Keep nothing yet."""
        super().__init__(*parts, **options)  # pyright: ignore
        self.shown: list[Observation] = []
        self.planned: list[ActionChunk] = []
        self.histories: list[History] = []

    def step(self, observation: Observation, history: History) -> tuple[ActionChunk, History]:
        """Step, and keep."""
        made, after = super().step(observation, history)
        self.shown.append(observation)
        self.planned.append(made)
        self.histories.append(after)
        return made, after


def watch(source: Source) -> Watched:
    """Policy that keeps what it is shown."""
    made = make_policy(source, Watched)
    assert isinstance(made, Watched)
    return made


@pytest.fixture(scope="module")
def source() -> Source:
    """The set in memory."""
    mapping = parse_mapping(tomllib.loads(DELTA_TOML.replace("observation.images.top", "top")), "delta.toml")
    mapping = dataclasses.replace(mapping, state=("state",))
    return Source(read_recorded(MemorySet([make_rows(e) for e in range(3)], STATE_NAMES, ACTION_NAMES, RATE), mapping))


@pytest.fixture
def policy(source: Source) -> Watched:
    """Policy with random weights."""
    return watch(source)


def observe(state: np.ndarray, seconds: float, executed: np.ndarray | None = None) -> Observation:
    """What one robot sees."""
    images = {"head": np.full((1, *SIZE, 3), 200, np.uint8)}
    sent = None if executed is None else executed[None].astype(np.float32)
    return Observation(images, state[None].astype(np.float32), ("wave",), np.array([seconds]), executed=sent)


def plan(policy: LearnedPolicy, chunk: ActionChunk) -> np.ndarray:
    """Chunk (k d) of control steps within the bounds of the recordings."""
    space = policy.action_space
    return np.clip(chunk.actions[0], np.array(space.low, np.float32), np.array(space.high, np.float32))


def test_spaces_have_the_names_units_and_rate_of_the_set(policy: Watched) -> None:
    own = OwnUnitsPolicy(policy)
    assert (own.rate_hz, own.execution_horizon, own.cameras) == (RATE, 6, ("head",))
    assert own.state_space.names == tuple(STATE_NAMES) and own.action_space.names == tuple(ACTION_NAMES)
    assert own.state_space.rate_hz == own.action_space.rate_hz == RATE
    rows = np.concatenate([make_rows(e)[1] for e in range(3)])
    assert own.action_space.kinds == ("ee_delta",) * 6 + ("gripper",)
    np.testing.assert_allclose(own.action_space.low, rows.min(0), atol=0.01)
    np.testing.assert_allclose(own.action_space.high, rows.max(0), atol=0.01)


@pytest.mark.parametrize("rate", [10.0, 15.0, 20.0, 30.0, 50.0, 60.0])
def test_a_chunk_moves_as_far_as_that_of_50_hz(source: Source, policy: Watched, rate: float) -> None:
    state = make_rows(0)[0][5]
    own = OwnUnitsPolicy(policy, rate_hz=rate)
    chunk = own.act(observe(state, 0.0))
    shown = policy.shown[-1]
    np.testing.assert_allclose(shown.state[0], source.own.state_from_set(state), rtol=1e-6)  # pyright: ignore
    assert shown.images["head"].shape == (1, 64, 64, 3), "letterboxed, as the recordings are"
    ours = plan(policy, make_policy(source).act(shown))
    assert chunk.actions.shape == (1, int(np.ceil(0.64 * rate - 1e-6)), 7) and chunk.actions.dtype == np.float32
    assert np.abs(ours[:, :6].sum(0)).max() > 1e-3
    np.testing.assert_allclose(STEP * chunk.actions[0, :, :6].sum(0), ours[:, :6].sum(0), atol=1e-5)
    places = np.arange(chunk.actions.shape[1]) * 50 / rate
    stroke = np.interp(places, np.arange(32), ours[:, 6])
    np.testing.assert_allclose(chunk.actions[0, :, 6], 1.0 - 2.0 * stroke, atol=1e-5)
    space = own.action_space
    assert (chunk.actions >= np.float32(space.low) - 1e-5).all() and (
        chunk.actions <= np.float32(space.high) + 1e-5
    ).all()


def test_actions_beyond_what_was_recorded_are_held(source: Source, policy: Watched) -> None:
    narrow = dataclasses.replace(policy.action_space, low=(-1e-4,) * 6 + (0.4,), high=(1e-4,) * 6 + (0.6,))
    policy.transform = dataclasses.replace(policy.transform, action_space=narrow)
    chunk = OwnUnitsPolicy(policy).act(observe(make_rows(0)[0][5], 0.0)).actions
    assert np.abs(STEP * chunk[..., :6]).max() <= 2.5e-4 * (1 + 1e-5)
    assert np.abs(chunk[..., 6]).max() <= 0.2 + 1e-5


@pytest.mark.parametrize("rate", [10.0, 20.0, 30.0, 60.0])
@pytest.mark.parametrize("horizon", [1, 3])
def test_executed_rows_come_back_with_their_displacement_and_time(policy: Watched, rate: float, horizon: int) -> None:
    own = OwnUnitsPolicy(policy, rate_hz=rate, execution_horizon=horizon)
    state, executed, sent = make_rows(0)[0][5], None, []
    for look in range(2 + int(0.7 * rate / horizon)):
        chunk = own.act(observe(state, look * horizon / rate, executed))
        executed = chunk.actions[0, : chunk.execution_horizon] * np.float32(0.5)  # the robot did but half of it
        sent.append(executed)
    given = np.concatenate([shown.executed[0] for shown in policy.shown if shown.executed is not None])
    assert abs(len(given) - (len(sent) - 1) * horizon * 50 / rate) <= 1
    done = np.concatenate(sent[:-1])
    last = np.abs(done[-2:, :6]).sum(0) * STEP  # a row that is shorter than a control step waits for the next look
    assert (np.abs(STEP * done[:, :6].sum(0) - given[:, :6].sum(0)) <= last * (rate > 50) + 1e-5).all()
    np.testing.assert_array_equal(policy.histories[-1].executed[0], given[-16:])
    assert (given[:, 6] >= -1e-6).all() and (given[:, 6] <= 1 + 1e-6).all()


def test_what_is_not_said_to_be_executed_is_the_plan_within_its_bounds(policy: Watched) -> None:
    own, state = OwnUnitsPolicy(policy), make_rows(0)[0][5]
    own.act(observe(state, 0.0))
    planned = plan(policy, policy.planned[-1])
    assert (planned != policy.planned[-1].actions[0]).any()
    own.act(observe(state, 0.3))
    assert policy.shown[-1].executed is None
    np.testing.assert_array_equal(policy.histories[-1].executed[0, 1:], planned[:15])


@pytest.mark.parametrize(("rate", "horizon"), [(10.0, 1), (20.0, 3), (30.0, 5), (50.0, 8), (60.0, 2)])
def test_rows_that_were_not_handed_out_were_not_carried_out(policy: Watched, rate: float, horizon: int) -> None:
    """Asked late, the robot has moved as far as the rows it was given, and holds the gripper of the last."""
    own, state = OwnUnitsPolicy(policy, rate_hz=rate, execution_horizon=horizon), make_rows(0)[0][5]
    rows = own.act(observe(state, 0.0)).executable[0]
    own.act(observe(state, 0.32))
    executed = policy.histories[-1].executed[0]
    assert policy.histories[-1].count.tolist() == [16]
    np.testing.assert_allclose(executed[:, :6].sum(0), STEP * rows[:, :6].sum(0), atol=1e-6)
    steps = int(np.ceil(horizon * 50 / rate))
    assert (executed[steps:, :6] == 0.0).all() and len(executed[steps:]) >= 3
    np.testing.assert_allclose(1.0 - 2.0 * executed[steps:, 6], rows[-1, 6], atol=1e-6)


def test_a_learned_policy_of_displacements_that_is_asked_late_has_stood_still(policy: Watched) -> None:
    seen = observe(np.zeros(8), 0.0)
    done = policy.act(seen).executable[0]
    policy.act(dataclasses.replace(seen, time=np.array([0.38])))
    assert policy.history is not None
    held = np.array([0.0] * 6 + [done[-1, 6]], np.float32)
    np.testing.assert_array_equal(policy.history.executed[0], [*done[3:], held, held, held])


def test_a_reset_begins_anew(policy: Watched) -> None:
    own, state = OwnUnitsPolicy(policy), make_rows(0)[0][5]
    first = own.act(observe(state, 0.0)).actions
    own.act(observe(state, 0.3))
    own.reset(np.array([True]))
    np.testing.assert_array_equal(own.act(observe(state, 0.0)).actions, first)
    assert policy.histories[-1].count.tolist() == [0]


@pytest.mark.parametrize("begin", ["executed", "waiting", "back in time"])
def test_no_row_of_an_attempt_comes_into_the_next(source: Source, begin: str) -> None:
    """Whatever was carried out before the first look of an attempt is no part of it, in the world that begins anew."""
    policy, state = watch(source), make_rows(0)[0][5]
    own = OwnUnitsPolicy(policy, rate_hz=60.0, execution_horizon=1)

    def look(times: tuple[float, float], values: tuple[float, float]) -> None:
        rows = np.float32(values)[:, None, None] * np.ones((2, 1, 7), np.float32)
        images = {"head": np.full((2, *SIZE, 3), 200, np.uint8)}
        states = state[None].repeat(2, 0).astype(np.float32)
        own.act(Observation(images, states, ("wave",) * 2, np.array(times), executed=rows))

    look((0.0, 5.0), (0.0, 0.0))
    if begin == "waiting":
        look((0.005, 5.005), (0.9, 0.1))  # no control step has passed: the rows wait
        own.reset(np.array([True, False]))
        look((0.0, 5.005), (0.0, 0.1))
    elif begin == "executed":
        own.reset(np.array([True, False]))
        look((0.0, 5.005), (0.9, 0.1))
    else:
        look((0.04, 5.0), (0.0, 0.0))
        look((0.0, 5.005), (0.9, 0.1))
    look((0.04, 5.04), (0.2, 0.1))
    shown = policy.shown[-1].executed
    assert shown is not None
    moved = np.abs(shown[:, :, :6].sum(1)) / STEP
    np.testing.assert_allclose(moved[0], 0.2, atol=1e-5)
    np.testing.assert_allclose(moved[1], 0.3 if begin == "waiting" else 0.2, atol=1e-5)


def test_angles_are_followed_over_their_turns_and_asked_for_near_where_they_are() -> None:
    true = np.linspace(2.6, 4.4, 61)[:, None] * [1.0, 0.0] + [0.0, 0.3]
    seen = (true + np.pi) % (2 * np.pi) - np.pi
    rows = [(seen[:-1], seen[1:]), (seen[::-1][:-1], seen[::-1][1:])]
    source = Source(read_recorded(MemorySet(rows, "ab", "ab", 20.0), map_joints("ab", wrap=["a"])))
    policy = watch(source)
    own = OwnUnitsPolicy(policy)
    for number, row in enumerate((3.0, 3.1, 3.3, 3.1)):
        executed = np.float32([[row - 2 * np.pi, 0.3]] * 6) if number else None
        wrapped = np.array([(row + np.pi) % (2 * np.pi) - np.pi, 0.3])
        chunk = own.act(observe(wrapped, 0.3 * number, executed))
        np.testing.assert_allclose(policy.shown[-1].state[0], [row, 0.3], atol=1e-5)
        target = np.interp(np.arange(13) * 2.5, np.arange(32), policy.planned[-1].actions[0, :, 0])
        np.testing.assert_allclose(chunk.actions[0, :, 0] - wrapped[0], target - row, atol=1e-5)
        assert np.abs(target - row).max() < np.pi
        if number:
            np.testing.assert_allclose(policy.histories[-1].executed[0, -1, 0], row, atol=1e-5)


def test_what_cannot_act_in_own_units_says_why(source: Source, policy: Watched, tmp_path: Path) -> None:
    mistakes = [
        ({"execution_horizon": 10}, {}, "execution horizon 10 at 20 Hz does not fit: .* valid are 1, 2, 3, 6, 7"),
        ({"rate_hz": 0.0}, {}, "rate_hz must be the robot's rows a second, above 0, not 0.0"),
        ({"rate_hz": float("nan")}, {}, "rate_hz must be"),
        ({"rate_hz": 1.0}, {}, "execution horizon 1 at 1 Hz does not fit: .* valid are none"),
        ({}, {"mapping": None}, "learned from the simulator"),
        ({}, {"mapping": map_joints("ab")}, "mapping.json is not the one that the policy learned by"),
        ({}, {"transform": dataclasses.replace(policy.transform, recorded_hz=None)}, "several rates; give rate_hz"),
    ]
    for options, changes, said in mistakes:
        other = watch(source)
        vars(other).update(changes)
        with pytest.raises(UserError, match=said) as error:
            OwnUnitsPolicy(other, **options)
        assert "\n" not in str(error.value)
    own = OwnUnitsPolicy(policy)
    with pytest.raises(UserError, match=r"observation\.state must be an array of floating, any x 8"):
        own.act(observe(np.zeros(7), 0.0))
    with pytest.raises(UserError, match=r"observation\.executed must be an array of floating, 1 x any x 7"):
        own.act(observe(np.zeros(8), 0.0, np.zeros((2, 6))))


@pytest.mark.parametrize(("flags", "rate"), [
    ({"own_units": True, "rate_hz": 30.0}, 30.0),
    ({"own_units": True}, r"several rates; give rate_hz \(--rate-hz\)"),
    ({"own_units": True, "rate_hz": -1.0}, "rate_hz must be the robot's rows a second"),
    ({"rate_hz": 30.0}, "--rate-hz goes with --own-units"),
    ({}, 50.0),
])  # fmt: skip
def test_what_learned_from_several_rates_is_served_at_the_rate_that_is_given(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: dict, rate: float | str
) -> None:
    policy, told = make_policy(source), []
    policy.transform = dataclasses.replace(policy.transform, recorded_hz=None)
    folder = write_checkpoint(policy, tmp_path)
    monkeypatch.setattr(PolicyServer, "serve_forever", lambda server: told.append(server.served.description))
    if isinstance(rate, str):
        with pytest.raises(UserError, match=rate) as error:
            serve_policy(folder, port=0, device="cpu", **flags)
        assert "\n" not in str(error.value)
        return
    serve_policy(folder, port=0, device="cpu", **flags)
    assert [(found.action_space.rate_hz, found.own_units) for found in told] == [(rate, "own_units" in flags)]
