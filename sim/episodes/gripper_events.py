"""The rules of the gripper: pick, place, turn, press. `sim.episodes.events` says in words what each of them means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sim.episodes.contact_history import GAP, Facts, Mask, Span, spans
from sim.geometry import apply, compose, conjugate, invert, multiply, rotation_vector
from sim.types import CONTROL_HZ, Event, UserError

HOLD = 5  # steps, 0.1 s; a shorter pinch is a knock in passing
CARRY = 0.01  # m; more than a closing gripper shifts a thing to its middle
SLIP = 0.5  # of the way moved; a thing that stays behind in the hand by more was pushed, not carried
TWIST = 0.5  # rad; a thing may swing between two fingertips, but one that tumbles is not held
FIRM = 3  # steps, 60 ms: contacts of a grasp or of a touch build up while the fingers settle
REST_SPEED = 0.02  # m/s; well over a settling solver's drift (1e-3), well under a slow fall (0.2 m/s after 2 cm)
REST = 5  # steps, 0.1 s; a bounce has zero speed for an instant only
SWAY = 0.08  # m; what hangs on a peg may swing for long, by less than this
SWAY_STEPS = 50  # 1 s
ABOVE = 0.0005  # m, base over base: well over the play between two things side by side, under the thinnest pad
TOGETHER = 25  # steps, 0.5 s; arms that let go of one object this close to each other set it down together
TURN = 0.02  # rad (m for a sliding joint); over the play of a resting hinge, under any opening that counts
ONSET = 0.1  # of TURN; the motion starts where the joint leaves its resting value by this much
TURN_GAP = 25  # steps, 0.5 s; a finger that slips along a moving lid is still at the same turn
CLOSED = 0.2  # of the gripper's command, 0 closed to 1 open


@dataclass(frozen=True)
class Hold:
    """An arm's hold of a free body: from the first step of the grasp to the arm's last touch; `firm` is the grasp."""

    body: str
    arm: str
    first: int
    last: int
    firm: Span


@dataclass(frozen=True)
class Rest:
    """A placing: `body`, let go by `arms` after step `released`, rests on `supports` from `step` on."""

    body: str
    arms: tuple[str, ...]
    released: int
    step: int
    supports: tuple[str, ...]


def holds(run: Facts, body: str, arm: str) -> Iterator[Hold]:
    """Yield the times in which an arm holds a free body."""
    grasps = spans(run.pinched(body, arm), GAP)
    if not grasps:
        return
    for first, last in spans(run.touched(body, run.gripper(arm)), GAP):
        inside = [g for g in grasps if first <= g[0] <= last]
        firm = next((g for g in inside if g[1] - g[0] >= HOLD and _carried(run, body, arm, g)), None)
        if firm is not None:
            yield Hold(body, arm, firm[0], last, firm)


def pick(run: Facts, hold: Hold) -> Event:
    """Return the event that starts a hold."""
    steps = first_steps(run.pinched(hold.body, hold.arm), hold.firm)
    return Event("pick", hold.first, hold.arm, hold.body, grip(run, hold, steps))


def grip(run: Facts, hold: Hold, steps: Sequence[int]) -> NDArray[np.float32]:
    """Return where (p 3) the fingers touch what they hold at `steps`, in its frame."""
    fingers = np.array([name.startswith(f"{hold.arm}/finger") for name in run.bodies])
    return run.points(hold.body, fingers, steps, hold.body)


def _carried(run: Facts, body: str, arm: str, span: Span) -> bool:
    thing = run.pose[span[0] : span[1] + 1, run.index(body)]
    hand = run.pose[span[0] : span[1] + 1, run.index(f"{arm}/hand")]
    moved = np.linalg.norm(thing[:, :3] - thing[0, :3], axis=1)
    hold = compose(invert(hand), thing)  # hand_from_body
    slipped = np.linalg.norm(hold[:, :3] - hold[0, :3], axis=1)
    twisted = np.linalg.norm(rotation_vector(multiply(conjugate(hold[0, 3:]), hold[:, 3:])), axis=1)
    return bool(((moved > CARRY) & (slipped < SLIP * moved) & (twisted < TWIST)).any())


def rests(run: Facts, body: str, held: Sequence[Hold]) -> Iterator[Rest]:
    """Yield the placings of a free body after its holds."""
    if not held:
        return
    borne = {name: mask for name in run.bodies if (mask := _borne(run, body, name)).any()}
    calm = np.any([_calm(run, body, name) & mask for name, mask in borne.items()] or [np.zeros(1, bool)], axis=0)
    sways = [_sways(run, body, name) & mask for name, mask in borne.items()]
    hung = np.any(sways or [np.zeros(1, bool)], axis=0)
    handled = run.handled(body)
    starts = [first for first, _ in handled] + [len(run.pose)]
    done = -1  # the last placing
    for (_, released), next_touch in zip(handled, starts[1:], strict=True):
        pending = [h for h in held if done < h.first <= released]
        quiet = [released + 1 + np.flatnonzero(mask[released + 1 : next_touch]) for mask in (calm, hung)]
        first = next((int(steps[0]) for steps in quiet if len(steps)), None)
        if not pending or first is None:
            continue
        done = first
        let_go = max(h.last for h in pending)
        arms = sorted({h.arm for h in pending if let_go - h.last <= TOGETHER})
        # a thing rocks onto its feet: the first step knows only one of them
        supports = sorted(name for name, mask in borne.items() if mask[done : done + REST].any())
        yield Rest(body, tuple(arms), released, done, tuple(supports))


def places(run: Facts, rest: Rest) -> Iterator[Event]:
    """Yield the events of a placing: one a support and arm."""
    for support in rest.supports:
        only = np.array([name == support for name in run.bodies])
        points = run.points(rest.body, only, range(rest.step, min(rest.step + REST, len(run.pose))), support)
        for arm in rest.arms:
            yield Event("place", rest.step, arm, support, points)


def _borne(run: Facts, body: str, support: str) -> Mask:
    """Return for every step (A+1) whether `body` touches `support`, and may stand on it."""
    me, it = run.index(body), run.index(support)
    if run.gripper()[it] or run.object(body)[it]:
        return np.zeros(len(run.pose), np.bool_)
    touch = run.touch[me, it]
    if run.kinds.get(support) == "free" and touch.any():
        steps = np.flatnonzero(touch)
        touch = touch.copy()
        touch[steps] = _above(run.pose[steps, me], run.pose[steps, it])
    return touch


def _above(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> Mask:
    """Return whether the bases of poses (n 7) are higher, as both things stand; in the world where those differ."""
    seen = apply(invert(bottom), top[:, :3])[:, 2], -apply(invert(top), bottom[:, :3])[:, 2]
    agree = (np.sign(seen[0]) == np.sign(seen[1])) & (np.minimum(*np.abs(seen)) > ABOVE)
    return np.where(agree, seen[0], top[:, 2] - bottom[:, 2]) > ABOVE


def _calm(run: Facts, body: str, support: str) -> Mask:
    """Return the steps (A+1) from which on `body` lies still on `support`, which may itself be carried, for REST."""
    path = apply(invert(run.pose[:, run.index(support)]), run.pose[:, run.index(body), :3])
    slow = np.linalg.norm(np.diff(path, axis=0), axis=1) * CONTROL_HZ < REST_SPEED
    count = np.cumsum(np.append(0, slow))
    calm = np.zeros(len(path), np.bool_)
    calm[: len(path) - REST] = count[REST:] - count[:-REST] == REST  # step s begins REST slow steps
    return calm


def _sways(run: Facts, body: str, support: str) -> Mask:
    """Return the steps (A+1) from which on `body` swings to and fro within SWAY on `support`, for SWAY_STEPS."""
    path = apply(invert(run.pose[:, run.index(support)]), run.pose[:, run.index(body), :3])
    sways = np.zeros(len(path), np.bool_)
    if len(path) > SWAY_STEPS:
        windows = sliding_window_view(path, SWAY_STEPS + 1, axis=0)  # a first step, 3, SWAY_STEPS + 1
        way = np.linalg.norm(np.diff(windows, axis=2), axis=1).sum(axis=1)
        gone = np.linalg.norm(windows[..., -1] - windows[..., 0], axis=1)
        sways[: len(windows)] = (np.ptp(windows, axis=2) < SWAY).all(axis=1) & (gone < way / 2)
    return sways


def presses(run: Facts, body: str, arm: str, command: NDArray[np.float32]) -> Iterator[Event]:
    """Yield the presses of an arm on a fixed body."""
    closed = np.append(command, command[-1:]) < CLOSED  # the last command still holds at the last state
    pressed = run.touched(body, run.gripper(arm)) & closed
    for first, _ in spans(pressed & ~_busy(run, body, arm), GAP) if pressed.any() else ():
        yield Event("press", first, arm, body, run.points(body, run.gripper(arm), [first], body))


def _busy(run: Facts, body: str, arm: str) -> Mask:
    """Return when (A+1) the arm has something else in its fingers, or works a moving part of this very object."""
    others = [name for name in run.kinds if name != body]
    busy = np.zeros(len(run.pose), np.bool_)
    for name in others:
        for first, last in spans(run.pinched(name, arm), GAP):
            busy[first : last + 1] = True
    for name in others:
        if run.kinds[name].startswith("hinged") and run.object(body)[run.index(name)]:
            for first, last in spans(run.touched(name, run.gripper(arm)), TURN_GAP):
                busy[first : last + 1] = True
    return busy


def turns(run: Facts, body: str, arm: str, track: NDArray[np.float32]) -> Iterator[Event]:
    """Yield the turns of a hinged or sliding body by an arm; `track` (A+1) is its joint's value."""
    touched = run.touched(body, run.gripper(arm))
    for span in spans(touched, TURN_GAP):
        start = _onset(track[span[0] : span[1] + 1].astype(np.float64))
        if start is not None:
            after = (span[0] + start, span[1])  # never empty: a span ends on a touch
            points = run.points(body, run.gripper(arm), first_steps(touched, after), body)
            yield Event("turn", span[0] + start, arm, body, points)


