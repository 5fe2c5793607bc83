"""From the contact stream of a run to its events: pick, place, turn, press.

Only physical facts enter (contacts, poses, joints, the grippers' commands), never the plan, so that a
roll-out of a policy is annotated by the same rules as a demonstration. Row s of `body_pose` and `joint`
and the contacts of step s belong to one instant.

* pick: a free object between both fingers of one arm, for HOLD or longer, that is then carried: it moves
  CARRY with the hand. At the first step of that grasp; points between fingers and object, in the object's
  frame. A grasp renewed before the arm has let go is the same pick.
* place: a free object that had been picked, after the last gripper contact, at its first rest on a
  support. Points between the two, in the support's frame; one event a support and arm that let go.
  An object in another arm's gripper is not released: a hand-over is two picks and one place.
* turn: a hinged body under a gripper while its joint moves TURN in one direction. Where that motion starts.
* press: a fixed object under a closed gripper. At the first such step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.geometry import apply, compose, conjugate, invert, multiply, rotation_vector
from sim.types import CONTROL_HZ, Event, UserError

GAP = 3  # steps; a contact lost for no longer is chatter of the contact solver, not a release
HOLD = 5  # steps, 0.1 s; a shorter pinch is a knock in passing
CARRY = 0.01  # m; more than a closing gripper shifts a thing to its middle
SLIP = 0.5  # of the way moved; a thing that stays behind in the hand by more was pushed, not carried
TWIST = 0.5  # rad; a thing may swing between two fingertips, but one that tumbles is not held
FIRM = 3  # steps, 60 ms: contacts of a grasp or of a touch build up while the fingers settle
REST_SPEED = 0.02  # m/s; well over a settling solver's drift (1e-3), well under a slow fall (0.2 m/s after 2 cm)
REST = 5  # steps, 0.1 s; a bounce has zero speed for an instant only
TOGETHER = 25  # steps, 0.5 s; arms that let go of one object this close to each other set it down together
TURN = 0.02  # rad (m for a sliding joint); over the play of a resting hinge, under any opening that counts
ONSET = 0.1  # of TURN; the motion starts where the joint leaves its resting value by this much
TURN_GAP = 25  # steps, 0.5 s; a finger that slips along a moving lid is still at the same turn
CLOSED = 0.2  # of the gripper's command, 0 closed to 1 open
MERGE = 0.003  # m; points closer than this are one: far under the blob's 15 mm

Span = tuple[int, int]  # first and last step, both included


@dataclass(frozen=True)
class _Run:
    """The facts of one run, with the questions the rules ask of them."""

    contacts: NDArray[np.void]
    bodies: Sequence[str]
    pose: NDArray[np.float32]
    arms: Sequence[str]

    def rows(self, body: str, is_partner: Callable[[str], bool]) -> tuple[NDArray[np.void], NDArray[np.int16]]:
        """Return the contacts (n) of `body` with the bodies that satisfy `is_partner`, and those partners (n)."""
        me = self.bodies.index(body)
        other = np.where(self.contacts["a"] == me, self.contacts["b"], self.contacts["a"])
        mine = (self.contacts["a"] == me) ^ (self.contacts["b"] == me)
        wanted = np.array([is_partner(name) for name in self.bodies], np.bool_)
        keep = mine & wanted[other]
        return self.contacts[keep], other[keep]

    def touched(self, body: str, is_partner: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Return for every step (A+1) whether `body` touches a body that satisfies `is_partner`."""
        steps = np.zeros(len(self.pose), np.bool_)
        steps[self.rows(body, is_partner)[0]["step"]] = True
        return steps

    def points(
        self, body: str, is_partner: Callable[[str], bool], steps: Sequence[int], frame: str
    ) -> NDArray[np.float32]:
        """Return the contact points (p 3) of `body` and such partners at `steps` in the frame of `frame`, merged."""
        rows = self.rows(body, is_partner)[0]
        rows = rows[np.isin(rows["step"], steps)]
        at = self.pose[rows["step"], self.bodies.index(frame)]
        return _merged(apply(invert(at), rows["pos"]))

    def of_arm(self, arm: str) -> Callable[[str], bool]:
        """Return the test for any part of the arm's gripper."""
        return lambda name: name.startswith(arm + "/")

    def is_gripper(self, name: str) -> bool:
        """Return whether the body is part of some arm's gripper."""
        return any(name.startswith(arm + "/") for arm in self.arms)


