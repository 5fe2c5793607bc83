"""A first mapping of a recorded set: names, cameras, kinds, units and ranges, guessed from its statistics."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aim.data.action_space import OTHER_KINDS, ChannelKind, is_delta
from aim.data.mapping import MAX_REACH, UNITS
from aim.data.motion_checks import CLEAR_DIFFERENCE, MAX_GAIN_ERROR, Following, measure_following
from aim.data.recorded import EpisodeRows, RecordedSet, Rows
from sim.types import UserError

SAMPLED_EPISODES = 20
GRIPPER_WORDS = re.compile(r"grip|finger|hand|claw|jaw|thumb|pinky", re.IGNORECASE)
POSE_WORDS = re.compile(
    r"^(?:d|delta_?|ee_|eef_|tcp_)*(?:pos_|rot_)?(?:r?[xyz]|roll|pitch|yaw)(?:_?\d)?$|axis_?angle|quat|eef|pose",
    re.IGNORECASE,
)
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")  # what TOML reads without quotes
WRIST_WORDS = re.compile(r"wrist|hand|grip", re.IGNORECASE)
STROKES = (0.04, 0.08, 0.085, 0.1, 1.0, 100.0, 255.0, 1000.0)  # usual values of an open gripper, 0 closed
SIGNED_STROKES = (1.0, 100.0)  # closed at the negative value
MAX_GRIPPERS = 2  # of a robot whose hands are no more than grippers
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


def describe_set(recorded: RecordedSet) -> str:
    """What a mapping of a set may name, in one line."""
    channels = "; ".join(f"{key} with {', '.join(feature.labels)}" for key, feature in recorded.vectors.items())
    return (
        f"{recorded.path} is a LeRobot set of the robot {recorded.robot!r}; say with --mapping FILE.toml which is "
        f"which of its cameras {', '.join(recorded.cameras) or 'none'} and joints: {channels}; "
        f"`aim data map {recorded.path} > FILE.toml` writes a first one"
    )


def write_scaffold(recorded: RecordedSet) -> str:
    """Text of a TOML mapping; every guess is marked by a comment. `UserError` without actions or cameras."""
    action = _choose_feature(recorded, ("action", "actions"))
    if action is None:
        raise UserError(f"{recorded.path} has no feature of actions; it has {', '.join(recorded.vectors) or 'none'}")
    if not _name_cameras(recorded.cameras):
        raise UserError(f"{recorded.path} has no camera; a policy needs the pictures of at least one")
    state = _choose_feature(recorded, ("observation.state", "state", "observation.qpos", "qpos"), but=action)
    sampled, silent = _sample_rows(recorded, [key for key in (state, action) if key])
    channels = _guess_channels(recorded, state, action, sampled)
    text = "\n".join(_write_lines(recorded, state, action, channels, silent))
    return text + "\n"


def _choose_feature(recorded: RecordedSet, names: Sequence[str], but: str | None = None) -> str | None:
    filled = [key for key, feature in recorded.vectors.items() if feature.width and key != but]
    exact = [name for name in names if name in filled]
    partial = [key for key in filled if names[-1] in key or names[0].rpartition(".")[2] in key]
    return next(iter((*exact, *(key for key in partial if "environment" not in key))), None)


def _sample_rows(recorded: RecordedSet, features: Sequence[str]) -> tuple[list[EpisodeRows], bool]:
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


def _guess_channels(
    recorded: RecordedSet, state: str | None, action: str, sampled: Sequence[EpisodeRows]
) -> list[GuessedChannel]:
    wanted = _name_channels(recorded.vectors[action].labels)
    measured = _name_channels(recorded.vectors[state].labels) if state else []
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


def _name_channels(labels: Sequence[str]) -> list[str]:
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


def _write_lines(
    recorded: RecordedSet, state: str | None, action: str, channels: Sequence[GuessedChannel], silent: bool,
) -> Iterator[str]:  # fmt: skip
    total = sum(recorded.episodes.values())
    paired, alone = [c for c in channels if c.state], [c for c in channels if not c.state]
    name = "".join(letter for letter in recorded.path.resolve().name if letter.isprintable()).strip() or "recorded"
    yield f"# {name}: {len(recorded.episodes)} episodes, {total} frames, {recorded.fps:g} a second"
    yield "# Written by `aim data map`: what is marked GUESS follows from names and statistics alone. Look at it."
    yield f"robot = {_quote(recorded.robot if recorded.robot.strip() not in ('', 'None') else name)}"
    yield ""
    yield "[cameras]  # name of ours = feature of the set; the first should see the whole scene"
    for camera, feature in _name_cameras(recorded.cameras).items():
        yield f'{_write_key(camera)} = {{from = {_quote(feature)}, fit = "letterbox"}}  # or "crop", "squeeze"'
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
    wrapped = [c.label for c in joints if c.largest_step * _guess_unit(c, units) > MIN_WRAP_RAD]
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
    kind, fit = channel.kind, channel.following
    if is_delta(kind) and fit is not None and fit.as_delta > MIN_PAIRING and abs(fit.gain - 1.0) > MAX_GAIN_ERROR:
        return f"{{state = [1.0, 0.0], action = [{fit.gain:.4g}, 0.0]}}"
    if _counts_servo_steps(channel):
        return f"[{2 * np.pi / SERVO_COUNTS:.8g}, {-np.pi:.8g}]  # counts of a servo, {SERVO_COUNTS} a turn"
    return ""


def _guess_unit(channel: GuessedChannel, units: str) -> float:
    """Radians that one of a joint's numbers is."""
    return 2 * np.pi / SERVO_COUNTS if _counts_servo_steps(channel) else UNITS[units]


def _counts_servo_steps(channel: GuessedChannel) -> bool:
    low, high = float(channel.state_rows.min(initial=0.0)), float(channel.state_rows.max(initial=0.0))
    return channel.kind == "joint_position" and low >= 0 and MIN_SERVO_COUNT < high <= SERVO_COUNTS


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
    return (low, high) if high > low else (low, low + max(1e-6 * abs(low), 1.0))


def _name_cameras(features: Sequence[str]) -> Mapping[str, str]:
    """Features by short names, cameras at a wrist last: what has "wrist" in its name is kept small. None is blank."""
    named: dict[str, str] = {}
    for feature in sorted(filter(str.strip, features), key=lambda key: bool(WRIST_WORDS.search(key))):
        short = re.sub(r"\W+", "_", feature.rpartition("images.")[2].rpartition(".")[2]).strip("_") or "camera"
        if WRIST_WORDS.search(short) and "wrist" not in short:
            short += "_wrist"
        others = (f"{short}_{number}" for number in itertools.count(len(named)))
        named[next(name for name in itertools.chain([short], others) if name not in named)] = feature
    return named


def _quote(text: str) -> str:
    """TOML string; `UserError` for a text that no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the name {text!r} holds half a character; mend it in the set") from error
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write_key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else _quote(name)


def _list(names: Sequence[str] | Iterator[str]) -> str:
    return "[" + ", ".join(_quote(name) for name in names) + "]"
