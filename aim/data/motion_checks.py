"""Checks of recorded motions before training: do the actions follow the states, does anything move, does it jump?

All values are in our units, at the set's rate. What is certainly read otherwise than it was recorded is refused;
what may be meant is returned in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aim.data.action_space import OTHER_KINDS, is_delta
from aim.data.conversion import EpisodeNumbers
from aim.data.mapping import RobotMapping
from aim.data.recorded import Rows
from sim.types import UserError

MAX_CHECKED_EPISODES = 100  # spread over the set
MIN_MOTION = 0.002  # radians or metres: a channel whose whole range is below this is at rest
MIN_FOLLOWED_RANGE = 0.05  # radians or metres: what moves less is noise, which follows nothing
MIN_MEASURED_RANGE = 1e-100  # the square of less has no digits left, or is 0
EQUAL_SHARE = 0.99  # of the frames, at which an action that equals the state is reported
EQUAL_TOLERANCE = 1e-6
FOLLOWING_S = 0.1  # after which an action shows in the state
MIN_FOLLOWING = 0.3  # fit of actions and states, below which they do not follow
CLEAR_DIFFERENCE = 0.5  # by which one kind must fit better than another to be told apart
MAX_GAIN_ERROR = 0.15  # of the displacement, against what the actions add up to, as a fraction
MIN_JUMP_SHARE = 0.2  # of a channel's range, within one frame
MIN_JUMP_SPEED = 3.0  # rad/s or m/s
JUMP_OVER_USUAL = 8.0  # times the 98 % quantile of the channel's steps
USUAL_QUANTILE = 0.98


@dataclass(frozen=True)
class Following:
    """How well a channel's actions fit its states, read as targets and read as displacements; 1 is perfectly."""

    as_target: float  # share of the variance of the states that actions explain, as they are
    correlation: float  # of actions and states, whatever the action's scale
    as_delta: float  # correlation of summed actions and displacements
    gain: float  # displacement of the state over the sum of the actions


