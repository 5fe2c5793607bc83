"""Contact history of a run: who touches whom and when, where, and what was in whose hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.geometry import apply, invert

GAP = 3  # steps; a contact lost for no longer is chatter of the contact solver, not a release
MERGE = 0.003  # m; points closer than this are one: far under the blob's 15 mm

Span = tuple[int, int]  # first and last step, both included
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Facts:
    """One run. `touch` (b b A+1) says which bodies touch at which step; `pose` (A+1 b 7) is in double precision."""

    bodies: tuple[str, ...]
    arms: tuple[str, ...]
    kinds: Mapping[str, str]
    pose: NDArray[np.float64]
    touch: Mask
    step: NDArray[np.int32]  # of every contact: its step, its two bodies (c 2) and its position (c 3)
    pair: NDArray[np.int16]
    spot: NDArray[np.float64]

    def index(self, body: str) -> int:
        """Return the place of `body` among the bodies."""
        return self.bodies.index(body)

    def gripper(self, arm: str | None = None) -> Mask:
        """Return which bodies (b) are part of the arm's gripper, or of any arm's."""
        arms = self.arms if arm is None else (arm,)
        return np.array([body.split("/")[0] in arms and "/" in body for body in self.bodies], np.bool_)

    def object(self, body: str) -> Mask:
        """Return which bodies (b) belong to the object that `body` belongs to."""
        return np.array([name.split(".")[0] == body.split(".")[0] for name in self.bodies], np.bool_)

    def touched(self, body: str, others: Mask) -> Mask:
        """Return for every step (A+1) whether `body` touches any of `others` (b)."""
        return self.touch[self.index(body)][others].any(0)

    def pinched(self, body: str, arm: str) -> Mask:
        """Return for every step (A+1) whether `body` is between both fingers of the arm."""
        one, two = (self.touch[self.index(body), self.index(f"{arm}/finger{k}")] for k in range(2))
        return one & two

    def handled(self, body: str) -> list[Span]:
        """Return when `body` touches any gripper."""
        return spans(self.touched(body, self.gripper()), GAP)

    def points(self, body: str, others: Mask, steps: Sequence[int], frame: str) -> NDArray[np.float32]:
        """Return where (p 3) `body` touches `others` (b) at `steps`, in the frame of body `frame`, near ones merged."""
        me, wanted = self.index(body), np.zeros(len(self.pose), np.bool_)
        wanted[list(steps)] = True
        rows = np.flatnonzero(wanted[self.step])
        pair = self.pair[rows]
        rows = rows[((pair[:, 0] == me) & others[pair[:, 1]]) | ((pair[:, 1] == me) & others[pair[:, 0]])]
        at = self.pose[self.step[rows], self.index(frame)]
        return merged(apply(invert(at), self.spot[rows]))


def gather(
    contacts: NDArray[np.void],
    bodies: Sequence[str],
    body_pose: NDArray[np.float32],
    arms: Sequence[str],
    kinds: Mapping[str, str],
) -> Facts:
    """Return the facts of a run; the arguments are those of `sim.episodes.events.find_events`."""
    step, a, b = (np.ascontiguousarray(contacts[name]) for name in ("step", "a", "b"))
    touch = np.zeros((len(bodies), len(bodies), len(body_pose)), np.bool_)
    touch[a, b, step] = True
    touch[b, a, step] = True
    touch[np.arange(len(bodies)), np.arange(len(bodies))] = False
    spot = contacts["pos"].astype(np.float64)
    pose = body_pose.astype(np.float64)
    return Facts(tuple(bodies), tuple(arms), kinds, pose, touch, step, np.stack([a, b], 1), spot)


def spans(mask: Mask, gap: int) -> list[Span]:
    """Return the runs of true steps, first and last included, joined where at most `gap` false steps part them."""
    steps = np.flatnonzero(mask)
    if not len(steps):
        return []
    breaks = np.flatnonzero(np.diff(steps) > gap + 1)
    first, last = steps[np.append(0, breaks + 1)], steps[np.append(breaks, -1)]
    return [(int(a), int(b)) for a, b in zip(first, last, strict=True)]


def turning_points(track: NDArray[np.float64], swing: float) -> list[int]:
    """Return the indices where `track` (n) turns back, after a way of `swing` or more and before another."""
    turns: list[int] = []
    way = low = high = 0  # up 1, down -1, not known yet 0; and how far down and up it has got on this way
    for i in _extremes(track):
        low, high = (i if track[i] < track[low] else low), (i if track[i] > track[high] else high)
        if way >= 0 and track[high] - track[i] >= swing:
            turns += [high] * (way > 0)
            way, low = -1, i
        elif way <= 0 and track[i] - track[low] >= swing:
            turns += [low] * (way < 0)
            way, high = 1, i
    return turns


def _extremes(track: NDArray[np.float64]) -> list[int]:
    """Return the indices of both ends of a track and of all its local extremes."""
    slope = np.sign(np.diff(track))
    moving = np.flatnonzero(slope)
    flips = moving[1:][np.diff(slope[moving]) != 0]  # a plateau counts where it ends
    return [0, *flips.tolist(), len(track) - 1]


def merged(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the points (p 3) without those within MERGE of an earlier one that is kept."""
    near = np.linalg.norm(points[:, None] - points[None], axis=-1) <= MERGE
    kept: list[int] = []
    for i in range(len(points)):
        if not near[i, kept].any():
            kept.append(i)
    return points[kept].astype(np.float32).reshape(-1, 3)
