"""Guesses about the channels of a recorded set from names and statistics: which belong together, and their kinds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aim.data.action_space import OTHER_KINDS, ChannelKind, is_delta
from aim.data.conversion import TURN_RAD
from aim.data.mapping import UNITS
from aim.data.motion_checks import CLEAR_DIFFERENCE, MAX_GAIN_ERROR, Following, correlate, measure_following
from aim.data.recorded import EpisodeRows, RecordedSet, Rows
from sim.types import UserError

SAMPLED_EPISODES = 20
GRIPPER_WORDS = re.compile(r"grip|finger|hand|claw|jaw|thumb|pinky", re.IGNORECASE)
POSE_WORDS = re.compile(
    r"^(?:d|delta_?|ee_|eef_|tcp_)*(?:pos_|rot_)?(?:r?[xyz]|roll|pitch|yaw)(?:_?\d)?$|axis_?angle|quat|eef|pose",
    re.IGNORECASE,
)
STROKES = (0.04, 0.08, 0.085, 0.1, 1.0, 100.0, 255.0, 1000.0)  # usual values of an open gripper, 0 closed
SIGNED_STROKES = (1.0, 100.0)  # closed at the negative value
SERVO_COUNTS = 4096  # a turn
MIN_SERVO_COUNT = 1000  # of what is counts of a servo, at its largest
MIN_WRAP_RAD = 1.5 * np.pi  # a step that is a turn less what a joint may move meanwhile
MIN_MOVED_SHARE = 0.05  # of an action's range, by which its state must move to tell how they belong together
MIN_PAIRING = 0.5  # correlation of an action and a state of other names that belong together


@dataclass(frozen=True)
class GuessedChannel:
    """A channel of the action, that of the state it belongs to, and what both are likely to be."""

    state: str  # "" where there is none
    action: str
    kind: ChannelKind
    state_rows: Rows  # (frames,)
    action_rows: Rows
    largest_step: float  # of the state, from a frame to the next of an episode
    following: Following | None

    @property
    def label(self) -> str:
        """Name in the mapping."""
        return self.state or self.action


def sample_rows(recorded: RecordedSet, features: Sequence[str]) -> tuple[list[EpisodeRows], bool]:
    """Rows of some episodes, and whether one of them has no words; `UserError` where none can be read."""
    numbers = [number for number, length in recorded.episodes.items() if length > 0]
    chosen = numbers[:: -(-len(numbers) // SAMPLED_EPISODES) or 1]
    found, errors = [], []
    for _, rows in recorded.read_rows(chosen, features):
        if isinstance(rows, UserError):
            errors.append(rows)
        else:
            found.append(replace(rows, values={key: _fill_gaps(values) for key, values in rows.values.items()}))
    if not found:
        raise errors[0] if errors else UserError(f"{recorded.path} has no episode with frames")
    return found, any(not rows.tasks for rows in found)


def _fill_gaps(rows: Rows) -> Rows:
    """Rows (frames d) whose numbers that are not finite are interpolated; 0 in a channel that has no others."""
    finite, filled, frames = np.isfinite(rows), np.where(np.isfinite(rows), rows, 0.0), np.arange(len(rows))
    for channel in np.flatnonzero(finite.any(0) & ~finite.all(0)):
        there = finite[:, channel]
        filled[:, channel] = np.interp(frames, frames[there], rows[there, channel])
    return filled


def guess_channels(
    recorded: RecordedSet, state: str | None, action: str, sampled: Sequence[EpisodeRows]
) -> list[GuessedChannel]:
    """Channels of the feature `action`, each with that of the feature `state` it belongs to, and their kinds."""
    wanted = name_channels(recorded.vectors[action].labels)
    measured = name_channels(recorded.vectors[state].labels) if state else []
    channels = []
    for place, name in enumerate(wanted):
        best, fit = measured.index(name) if name in measured else -1, None
        if best < 0 and place < len(measured) and measured[place] not in wanted:
            best = place  # of another name, which no action has
        if best >= 0:
            fit = _measure(sampled, state or "", action, best, place, recorded.fps)
            related = fit is None or max(abs(fit.correlation), abs(fit.as_delta)) > MIN_PAIRING
            best = best if measured[best] == name or related else -1
        asked = [each.values[action][:, place] for each in sampled]
        seen = [each.values[state][:, best] for each in sampled] if state and best >= 0 else asked
        there = measured[best] if best >= 0 else ""
        is_gripper = bool(GRIPPER_WORDS.search(name) or GRIPPER_WORDS.search(there))
        channels.append(
            GuessedChannel(
                there, name, "gripper" if is_gripper else "joint_position", np.concatenate(seen), np.concatenate(asked),
                max(float(np.abs(np.diff(rows)).max(initial=0.0)) for rows in seen), fit,
            )
        )  # fmt: skip
    return _vote_kinds(channels)


def name_channels(labels: Sequence[str]) -> list[str]:
    """Names of channels, or their numbers where a name is blank or that of several."""
    return [
        name if name.strip() and labels.count(name) == 1 else _write_number(place, labels)
        for place, name in enumerate(labels)
    ]


def _write_number(place: int, names: Sequence[str]) -> str:
    """Number of a channel, with zeros in front where it is the name of another."""
    return next(number for zeros in itertools.count() if (number := "0" * zeros + str(place)) not in names)


def _measure(
    sampled: Sequence[EpisodeRows], state: str, action: str, measured: int, asked: int, fps: float
) -> Following | None:
    pairs = [(each.values[state][:, measured], each.values[action][:, asked]) for each in sampled]
    reach = max(float(np.ptp(np.concatenate(column))) for column in zip(*pairs, strict=True))
    return measure_following(pairs, fps, MIN_MOVED_SHARE * reach)


def _vote_kinds(channels: Sequence[GuessedChannel]) -> list[GuessedChannel]:
    """Channels with their kinds: joints, and parts of a pose, are differences where most that move are."""
    found = []
    for channel in channels:
        is_pose = bool(POSE_WORDS.search(channel.action))
        group = [c for c in channels if c.kind != "gripper" and bool(POSE_WORDS.search(c.action)) == is_pose]
        fits = [c.following for c in group if c.following is not None]
        deltas = sum(fit.as_delta - fit.as_target > CLEAR_DIFFERENCE for fit in fits)
        kind: ChannelKind = channel.kind
        if kind != "gripper":
            kind = "ee_pose" if is_pose else kind
            kind = OTHER_KINDS[kind] if 2 * deltas > len(fits) else kind
        found.append(replace(channel, kind=kind))
    return found


def guess_scale(channel: GuessedChannel, units: str) -> str:
    """Scale of a delta that is a fraction of what it moves, or of servo counts; "" where units say it all."""
    kind, fit, unit = channel.kind, channel.following, guess_unit(channel, units)
    if is_delta(kind) and fit is not None and fit.as_delta > MIN_PAIRING and abs(fit.gain - 1.0) > MAX_GAIN_ERROR:
        return f"{{state = [{unit:.8g}, 0.0], action = [{fit.gain * unit:.4g}, 0.0]}}"
    if _counts_servo_steps(channel):
        return f"[{2 * np.pi / SERVO_COUNTS:.8g}, {-np.pi:.8g}]  # counts of a servo, {SERVO_COUNTS} a turn"
    return ""


def guess_unit(channel: GuessedChannel, units: str) -> float:
    """Radians that one of a joint's numbers is; a pose is in metres and radians."""
    if not channel.kind.startswith("joint"):
        return 1.0
    return 2 * np.pi / SERVO_COUNTS if _counts_servo_steps(channel) else UNITS[units]


