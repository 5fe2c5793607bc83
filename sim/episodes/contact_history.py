"""Contact history of a run: who touches whom and when, where, and what was in whose hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.geometry import invert, transform_points

MAX_CONTACT_GAP_STEPS = 3  # steps; a contact lost for no longer is chatter of the contact solver, not a release
CONTACT_MERGE_RADIUS_M = 0.003  # m; points closer than this are one: far under the blob's 15 mm

StepSpan = tuple[int, int]  # first and last step, both included
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ContactHistory:
    """Contacts and poses of a run: `in_contact` (b b A+1) by bodies and step, `body_pose` (A+1 b 7) world_from_body."""

    bodies: tuple[str, ...]
    arms: tuple[str, ...]
    body_types: Mapping[str, str]
    body_pose: NDArray[np.float64]
    in_contact: Mask
    contact_step: NDArray[np.int32]  # of every contact: its step, its two bodies (c 2) and its position (c 3)
    contact_pair: NDArray[np.int16]
    contact_position: NDArray[np.float64]

    def body_index(self, body: str) -> int:
        """Return the place of `body` among the bodies."""
        return self.bodies.index(body)

    def select_gripper_bodies(self, arm: str | None = None) -> Mask:
        """Return which bodies (b) are part of the arm's gripper, or of any arm's."""
        arms = self.arms if arm is None else (arm,)
        return np.array([body.split("/")[0] in arms and "/" in body for body in self.bodies], np.bool_)

    def select_object_bodies(self, body: str) -> Mask:
        """Return which bodies (b) belong to the object that `body` belongs to."""
        return np.array([name.split(".")[0] == body.split(".")[0] for name in self.bodies], np.bool_)

    def compute_contact_mask(self, body: str, others: Mask) -> Mask:
        """Return for every step (A+1) whether `body` touches any of `others` (b)."""
        return self.in_contact[self.body_index(body)][others].any(0)

    def compute_pinch_mask(self, body: str, arm: str) -> Mask:
        """Return for every step (A+1) whether `body` is between both fingers of the arm."""
        first_finger, second_finger = (
            self.in_contact[self.body_index(body), self.body_index(f"{arm}/finger{k}")] for k in range(2)
        )
        return first_finger & second_finger

    def find_gripper_contact_spans(self, body: str) -> list[StepSpan]:
        """Return when `body` touches any gripper."""
        return find_spans(self.compute_contact_mask(body, self.select_gripper_bodies()), MAX_CONTACT_GAP_STEPS)

    def collect_contact_points(self, body: str, others: Mask, steps: Sequence[int], frame: str) -> NDArray[np.float32]:
        """Return where (p 3) `body` touches `others` (b) at `steps`, in the frame of body `frame`, near ones merged."""
        body_index, wanted_steps = self.body_index(body), np.zeros(len(self.body_pose), np.bool_)
        wanted_steps[list(steps)] = True
        rows = np.flatnonzero(wanted_steps[self.contact_step])
        pair = self.contact_pair[rows]
        rows = rows[
            ((pair[:, 0] == body_index) & others[pair[:, 1]]) | ((pair[:, 1] == body_index) & others[pair[:, 0]])
        ]
        world_from_frame = self.body_pose[self.contact_step[rows], self.body_index(frame)]
        return merge_nearby_points(transform_points(invert(world_from_frame), self.contact_position[rows]))


def build_contact_history(
    contacts: NDArray[np.void],
    bodies: Sequence[str],
    body_pose: NDArray[np.float32],
    arms: Sequence[str],
    body_types: Mapping[str, str],
) -> ContactHistory:
    """Return the contact history of a run; the arguments are those of `sim.episodes.events.find_events`."""
    step, body_a, body_b = (np.ascontiguousarray(contacts[name]) for name in ("step", "a", "b"))
    in_contact = np.zeros((len(bodies), len(bodies), len(body_pose)), np.bool_)
    in_contact[body_a, body_b, step] = True
    in_contact[body_b, body_a, step] = True
    in_contact[np.arange(len(bodies)), np.arange(len(bodies))] = False
    position = contacts["pos"].astype(np.float64)
    pose = body_pose.astype(np.float64)
    return ContactHistory(
        tuple(bodies), tuple(arms), body_types, pose, in_contact, step, np.stack([body_a, body_b], 1), position
    )


def find_spans(mask: Mask, max_gap: int) -> list[StepSpan]:
    """Return the runs of true steps, first and last included, joined where at most `max_gap` false steps part them."""
    steps = np.flatnonzero(mask)
    if not len(steps):
        return []
    breaks = np.flatnonzero(np.diff(steps) > max_gap + 1)
    starts, ends = steps[np.append(0, breaks + 1)], steps[np.append(breaks, -1)]
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]


def find_turning_points(signal: NDArray[np.float64], min_swing: float) -> list[int]:
    """Return the indices where `signal` (n) turns back, after a way of `min_swing` or more and before another."""
    turning_indices: list[int] = []
    direction = lowest = highest = 0  # up 1, down -1, not known yet 0; and how far down and up it has got on this way
    for i in _find_local_extrema(signal):
        lowest, highest = (i if signal[i] < signal[lowest] else lowest), (i if signal[i] > signal[highest] else highest)
        if direction >= 0 and signal[highest] - signal[i] >= min_swing:
            turning_indices += [highest] * (direction > 0)
            direction, lowest = -1, i
        elif direction <= 0 and signal[i] - signal[lowest] >= min_swing:
            turning_indices += [lowest] * (direction < 0)
            direction, highest = 1, i
    return turning_indices


def _find_local_extrema(signal: NDArray[np.float64]) -> list[int]:
    """Return the indices of both ends of a track and of all its local extremes."""
    slope = np.sign(np.diff(signal))
    moving = np.flatnonzero(slope)
    reversals = moving[1:][np.diff(slope[moving]) != 0]  # a plateau counts where it ends
    return [0, *reversals.tolist(), len(signal) - 1]


def merge_nearby_points(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the points (p 3) without those within CONTACT_MERGE_RADIUS_M of an earlier one that is kept."""
    is_near = np.linalg.norm(points[:, None] - points[None], axis=-1) <= CONTACT_MERGE_RADIUS_M
    kept_indices: list[int] = []
    for i in range(len(points)):
        if not is_near[i, kept_indices].any():
            kept_indices.append(i)
    return points[kept_indices].astype(np.float32).reshape(-1, 3)