def check_motions(mapping: RobotMapping, numbers: Sequence[EpisodeNumbers], fps: float, path: Path) -> list[str]:
    """Lines on what is odd; `UserError` where actions are of another kind than the mapping says."""
    step = -(-len(numbers) // MAX_CHECKED_EPISODES)
    chosen = numbers[::step]
    paired = len(mapping.names) if mapping.state else 0
    kinds, names = mapping.action_kinds, mapping.names
    driven = [i for i in range(paired) if kinds[i] != "gripper"]
    lines = [*_describe_rest(mapping, chosen), *_describe_equal(chosen, [i for i in driven if not is_delta(kinds[i])])]
    lines += _describe_frozen(chosen, driven, names)
    found = {i: measure_following([(e.state[:, i], e.action[:, i]) for e in chosen], fps) for i in driven}
    moving = {i: fit for i, fit in found.items() if fit is not None}
    _refuse_wrong_kind(mapping, moving, path)
    for i, fit in moving.items():
        score = fit.as_delta if is_delta(kinds[i]) else max(fit.as_target, fit.correlation)
        if score < MIN_FOLLOWING:
            lines.append(f"the state of {names[i]!r} does not follow its action as {kinds[i]} (fit {score:.2f} of 1)")
        elif is_delta(kinds[i]) and abs(fit.gain - 1.0) > MAX_GAIN_ERROR:
            lines.append(f"{names[i]!r} moves by {fit.gain:.3g} times its action; [scale] in the mapping says so")
    lines += _describe_jumps(mapping, chosen, fps)
    return lines


def measure_following(
    pairs: Sequence[tuple[Rows, Rows]], fps: float, min_range: float = MIN_FOLLOWED_RANGE
) -> Following | None:
    """Fit of a channel's states and actions (frames,) of episodes; None where the states keep within `min_range`."""
    lag = max(round(FOLLOWING_S * fps), 1)
    pairs = [(state, action) for state, action in pairs if len(state) > lag + 1]
    if not pairs:
        return None
    moved = np.concatenate([state[lag:] - state[:-lag] for state, _ in pairs])
    total = np.concatenate([_sum_windows(action, lag) for _, action in pairs])
    later = np.concatenate([state[lag:] for state, _ in pairs])
    asked = np.concatenate([action[:-lag] for _, action in pairs])
    if np.ptp(later) < max(min_range, MIN_MEASURED_RANGE):
        return None
    residuals = [np.concatenate([s[k:] - a[: len(a) - k] for s, a in pairs]) for k in (1, lag)]
    as_target = max(1.0 - float(residual.var() / later.var()) for residual in residuals)
    gain = float(total @ moved) / max(float(total @ total), 1e-12)
    return Following(as_target, correlate(asked, later), correlate(total, moved), gain)


def correlate(a: Rows, b: Rows) -> float:
    """Correlation of two series (frames,), 0 where one stands still."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-12 else 0.0


def _sum_windows(action: Rows, lag: int) -> Rows:
    """Sums of `lag` rows from every row on that has so many after it."""
    total = np.concatenate([[0.0], np.cumsum(action)])
    return (total[lag:] - total[:-lag])[: len(action) - lag]


def _refuse_wrong_kind(mapping: RobotMapping, moving: dict[int, Following], path: Path) -> None:
    """Raise `UserError` where at least half of the moving channels are clearly of the other kind."""
    wrong = []
    for i, fit in moving.items():
        said, other = fit.as_target, fit.as_delta
        if is_delta(mapping.action_kinds[i]):
            said, other = other, said
        if other - said > CLEAR_DIFFERENCE and other > 1.0 - MIN_FOLLOWING:
            wrong.append(i)
    if wrong and 2 * len(wrong) >= len(moving):
        kind = mapping.action_kinds[wrong[0]]
        told = ", ".join(mapping.names[i] for i in wrong)
        reads = "targets, not differences" if is_delta(kind) else "differences, not targets"
        raise UserError(
            f'{path}: actions of {told} are {reads}; give the mapping [joints] kind = "{OTHER_KINDS[kind]}"'
        )


def _describe_rest(mapping: RobotMapping, numbers: Sequence[EpisodeNumbers]) -> Iterator[str]:
    for part, kinds in (("state", mapping.state_kinds), ("action", mapping.action_kinds)):
        driven = np.array([kind != "gripper" for kind in kinds], bool)
        rows = [vars(each)[part][:, driven] for each in numbers]
        ranges = [np.ptp(each, axis=0).max(initial=0.0) for each in rows]
        if driven.any() and max(ranges) < MIN_MOTION:
            yield f"nothing moves in the {part}: no channel's range is above {MIN_MOTION:g}"


def _describe_equal(numbers: Sequence[EpisodeNumbers], targets: Sequence[int]) -> Iterator[str]:
    """Yield a line where actions are the states of their own frame: such a policy learns to stand still."""
    if not targets:
        return
    same = [np.abs(each.action[:, targets] - each.state[:, targets]).max(1) < EQUAL_TOLERANCE for each in numbers]
    moves = any(np.ptp(each.state[:, targets], axis=0).max() > MIN_MOTION for each in numbers)
    share = float(np.concatenate(same).mean())
    if moves and share >= EQUAL_SHARE:
        yield f"the action equals the state in {100 * share:.0f} % of the frames: what is learned is to stand still"


def _describe_frozen(numbers: Sequence[EpisodeNumbers], driven: Sequence[int], names: Sequence[str]) -> Iterator[str]:
    for i in driven:
        stuck = [
            each.number
            for each in numbers
            if np.ptp(each.state[:, i]) < EQUAL_TOLERANCE and np.ptp(each.action[:, i]) > MIN_MOTION
        ]
        if stuck:
            said = f"the state of {names[i]!r} stands still while its action moves"
            yield f"{said}, in {len(stuck)} of {len(numbers)} episodes (first: {stuck[0]})"


def _describe_jumps(mapping: RobotMapping, numbers: Sequence[EpisodeNumbers], fps: float) -> Iterator[str]:
    """Yield a line for each channel of the state that jumps within a frame, against its usual steps."""
    for i, (name, kind) in enumerate(zip(mapping.state_channels, mapping.state_kinds, strict=True)):
        steps = [np.abs(np.diff(each.state[:, i])) for each in numbers]
        if kind == "gripper" or not sum(map(len, steps)):
            continue
        column = [each.state[:, i] for each in numbers]
        reach = max(float(part.max()) for part in column) - min(float(part.min()) for part in column)
        usual = float(np.quantile(np.concatenate(steps), USUAL_QUANTILE))
        bound = max(JUMP_OVER_USUAL * usual, MIN_JUMP_SHARE * reach, MIN_JUMP_SPEED / fps)
        jumps = [(each.number, part) for each, part in zip(numbers, steps, strict=True) if (part > bound).any()]
        if jumps:
            number, part = jumps[0]
            frame = int(np.argmax(part))
            said = f"the state of {name!r} jumps by {part[frame]:.2f} after frame {frame} of episode {number}"
            yield f"{said}, {part[frame] / max(usual, 1e-9):.0f} times its usual step; {len(jumps)} episodes have such"
