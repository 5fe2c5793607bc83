"""A first mapping of a recorded set: names, cameras, kinds, units and ranges, guessed from its statistics."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from aim.data.action_space import is_delta
from aim.data.channel_guess import (
    GuessedChannel,
    guess_channels,
    guess_scale,
    guess_stroke,
    guess_turned,
    guess_wrap,
    name_channels,
    sample_rows,
)
from aim.data.mapping import MAX_REACH
from aim.data.recorded import RecordedSet
from sim.types import UserError

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")  # what TOML reads without quotes
WRIST_WORDS = re.compile(r"wrist|hand|grip", re.IGNORECASE)
MAX_GRIPPERS = 2  # of a robot whose hands are no more than grippers


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
    sampled, silent = sample_rows(recorded, [key for key in (state, action) if key])
    channels = guess_channels(recorded, state, action, sampled)
    text = "\n".join(_write_lines(recorded, state, action, channels, silent))
    return text + "\n"


def _choose_feature(recorded: RecordedSet, names: Sequence[str], but: str | None = None) -> str | None:
    filled = [key for key, feature in recorded.vectors.items() if feature.width and key != but]
    exact = [name for name in names if name in filled]
    partial = [key for key in filled if names[-1] in key or names[0].rpartition(".")[2] in key]
    return next(iter((*exact, *(key for key in partial if "environment" not in key))), None)


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
        rest = [name for name in name_channels(recorded.vectors[state].labels) if name not in used]
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
    reached = [c.state_rows for c in joints] + [c.action_rows for c in joints if not is_delta(c.kind)]
    most = max((float(np.abs(rows).max()) for rows in reached), default=0.0)
    units = "degrees" if most > MAX_REACH else "radians"
    yield f'units = "{units}"  # GUESS: joints reach {most:.3g}'
    wrapped = [c.label for c in driven if guess_wrap(c, units)]
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
    scaled = {c.label: pair for c in driven for pair in [guess_scale(c, units)] if pair}
    if scaled:
        yield ""
        yield "[scale]  # GUESS: [scale, offset], ours = scale * theirs + offset"
        yield from (f"{_quote(name)} = {pair}" for name, pair in scaled.items())


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
        if channel.state and guess_turned(channel, seen, asked):
            asked = asked[::-1]
        if not channel.state or seen == asked:
            yield f"{name} = {list(asked)}"
            continue
        yield f"{name} = {{state = {list(seen)}, action = {list(asked)}}}"


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
