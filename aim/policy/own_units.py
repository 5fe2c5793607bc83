"""A policy that learned from a recorded set acts as the set does: in its units, with its channels, at its rate.

`LearnedPolicy` predicts control steps of 20 ms in radians, metres and strokes. `OwnUnitsPolicy` wraps one: pictures are
those of the robot's cameras, state and actions are in the units of the recordings, and a chunk has one row for every
period of the robot. Targets and grippers are interpolated at the time of each row, displacements are summed over it, so
that a chunk moves as far at any rate. Actions are held within the bounds of the recorded ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aim.data.action_space import ActionSpace
from aim.data.conversion import TURN_RAD, nearest_turn
from aim.data.mapping import RobotMapping
from aim.data.recorded import Rows
from aim.data.resample import resample_chunk, resample_executed
from aim.policy.history import History, forget_worlds
from aim.policy.learned import LearnedPolicy
from aim.policy.observation import check_observation
from aim.util.horizons import ROUNDING_ROWS, check_horizon, list_horizons
from sim.types import CONTROL_HZ, ActionChunk, Observation, UserError


class OwnUnitsPolicy:
    """A `sim.types.Policy` in the units, channels and rate of the recordings that a `LearnedPolicy` learned from.

    Of an `Observation`, `state` (n s) has the channels of `state_space`, `executed` (n j d) those of `action_space`,
    one row for every 1 / `rate_hz` seconds; `images` are named by `cameras`, and may be of any size. The rows of an
    `ActionChunk` are 1 / `rate_hz` seconds apart too, and so are those that its execution horizon counts.
    """

    def __init__(
        self, policy: LearnedPolicy, *, execution_horizon: int = 0, rate_hz: float | None = None
    ) -> None:  # fmt: skip
        """Wrap a policy; `UserError` where it did not learn from a recorded set.

        `execution_horizon` counts rows of the robot; 0 stands for the one that is nearest to the run's. `rate_hz` is
        the rate of the recordings if left out.
        """
        self.policy = policy
        self._mapping = _demand_mapping(policy)
        self.rate_hz = _demand_rate(policy.transform.recorded_hz if rate_hz is None else rate_hz)
        self.execution_horizon = self._choose_horizon(execution_horizon)
        self._history: History | None = None
        self._measured = np.zeros((0, 0))  # (n s) the last states in our units, angles followed over their turns
        self._pending: list[Rows] = []  # of every world the executed rows (j d) that are shorter than a control step
        references = np.array(policy.transform.references)
        self._is_delta = policy.action_space.is_delta
        self._turning = self._mapping.wraps_action & ~self._is_delta & (references >= 0)
        self._references = np.where(self._turning, references, 0)

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras whose pictures an observation must hold, by the mapping's names."""
        return self.policy.cameras

    @property
    def state_space(self) -> ActionSpace:
        """Channels of the state, by the names of the recordings, in their units."""
        names, back = self._mapping.state_channels, self._mapping.state_to_set
        return _convert_space(self.policy.state_space, names, back, self.rate_hz)

    @property
    def action_space(self) -> ActionSpace:
        """Channels of the actions, by the names of the recordings, in their units."""
        names, back = self._mapping.action_channels, self._mapping.action_to_set
        return _convert_space(self.policy.action_space, names, back, self.rate_hz)

    def fork(self, seed: int, worlds: Sequence[int] = (), imagine: bool = False) -> OwnUnitsPolicy:
        """Policy of the same weights and rate with a history, a seed and worlds of its own."""
        made = self.policy.fork(seed, worlds, imagine)
        return OwnUnitsPolicy(made, execution_horizon=self.execution_horizon, rate_hz=self.rate_hz)

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Forget the history of the worlds where `mask` (n,) is true."""
        known = self._history
        if known is None or len(mask) != len(known.step):
            self._history, self._pending = None, []
        else:
            self._history, self._pending = forget_worlds(known, mask), _choose_rows(self._pending, np.logical_not(mask))

    def act(self, observation: Observation) -> ActionChunk:
        """Chunk of actions for all worlds; `UserError` for an invalid observation, of which nothing is remembered."""
        policy, mapping = self.policy, self._mapping
        widths = len(policy.state_space), len(policy.action_space)
        check_observation(observation, self.cameras, *widths, policy.run.model.geometry)
        history, before = self._history, self._measured
        if history is None or len(history.step) != len(observation.state):
            history = policy.begin_history(len(observation.state))
            before = np.zeros(observation.state.shape)
        elapsed = np.round(np.asarray(observation.time) * CONTROL_HZ).astype(np.int64) - history.step
        is_known = (history.step >= 0) & (elapsed >= 0)
        state = mapping.state_from_set(observation.state.astype(np.float64))
        turns = TURN_RAD * np.round((state - before) / TURN_RAD) * (is_known[:, None] & mapping.wraps_state)
        steps = int(elapsed[is_known].max(initial=0))
        rows = self._read_executed(observation.executed, before, is_known)
        seen = replace(
            observation, state=(state - turns).astype(np.float32), executed=self._resample_rows(rows, steps),
            images={name: mapping.fit_images(name, observation.images[name]) for name in self.cameras},
        )  # fmt: skip
        chunk, history = policy.step(seen, history)
        space = policy.action_space
        planned = np.clip(chunk.actions, np.array(space.low, np.float32), np.array(space.high, np.float32))
        moved = [resample_chunk(each.astype(np.float64), self._is_delta, self.rate_hz) for each in planned]
        self._history = replace(history, handed_out=self._choose_handed_out(planned, np.stack(moved)))
        self._measured = state - turns
        self._pending = [] if steps or rows is None else _choose_rows(rows, is_known)
        ahead = np.stack(moved) + self._pick_channels(turns)[:, None]
        return ActionChunk(mapping.action_to_set(ahead).astype(np.float32), chunk.extras, self.execution_horizon)

    def _choose_handed_out(self, planned: NDArray[np.float32], rows: Rows) -> NDArray[np.float32]:
        """Actions (n j d) at control steps of what is to be carried out of a plan (n k d), whose last row is held then.

        `rows` (n m d) are those of the plan at the robot's rate.
        """
        end = self.execution_horizon * CONTROL_HZ / self.rate_hz  # in control steps, the last of which may end early
        begun = np.arange(math.ceil(end - ROUNDING_ROWS))
        share = np.where(self._is_delta, np.minimum(end - begun, 1.0)[:, None], 1.0)
        held = np.where(self._is_delta, 0.0, rows[:, self.execution_horizon - 1, None])
        return np.concatenate([planned[:, begun] * share, held], axis=1).astype(np.float32)

    def _read_executed(self, executed: NDArray | None, before: Rows, is_known: NDArray[np.bool_]) -> list[Rows] | None:
        """Rows (j d) of every world in our units, carried out since its last control step, angles near the state."""
        if executed is None:
            return None
        rows = self._mapping.action_from_set(executed.astype(np.float64))
        measured = self._pick_channels(before)[:, None]
        rows = nearest_turn(rows, measured, self._turning)
        if len(self._pending) != len(rows):
            return list(rows)
        pending = _choose_rows(self._pending, is_known)
        return [np.concatenate(parts) for parts in zip(pending, rows, strict=True)]

    def _resample_rows(self, rows: list[Rows] | None, steps: int) -> NDArray[np.float32] | None:
        """Actions (n steps d) of executed rows, none of none; None where it is not said what was carried out."""
        if rows is None:
            return None
        if not steps or not all(map(len, rows)):
            return np.zeros((len(rows), 0, rows[0].shape[1]), np.float32)
        parts = [resample_executed(each, self._is_delta, self.rate_hz, steps) for each in rows]
        return np.stack(parts).astype(np.float32)

    def _pick_channels(self, state: Rows) -> Rows:
        """Values (n d) of the state's channels that measure angles of the action which turn, 0 for the others."""
        if not self._turning.any():
            return np.zeros((len(state), len(self._turning)))
        return np.where(self._turning, state[:, self._references], 0.0)

    def _choose_horizon(self, requested: int) -> int:
        """Requested execution horizon in rows, or that nearest to the run's; `UserError` where it does not fit."""
        run = self.policy.run
        shape = (run.model.actions_per_frame, run.model.chunk, run.model.past_frames, self.rate_hz)
        usual = run.data.execution_horizon * self.rate_hz / CONTROL_HZ
        horizon = requested or min(list_horizons(*shape), key=lambda rows: abs(rows - usual), default=1)
        check_horizon(shape[0], horizon, *shape[1:])
        return horizon


