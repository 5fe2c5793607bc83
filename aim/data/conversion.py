"""Rows of a recorded episode in our units: channels picked by name, scaled, and angles followed over whole turns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aim.data.action_space import ChannelKind, mark_deltas
from aim.data.mapping import RobotMapping
from aim.data.recorded import EpisodeRows, RecordedSet, Rows, find_channels
from sim.types import UserError

TURN_RAD = 2 * math.pi


@dataclass(frozen=True)
class EpisodeNumbers:
    """States (frames s) and actions (frames d) of an episode in our units, at the set's rate."""

    number: int
    state: Rows
    action: Rows
    instruction: str


def convert_rows(recorded: RecordedSet, mapping: RobotMapping, number: int, rows: EpisodeRows) -> EpisodeNumbers:
    """Numbers of an episode in our units; `UserError` naming episode, feature and channel where one cannot be."""
    where = f"{recorded.path}: episode {number}"
    state = _pick_channels(recorded, rows, mapping.state, mapping.state_channels, where)
    action = _pick_channels(recorded, rows, mapping.action, mapping.action_channels, where)
    state, action = mapping.state_from_set(state), mapping.action_from_set(action)
    state = unwrap_angles(state, mapping.wraps_state)
    kinds, paired = mapping.action_kinds, len(mapping.names) if mapping.state else 0
    wraps = mapping.wraps_action & ~mark_deltas(kinds)
    action = np.concatenate(
        [
            nearest_turn(action[:, :paired], state[:, :paired], wraps[:paired]),
            unwrap_angles(action[:, paired:], wraps[paired:]),
        ],
        axis=1,
    )
    measured = state[:, :paired]
    is_angle, is_target = mark_angles(mapping.state_kinds[:paired], measured), mark_angles(kinds, action)
    advice = "list it in [joints] wrap"
    jump = find_angle_jump(measured, is_angle, mapping.names)
    if jump:
        raise UserError(f"{where}: {' and '.join(mapping.state)} {jump}; {advice}")
    jump = find_angle_jump(action, is_target, mapping.action_labels)
    jump = jump or find_far_target(action[:, :paired], measured, is_target[:paired], mapping.names)
    if jump and np.abs(measured[:, is_angle]).max(initial=0.0) < 2 * np.pi:
        raise UserError(f"{where}: {' and '.join(mapping.action)} {jump}; {advice}")
    words = rows.tasks[0] if rows.tasks else mapping.text
    if not words:
        raise UserError(f'{where} names no task; give the mapping [text] default = "..."')
    return EpisodeNumbers(number, state, action, words)


def mark_angles(kinds: Sequence[ChannelKind], rows: Rows) -> NDArray[np.bool_]:
    """Channels (d,) that may be angles: joints, and what of a pose stays within a turn, as no millimetres do."""
    near = np.abs(rows).max(axis=0, initial=0.0) <= TURN_RAD
    is_pose = np.array([kind == "ee_pose" for kind in kinds], bool)
    return np.array([kind == "joint_position" for kind in kinds], bool) | (is_pose & near)


def unwrap_angles(rows: Rows, wraps: NDArray[np.bool_]) -> Rows:
    """Angles (frames d) without jumps of a whole turn, channel by channel where `wraps` (d,) says so."""
    return np.where(wraps, np.unwrap(rows, axis=0), rows)


def nearest_turn(targets: Rows, measured: Rows, wraps: NDArray[np.bool_]) -> Rows:
    """Targets (frames d) moved by whole turns to within half a turn of the measured angles, where `wraps` says so."""
    return np.where(wraps, targets - TURN_RAD * np.round((targets - measured) / TURN_RAD), targets)


def find_angle_jump(rows: Rows, is_angle: NDArray[np.bool_], names: Sequence[str]) -> str:
    """Where an angle turns by over half a turn from a row (frames d) to the next, in words; "" if nowhere."""
    jumps = (np.abs(np.diff(rows, axis=0)) > math.pi) & is_angle
    if not jumps.any():
        return ""
    row, channel = np.argwhere(jumps)[0]
    turn = abs(rows[row + 1, channel] - rows[row, channel])
    return f"{names[channel]!r} jumps by {turn:.1f} radians after frame {row}"


def find_far_target(action: Rows, state: Rows, is_angle: NDArray[np.bool_], names: Sequence[str]) -> str:
    """Where a target lies over half a turn from the measured angle, in words; "" if nowhere."""
    far = (np.abs(action - state) > math.pi) & is_angle
    if not far.any():
        return ""
    row, channel = np.argwhere(far)[0]
    turn = abs(action[row, channel] - state[row, channel])
    return f"{names[channel]!r} is {turn:.1f} radians from the measured angle at frame {row}"


def _pick_channels(
    recorded: RecordedSet, rows: EpisodeRows, features: Sequence[str], channels: Sequence[str], where: str
) -> Rows:
    length = len(next(iter(rows.values.values())))
    vector = np.concatenate([np.zeros((length, 0)), *(rows.values[feature] for feature in features)], axis=1)
    picked = vector[:, find_channels(recorded.vectors, features, channels)]
    bad = np.argwhere(~np.isfinite(picked))
    if len(bad):
        said = f"{' and '.join(features)} {channels[bad[0, 1]]!r} is not finite at frame {bad[0, 0]}"
        raise UserError(f"{where}: {said}")
    return picked