def guess_wrap(channel: GuessedChannel, units: str) -> bool:
    """Whether a channel is an angle that jumps by a turn."""
    is_joint = channel.kind.startswith("joint")
    may_turn = is_joint or float(np.abs(channel.state_rows).max(initial=0.0)) <= TURN_RAD
    return may_turn and channel.largest_step * guess_unit(channel, units) > MIN_WRAP_RAD


def _counts_servo_steps(channel: GuessedChannel) -> bool:
    low, high = float(channel.state_rows.min(initial=0.0)), float(channel.state_rows.max(initial=0.0))
    return channel.kind == "joint_position" and low >= 0 and MIN_SERVO_COUNT < high <= SERVO_COUNTS


def guess_stroke(rows: Rows) -> tuple[float, float]:
    """Values of a gripper where closed and open: the usual range that holds the rows (frames,), else their extremes."""
    low, high = float(rows.min()), float(rows.max())
    for stroke in STROKES:
        if low >= -0.05 * stroke and 0.3 * stroke <= high <= 1.05 * stroke:
            return 0.0, stroke
    for stroke in SIGNED_STROKES:
        if low < 0 and max(-low, high) <= 1.05 * stroke and max(-low, high) >= 0.5 * stroke:
            return -stroke, stroke
    return (low, high) if high > low else (low, low + max(1e-6 * abs(low), 1.0))


def guess_turned(channel: GuessedChannel, seen: tuple[float, float], asked: tuple[float, float]) -> bool:
    """Whether a gripper is asked the other way round than it is measured, where both move by a share of a stroke."""
    pairs = ((channel.state_rows, seen), (channel.action_rows, asked))
    if any(np.ptp(rows) <= MIN_MOVED_SHARE * (stroke[1] - stroke[0]) for rows, stroke in pairs):
        return False
    return correlate(channel.state_rows, channel.action_rows) < -MIN_PAIRING