def _onset(track: NDArray[np.float64]) -> int | None:
    """Return the index where the first one-way motion of more than TURN begins, None if there is none."""
    above = track - np.minimum.accumulate(track)
    below = np.maximum.accumulate(track) - track
    turned = np.flatnonzero(np.maximum(above, below) > TURN)
    if not len(turned):
        return None
    end = int(turned[0])
    left = track[: end + 1] - (track[: end + 1].min() if above[end] > TURN else track[: end + 1].max())
    return int(np.flatnonzero(np.abs(left) < ONSET * TURN)[-1])


def joint_of(body: str, kind: str, joints: Sequence[str]) -> str:
    """Return the joint of a hinged body; `UserError` where its kind does not name one and its object has several."""
    named = kind.partition(":")[2]
    mine = [named] if named in joints else [j for j in joints if not named and j.split(".")[0] == body.split(".")[0]]
    if len(mine) != 1:
        raise UserError(f"{kind!r} does not name the joint of {body!r}; say hinged:JOINT, one of {', '.join(joints)}")
    return mine[0]


def first_steps(mask: Mask, span: Span) -> list[int]:
    """Return the first FIRM true steps within a span."""
    return (span[0] + np.flatnonzero(mask[span[0] : span[1] + 1])[:FIRM]).tolist()