def find_events(
    contacts: NDArray[np.void],
    bodies: Sequence[str],
    body_pose: NDArray[np.float32],
    joints: Sequence[str],
    joint: NDArray[np.float32],
    gripper_command: NDArray[np.float32],
    arm_names: Sequence[str],
    kinds: Mapping[str, str],
) -> tuple[Event, ...]:
    """Return the events of a run, ordered by step.

    `contacts` are rows of `sim.types.CONTACT`; `body_pose` (A+1 b 7), `joint` (A+1 j), `gripper_command`
    (A arms). Grippers' bodies are named ARM/finger0, ARM/finger1, ARM/hand. `kinds` says what each object
    body is: "free", "fixed", "hinged:JOINT", or "hinged" where its object has a single joint.
    """
    run = _Run(contacts, bodies, body_pose, arm_names)
    events: list[Event] = []
    for body, kind in kinds.items():
        if kind == "free":
            picks = [pick for arm in arm_names for pick in _picks(run, body, arm)]
            events += [event for event, _ in picks]
            events += _places(run, body, picks)
        elif kind == "fixed":
            for arm, command in zip(arm_names, gripper_command.T, strict=True):
                events += _presses(run, body, arm, command)
        elif kind.split(":")[0] == "hinged":
            track = joint[:, joints.index(_joint_of(body, kind, joints))]
            for arm in arm_names:
                events += _turns(run, body, arm, track)
        else:
            raise UserError(f"unknown kind {kind!r} of body {body!r}; kinds are free, fixed, hinged, hinged:JOINT")
    return tuple(sorted(events, key=lambda e: (e.step, e.arm, e.kind, e.carrier)))


def spans(mask: NDArray[np.bool_], gap: int) -> list[Span]:
    """Return the runs of true steps, first and last included, joined where at most `gap` false steps part them."""
    steps = np.flatnonzero(mask)
    if not len(steps):
        return []
    breaks = np.flatnonzero(np.diff(steps) > gap + 1)
    first, last = steps[np.append(0, breaks + 1)], steps[np.append(breaks, -1)]
    return [(int(a), int(b)) for a, b in zip(first, last, strict=True)]


def _picks(run: _Run, body: str, arm: str) -> Iterator[tuple[Event, int]]:
    """Yield the arm's picks of a free body, each with the last step of that hold."""
    both = run.touched(body, lambda n: n == f"{arm}/finger0") & run.touched(body, lambda n: n == f"{arm}/finger1")
    grasps = spans(both, GAP)
    for first, last in spans(run.touched(body, run.of_arm(arm)), GAP):
        inside = [g for g in grasps if first <= g[0] <= last]
        firm = next((g for g in inside if g[1] - g[0] >= HOLD and _carried(run, body, arm, g)), None)
        if firm is not None:
            steps = _first_steps(both, firm)
            points = run.points(body, lambda n: n.startswith(f"{arm}/finger"), steps, body)
            yield Event("pick", firm[0], arm, body, points), last


def _carried(run: _Run, body: str, arm: str, span: Span) -> bool:
    thing = run.pose[span[0] : span[1] + 1, run.bodies.index(body)].astype(np.float64)
    hand = run.pose[span[0] : span[1] + 1, run.bodies.index(f"{arm}/hand")].astype(np.float64)
    moved = np.linalg.norm(thing[:, :3] - thing[0, :3], axis=1)
    hold = compose(invert(hand), thing)  # hand_from_body
    slipped = np.linalg.norm(hold[:, :3] - hold[0, :3], axis=1)
    twisted = np.linalg.norm(rotation_vector(multiply(conjugate(hold[0, 3:]), hold[:, 3:])), axis=1)
    return bool(((moved > CARRY) & (slipped < SLIP * moved) & (twisted < TWIST)).any())


