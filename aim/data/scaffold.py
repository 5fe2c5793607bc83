"""A first mapping of a recorded set: names, cameras, kinds, units and ranges, guessed from its statistics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aim.data.action_space import ChannelKind
from aim.data.checks import CLEAR_DIFFERENCE, MAX_GAIN_ERROR, Following, measure_following
from aim.data.mapping import MAX_REACH, UNITS
from aim.data.recorded import EpisodeRows, RecordedSet, Rows
from sim.types import UserError

SAMPLED_EPISODES = 20
GRIPPER_WORDS = re.compile(r"grip|finger|hand|claw|jaw|thumb|pinky", re.IGNORECASE)
POSE_WORDS = re.compile(
    r"^(?:d|delta_?|ee_|eef_|tcp_)*(?:pos_|rot_)?(?:r?[xyz]|roll|pitch|yaw)(?:_?\d)?$|axis_?angle|quat|eef|pose",
    re.IGNORECASE,
)
WRIST_WORDS = re.compile(r"wrist|hand|grip", re.IGNORECASE)
STROKES = (0.04, 0.08, 0.085, 0.1, 1.0, 100.0, 255.0, 1000.0)  # usual values of an open gripper, 0 closed
SIGNED_STROKES = (1.0, 100.0)  # closed at the negative value
MAX_GRIPPERS = 2  # of a robot whose hands are no more than grippers
SERVO_COUNTS = 4096  # a turn
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
    following: Following | None

    @property
    def label(self) -> str:
        """Name in the mapping."""
        return self.state or self.action


def describe_set(recorded: RecordedSet) -> str:
    """What a mapping of a set may name, in one line."""
    channels = "; ".join(f"{key} with {', '.join(feature.labels)}" for key, feature in recorded.vectors.items())
    return (
        f"{recorded.path} is a LeRobot set of the robot {recorded.robot!r}; say with --mapping FILE.toml which is "
        f"which of its cameras {', '.join(recorded.cameras) or 'none'} and joints: {channels}; "
        f"`aim data map {recorded.path} > FILE.toml` writes a first one"
    )


def write_scaffold(recorded: RecordedSet) -> str:
    """Text of a TOML mapping; every guess is marked by a comment. `UserError` where the set has no actions."""
    action = _choose_feature(recorded, ("action", "actions"))
    if action is None:
        raise UserError(f"{recorded.path} has no feature of actions; it has {', '.join(recorded.vectors) or 'none'}")
    state = _choose_feature(recorded, ("observation.state", "state", "observation.qpos", "qpos"))
    sampled, silent = _sample_rows(recorded, [key for key in (state, action) if key])
    channels = _guess_channels(recorded, state, action, sampled)
    text = "\n".join(_write_lines(recorded, state, action, channels, silent))
    return text + "\n"


def _choose_feature(recorded: RecordedSet, names: Sequence[str]) -> str | None:
    exact = [name for name in names if name in recorded.vectors]
    partial = [key for key in recorded.vectors if names[-1] in key or names[0].rpartition(".")[2] in key]
    return next(iter((*exact, *(key for key in partial if "environment" not in key))), None)


def _sample_rows(recorded: RecordedSet, features: Sequence[str]) -> tuple[list[EpisodeRows], bool]:
    """Rows of some episodes, and whether one of them has no words; `UserError` where none can be read."""
    numbers = [number for number, length in recorded.episodes.items() if length > 0]
    chosen = numbers[:: -(-len(numbers) // SAMPLED_EPISODES) or 1]
    found, errors = [], []
    for _, rows in recorded.read_rows(chosen, features):
        (errors if isinstance(rows, UserError) else found).append(rows)
    if not found:
        raise errors[0] if errors else UserError(f"{recorded.path} has no episode with frames")
    return found, any(not rows.tasks for rows in found)


def _guess_channels(
    recorded: RecordedSet, state: str | None, action: str, sampled: Sequence[EpisodeRows]
) -> list[GuessedChannel]:
    wanted = _name_channels(recorded.vectors[action].labels)
    measured = _name_channels(recorded.vectors[state].labels) if state else []
    free, channels = dict.fromkeys(range(len(measured))), []
    for place, name in enumerate(wanted):
        order = [measured.index(name)] if name in measured else [place] if place in free else []
        best, fit = -1, None
        for other in order:
            fit = _measure(sampled, state or "", action, other, place, recorded.fps)
            related = fit is None or max(abs(fit.correlation), abs(fit.as_delta)) > MIN_PAIRING
            if other in free and (measured[other] == name or related):
                best = other
        if best >= 0:
            del free[best]
        rows = np.concatenate([each.values[action][:, place] for each in sampled])
        seen = np.concatenate([each.values[state][:, best] for each in sampled]) if state and best >= 0 else rows
        there = measured[best] if best >= 0 else ""
        is_gripper = bool(GRIPPER_WORDS.search(name) or GRIPPER_WORDS.search(there))
        channels.append(GuessedChannel(there, name, "gripper" if is_gripper else "joint_position", seen, rows, fit))
    return _vote_kinds(channels)


def _name_channels(labels: Sequence[str]) -> list[str]:
    """Names of channels, or their numbers where a name is that of several."""
    return [name if labels.count(name) == 1 else str(place) for place, name in enumerate(labels)]


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
        is_delta = 2 * deltas > len(fits)
        kind: ChannelKind = channel.kind
        if kind != "gripper":
            kind = ("ee_delta" if is_delta else "ee_pose") if is_pose else "joint_delta" if is_delta else kind
        found.append(replace(channel, kind=kind))
    return found


def _write_lines(
    recorded: RecordedSet, state: str | None, action: str, channels: Sequence[GuessedChannel], silent: bool,
) -> Iterator[str]:  # fmt: skip
    total = sum(recorded.episodes.values())
    paired, alone = [c for c in channels if c.state], [c for c in channels if not c.state]
    yield f"# {recorded.path.name}: {len(recorded.episodes)} episodes, {total} frames, {recorded.fps:g} a second"
    yield "# Written by `aim data map`: what is marked GUESS follows from names and statistics alone. Look at it."
    yield f"robot = {_quote(recorded.robot if recorded.robot not in ('', 'None') else recorded.path.name)}"
    yield ""
    yield "[cameras]  # name of ours = feature of the set; the first should see the whole scene"
    for name, feature in _name_cameras(recorded.cameras).items():
        yield f'{name} = {{from = {_quote(feature)}, fit = "letterbox"}}  # or "crop", "squeeze"'
    yield ""
    yield "[joints]"
    yield f"state = {_quote(state) if state else '[]'}"
    yield f"action = {_quote(action)}"
    if paired:
        yield f"names = {_list(c.state for c in paired)}"
    if [c.state for c in paired] != [c.action for c in paired]:
        yield f"action_names = {_list(c.action for c in paired)}  # GUESS: which action belongs to which state"
    if alone:
        yield f"action_only = {_list(c.action for c in alone)}"
    if state:
        used = {c.state for c in paired}
        rest = [name for name in _name_channels(recorded.vectors[state].labels) if name not in used]
        if rest:
            yield f"state_only = {_list(rest)}"
    yield from _write_kinds(channels)
    yield from _write_ranges(channels)
    if silent:
        yield ""
        yield "[text]  # of episodes whose task the set does not name"
        yield f"default = {_quote('do the task')}  # GUESS: say what the robot does"


def _write_kinds(channels: Sequence[GuessedChannel]) -> Iterator[str]:
    driven = [c for c in channels if c.kind != "gripper"]
    joints = [c for c in driven if c.kind.startswith("joint")]
    most = max((float(np.abs(part).max()) for c in joints for part in (c.state_rows, c.action_rows)), default=0.0)
    units = "degrees" if most > MAX_REACH else "radians"
    yield f'units = "{units}"  # GUESS: joints reach {most:.3g}'
    wrapped = [c.label for c in joints if np.abs(np.diff(c.state_rows)).max(initial=0.0) * UNITS[units] > 1.5 * np.pi]
    if wrapped:
        yield f"wrap = {_list(wrapped)}  # GUESS: angles that jump by a turn"
    kinds = [c.kind for c in driven]
    usual = max(dict.fromkeys(kinds), key=kinds.count, default="joint_position")
    yield f'kind = "{usual}"  # GUESS: of joint_position, joint_delta, ee_delta, ee_pose'
    others = [c for c in driven if c.kind != usual]
    if others:
        yield ""
        yield "[kinds]  # GUESS"
        yield from (f"{_quote(c.label)} = {_quote(c.kind)}" for c in others)
    scaled = {c.label: pair for c in driven for pair in [_guess_scale(c)] if pair}
    if scaled:
        yield ""
        yield "[scale]  # GUESS: [scale, offset], ours = scale * theirs + offset"
        yield from (f"{_quote(name)} = {pair}" for name, pair in scaled.items())


def _guess_scale(channel: GuessedChannel) -> str:
    """Scale of a delta that is a fraction of what it moves, or of servo counts; "" where units say it all."""
    fit = channel.following
    is_delta = channel.kind in ("joint_delta", "ee_delta")
    if is_delta and fit is not None and abs(fit.gain - 1.0) > MAX_GAIN_ERROR and fit.as_delta > MIN_PAIRING:
        return f"{{state = [1.0, 0.0], action = [{fit.gain:.4g}, 0.0]}}"
    counts = float(channel.state_rows.max(initial=0.0))
    if channel.kind == "joint_position" and 1000 < counts <= SERVO_COUNTS and channel.state_rows.min(initial=0.0) >= 0:
        return f"[{2 * np.pi / SERVO_COUNTS:.8g}, {-np.pi:.8g}]  # counts of a servo, {SERVO_COUNTS} a turn"
    return ""


def _write_ranges(channels: Sequence[GuessedChannel]) -> Iterator[str]:
    grippers = [c for c in channels if c.kind == "gripper"]
    if not grippers:
        return
    yield ""
    yield "[gripper]  # GUESS: [value where closed, value where open]; swap the two where it counts the other way"
    hands = len(grippers) > MAX_GRIPPERS  # the motors of a hand count alike, even those that hardly moved
    for channel in grippers:
        alike = grippers if hands else [channel]
        seen = guess_stroke(np.concatenate([c.state_rows for c in alike]))
        asked = guess_stroke(np.concatenate([c.action_rows for c in alike]))
        name = _quote(channel.label)
        fit = channel.following
        if not channel.state or seen == asked:
            yield f"{name} = {list(asked)}"
            continue
        if fit is not None and fit.correlation < 0:
            asked = asked[::-1]
        yield f"{name} = {{state = {list(seen)}, action = {list(asked)}}}"


def guess_stroke(rows: Rows) -> tuple[float, float]:
    """Values of a gripper where closed and open: the usual range that holds the rows (frames,), else their extremes."""
    low, high = float(rows.min()), float(rows.max())
    for stroke in STROKES:
        if low >= -0.05 * stroke and 0.3 * stroke <= high <= 1.05 * stroke:
            return 0.0, stroke
    for stroke in SIGNED_STROKES:
        if low < 0 and max(-low, high) <= 1.05 * stroke and max(-low, high) >= 0.5 * stroke:
            return -stroke, stroke
    return (low, high) if high > low else (low, low + 1.0)


def _name_cameras(features: Sequence[str]) -> Mapping[str, str]:
    """Features by short names, cameras at a wrist last: what has "wrist" in its name is kept small."""
    named: dict[str, str] = {}
    for feature in sorted(features, key=lambda key: bool(WRIST_WORDS.search(key))):
        short = re.sub(r"\W+", "_", feature.rpartition("images.")[2].rpartition(".")[2]).strip("_") or "camera"
        if WRIST_WORDS.search(short) and "wrist" not in short:
            short += "_wrist"
        named[short if short not in named else f"{short}_{len(named)}"] = feature
    return named


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _list(names: Sequence[str] | Iterator[str]) -> str:
    return "[" + ", ".join(_quote(name) for name in names) + "]"