def _choose_rows(rows: Sequence[Rows], chosen: NDArray[np.bool_]) -> list[Rows]:
    """Rows (j d) of the worlds where `chosen` (n,) is true, none of the others."""
    return [each if taken else each[:0] for each, taken in zip(rows, chosen, strict=False)]


def _demand_mapping(policy: LearnedPolicy) -> RobotMapping:
    mapping = policy.mapping
    if mapping is None:
        raise UserError("the policy learned from the simulator: its units and rate are our own, use it as it is")
    names = (mapping.state_channels, mapping.action_labels)
    if names != (policy.state_space.names, policy.action_space.names):
        raise UserError("mapping.json is not the one that the policy learned by; bring it back from a copy")
    return mapping


def _demand_rate(rate_hz: float | None) -> float:
    if rate_hz is None:
        raise UserError(
            "the policy learned from sets of several rates; give rate_hz (--rate-hz), the robot's rows a second"
        )
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise UserError(f"rate_hz must be the robot's rows a second, above 0, not {rate_hz!r}")
    return float(rate_hz)


def _convert_space(
    space: ActionSpace, names: Sequence[str], to_set: Callable[[Rows], Rows], rate_hz: float
) -> ActionSpace:
    """Space in the set's units, under its names, at its rate: a row of a displacement is as much longer."""
    share = np.where(space.is_delta, space.rate_hz / rate_hz, 1.0)
    edges = [to_set(np.array(bound) * share) for bound in (space.low, space.high)]
    unit = np.abs(to_set(np.ones(len(space))) - to_set(np.zeros(len(space))))
    return ActionSpace(
        tuple(names), space.kinds, tuple(np.minimum(*edges).tolist()), tuple(np.maximum(*edges).tolist()),
        tuple((np.array(space.max_speed) * unit).tolist()), rate_hz,
    )  # fmt: skip