def _places(run: _Run, body: str, picks: Sequence[tuple[Event, int]]) -> Iterator[Event]:
    own = body.split(".")[0]

    def is_support(name: str) -> bool:
        return not run.is_gripper(name) and name.split(".")[0] != own

    path = run.pose[:, run.bodies.index(body), :3].astype(np.float64)
    slow = np.linalg.norm(np.diff(path, axis=0), axis=1) * CONTROL_HZ < REST_SPEED
    count = np.cumsum(np.append(0, slow))
    rests = count[REST:] - count[:-REST] == REST  # step s begins REST slow steps
    candidates = np.flatnonzero(rests & run.touched(body, is_support)[: len(rests)])
    in_hands = spans(run.touched(body, run.is_gripper), GAP)
    starts = [first for first, _ in in_hands] + [len(run.pose)]
    done = -1  # the last placing
    for (_, released), next_touch in zip(in_hands, starts[1:], strict=True):
        pending = [(pick, last) for pick, last in picks if done < pick.step <= released]
        rest = candidates[(candidates > released) & (candidates < next_touch)]
        if not pending or not len(rest):
            continue
        done = int(rest[0])
        let_go = max(last for _, last in pending)
        settling = range(done, done + REST)  # a thing rocks onto its feet: the first step knows only one of them
        rows, partners = run.rows(body, is_support)
        supports = {run.bodies[int(i)] for i in partners[np.isin(rows["step"], settling)]}
        for arm in sorted({pick.arm for pick, last in pending if let_go - last <= TOGETHER}):
            for support in sorted(supports):
                points = run.points(body, lambda n, only=support: n == only, settling, support)
                yield Event("place", done, arm, support, points)


def _presses(run: _Run, body: str, arm: str, command: NDArray[np.float32]) -> Iterator[Event]:
    closed = np.append(command, command[-1:]) < CLOSED  # the last command still holds at the last state
    pressed = run.touched(body, run.of_arm(arm)) & closed
    for first, _ in spans(pressed, GAP):
        yield Event("press", first, arm, body, run.points(body, run.of_arm(arm), [first], body))


def _turns(run: _Run, body: str, arm: str, track: NDArray[np.float32]) -> Iterator[Event]:
    touched = run.touched(body, run.of_arm(arm))
    for span in spans(touched, TURN_GAP):
        start = _onset(track[span[0] : span[1] + 1].astype(np.float64))
        if start is not None:
            after = (span[0] + start, span[1])  # never empty: a span ends on a touch
            points = run.points(body, run.of_arm(arm), _first_steps(touched, after), body)
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


def _joint_of(body: str, kind: str, joints: Sequence[str]) -> str:
    named = kind.partition(":")[2]
    mine = [named] if named in joints else [j for j in joints if not named and j.split(".")[0] == body.split(".")[0]]
    if len(mine) != 1:
        raise UserError(f"{kind!r} does not name the joint of {body!r}; say hinged:JOINT, one of {', '.join(joints)}")
    return mine[0]


def _first_steps(mask: NDArray[np.bool_], span: Span) -> Sequence[int]:
    return (span[0] + np.flatnonzero(mask[span[0] : span[1] + 1])[:FIRM]).tolist()


def _merged(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the points (p 3) without those within MERGE of an earlier one."""
    kept: list[NDArray[np.float64]] = []
    for point in points:
        if all(np.linalg.norm(point - other) > MERGE for other in kept):
            kept.append(point)
    return np.array(kept, np.float32).reshape(-1, 3)
