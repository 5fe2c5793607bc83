"""The rules of the gripper: pick, place, turn, press. `sim.episodes.events` says in words what each of them means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sim.episodes.contact_history import MAX_CONTACT_GAP_STEPS, ContactHistory, Mask, StepSpan, find_spans
from sim.geometry import compose, conjugate, invert, multiply, quat_to_rotation_vector, transform_points
from sim.types import CONTROL_HZ, Event, UserError

MIN_GRASP_STEPS = 5  # steps, 0.1 s; a shorter pinch is a knock in passing
MIN_CARRY_DISTANCE_M = 0.01  # m; more than a closing gripper shifts a thing to its middle
MAX_SLIP_FRACTION = 0.5  # of the way moved; a thing that stays behind in the hand by more was pushed, not carried
MAX_GRASP_TWIST_RAD = 0.5  # rad; a thing may swing between two fingertips, but one that tumbles is not held
CONTACT_BUILDUP_STEPS = 3  # steps, 60 ms: contacts of a grasp or of a touch build up while the fingers settle
MAX_REST_SPEED_M_PER_S = (
    0.02  # m/s; well over a settling solver's drift (1e-3), well under a slow fall (0.2 m/s after 2 cm)
)
MIN_REST_STEPS = 5  # steps, 0.1 s; a bounce has zero speed for an instant only
MAX_SWAY_EXTENT_M = 0.08  # m; what hangs on a peg may swing for long, by less than this
SWAY_WINDOW_STEPS = 50  # 1 s
MIN_HEIGHT_ABOVE_SUPPORT_M = (
    0.0005  # m, base over base: well over the play between two things side by side, under the thinnest pad
)
BIMANUAL_RELEASE_WINDOW_STEPS = (
    25  # steps, 0.5 s; arms that let go of one object this close to each other set it down together
)
MIN_JOINT_TRAVEL = 0.02  # rad (m for a sliding joint); over the play of a resting hinge, under any opening that counts
ONSET_TRAVEL_FRACTION = (
    0.1  # of MIN_JOINT_TRAVEL; the motion starts where the joint leaves its resting value by this much
)
MAX_TURN_GAP_STEPS = 25  # steps, 0.5 s; a finger that slips along a moving lid is still at the same turn
MAX_CLOSED_GRIPPER_COMMAND = 0.2  # of the gripper's command, 0 closed to 1 open


@dataclass(frozen=True)
class GraspInterval:
    """An arm's hold of a free body, from the first step of the pinch to the arm's last touch."""

    body: str
    arm: str
    first_step: int
    last_step: int
    pinch_span: StepSpan


@dataclass(frozen=True)
class Placement:
    """A placing: `body`, let go by `arms` after step `release_step`, rests on `supports` from `rest_step` on."""

    body: str
    arms: tuple[str, ...]
    release_step: int
    rest_step: int
    supports: tuple[str, ...]


def find_grasps(history: ContactHistory, body: str, arm: str) -> Iterator[GraspInterval]:
    """Yield the times in which an arm holds a free body."""
    pinches = find_spans(history.compute_pinch_mask(body, arm), MAX_CONTACT_GAP_STEPS)
    if not pinches:
        return
    for first, last in find_spans(
        history.compute_contact_mask(body, history.select_gripper_bodies(arm)), MAX_CONTACT_GAP_STEPS
    ):
        inner_pinches = [g for g in pinches if first <= g[0] <= last]
        firm_pinch = next(
            (g for g in inner_pinches if g[1] - g[0] >= MIN_GRASP_STEPS and _is_carried(history, body, arm, g)), None
        )
        if firm_pinch is not None:
            yield GraspInterval(body, arm, firm_pinch[0], last, firm_pinch)


def build_pick_event(history: ContactHistory, grasp: GraspInterval) -> Event:
    """Return the event that starts a hold."""
    steps = select_first_steps(history.compute_pinch_mask(grasp.body, grasp.arm), grasp.pinch_span)
    return Event("pick", grasp.first_step, grasp.arm, grasp.body, collect_grip_points(history, grasp, steps))


def collect_grip_points(history: ContactHistory, grasp: GraspInterval, steps: Sequence[int]) -> NDArray[np.float32]:
    """Return where (p 3) the fingers touch what they hold at `steps`, in its frame."""
    fingers = np.array([name.startswith(f"{grasp.arm}/finger") for name in history.bodies])
    return history.collect_contact_points(grasp.body, fingers, steps, grasp.body)


def _is_carried(history: ContactHistory, body: str, arm: str, span: StepSpan) -> bool:
    body_pose = history.body_pose[span[0] : span[1] + 1, history.body_index(body)]
    hand_pose = history.body_pose[span[0] : span[1] + 1, history.body_index(f"{arm}/hand")]
    displacement = np.linalg.norm(body_pose[:, :3] - body_pose[0, :3], axis=1)
    hand_from_body = compose(invert(hand_pose), body_pose)
    slip = np.linalg.norm(hand_from_body[:, :3] - hand_from_body[0, :3], axis=1)
    twist = np.linalg.norm(
        quat_to_rotation_vector(multiply(conjugate(hand_from_body[0, 3:]), hand_from_body[:, 3:])), axis=1
    )
    return bool(
        (
            (displacement > MIN_CARRY_DISTANCE_M)
            & (slip < MAX_SLIP_FRACTION * displacement)
            & (twist < MAX_GRASP_TWIST_RAD)
        ).any()
    )


def find_placements(history: ContactHistory, body: str, grasps: Sequence[GraspInterval]) -> Iterator[Placement]:
    """Yield the placings of a free body after its holds."""
    if not grasps:
        return
    support_masks = {
        name: mask for name in history.bodies if (mask := _compute_support_mask(history, body, name)).any()
    }
    at_rest = np.any(
        [_compute_at_rest_mask(history, body, name) & mask for name, mask in support_masks.items()]
        or [np.zeros(1, bool)],
        axis=0,
    )
    oscillation_masks = [_compute_oscillation_mask(history, body, name) & mask for name, mask in support_masks.items()]
    oscillating = np.any(oscillation_masks or [np.zeros(1, bool)], axis=0)
    contact_spans = history.find_gripper_contact_spans(body)
    contact_starts = [first for first, _ in contact_spans] + [len(history.body_pose)]
    last_placement_step = -1  # the last placing
    for (_, release_step), next_touch in zip(contact_spans, contact_starts[1:], strict=True):
        pending = [grasp for grasp in grasps if last_placement_step < grasp.first_step <= release_step]
        candidate_steps = [
            release_step + 1 + np.flatnonzero(mask[release_step + 1 : next_touch]) for mask in (at_rest, oscillating)
        ]
        rest_step = next((int(steps[0]) for steps in candidate_steps if len(steps)), None)
        if not pending or rest_step is None:
            continue
        last_placement_step = rest_step
        last_release_step = max(grasp.last_step for grasp in pending)
        arms = sorted(
            {grasp.arm for grasp in pending if last_release_step - grasp.last_step <= BIMANUAL_RELEASE_WINDOW_STEPS}
        )
        # a thing rocks onto its feet: the first step knows only one of them
        supports = sorted(
            name
            for name, mask in support_masks.items()
            if mask[last_placement_step : last_placement_step + MIN_REST_STEPS].any()
        )
        yield Placement(body, tuple(arms), release_step, last_placement_step, tuple(supports))


def build_place_events(history: ContactHistory, placement: Placement) -> Iterator[Event]:
    """Yield the events of a placing: one a support and arm."""
    for support in placement.supports:
        support_mask = np.array([name == support for name in history.bodies])
        points = history.collect_contact_points(
            placement.body,
            support_mask,
            range(placement.rest_step, min(placement.rest_step + MIN_REST_STEPS, len(history.body_pose))),
            support,
        )
        for arm in placement.arms:
            yield Event("place", placement.rest_step, arm, support, points)


def _compute_support_mask(history: ContactHistory, body: str, support: str) -> Mask:
    """Return for every step (A+1) whether `body` touches `support`, and may stand on it."""
    body_index, support_index = history.body_index(body), history.body_index(support)
    if history.select_gripper_bodies()[support_index] or history.select_object_bodies(body)[support_index]:
        return np.zeros(len(history.body_pose), np.bool_)
    in_contact = history.in_contact[body_index, support_index]
    if history.body_types.get(support) == "free" and in_contact.any():
        steps = np.flatnonzero(in_contact)
        in_contact = in_contact.copy()
        in_contact[steps] = _is_base_higher(
            history.body_pose[steps, body_index], history.body_pose[steps, support_index]
        )
    return in_contact


def _is_base_higher(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> Mask:
    """Return whether the bases of poses (n 7) are higher, as both things stand; in the world where those differ."""
    relative_heights = (
        transform_points(invert(bottom), top[:, :3])[:, 2],
        -transform_points(invert(top), bottom[:, :3])[:, 2],
    )
    consistent = (np.sign(relative_heights[0]) == np.sign(relative_heights[1])) & (
        np.minimum(*np.abs(relative_heights)) > MIN_HEIGHT_ABOVE_SUPPORT_M
    )
    return np.where(consistent, relative_heights[0], top[:, 2] - bottom[:, 2]) > MIN_HEIGHT_ABOVE_SUPPORT_M


def _compute_at_rest_mask(history: ContactHistory, body: str, support: str) -> Mask:
    """Return from which steps (A+1) on `body` lies still for MIN_REST_STEPS on `support`, carried or not."""
    relative_path = transform_points(
        invert(history.body_pose[:, history.body_index(support)]), history.body_pose[:, history.body_index(body), :3]
    )
    is_slow = np.linalg.norm(np.diff(relative_path, axis=0), axis=1) * CONTROL_HZ < MAX_REST_SPEED_M_PER_S
    slow_count = np.cumsum(np.append(0, is_slow))
    at_rest = np.zeros(len(relative_path), np.bool_)
    at_rest[: len(relative_path) - MIN_REST_STEPS] = (
        slow_count[MIN_REST_STEPS:] - slow_count[:-MIN_REST_STEPS] == MIN_REST_STEPS
    )  # step s begins MIN_REST_STEPS slow steps
    return at_rest


def _compute_oscillation_mask(history: ContactHistory, body: str, support: str) -> Mask:
    """Return from which steps (A+1) on `body` swings within MAX_SWAY_EXTENT_M on `support` for SWAY_WINDOW_STEPS."""
    relative_path = transform_points(
        invert(history.body_pose[:, history.body_index(support)]), history.body_pose[:, history.body_index(body), :3]
    )
    oscillating = np.zeros(len(relative_path), np.bool_)
    if len(relative_path) > SWAY_WINDOW_STEPS:
        windows = sliding_window_view(
            relative_path, SWAY_WINDOW_STEPS + 1, axis=0
        )  # a first step, 3, SWAY_WINDOW_STEPS + 1
        path_length = np.linalg.norm(np.diff(windows, axis=2), axis=1).sum(axis=1)
        net_displacement = np.linalg.norm(windows[..., -1] - windows[..., 0], axis=1)
        oscillating[: len(windows)] = (np.ptp(windows, axis=2) < MAX_SWAY_EXTENT_M).all(axis=1) & (
            net_displacement < path_length / 2
        )
    return oscillating


def find_presses(history: ContactHistory, body: str, arm: str, command: NDArray[np.float32]) -> Iterator[Event]:
    """Yield the presses of an arm on a fixed body."""
    is_closed = (
        np.append(command, command[-1:]) < MAX_CLOSED_GRIPPER_COMMAND
    )  # the last command still holds at the last state
    is_pressing = history.compute_contact_mask(body, history.select_gripper_bodies(arm)) & is_closed
    for first, _ in (
        find_spans(is_pressing & ~_compute_busy_mask(history, body, arm), MAX_CONTACT_GAP_STEPS)
        if is_pressing.any()
        else ()
    ):
        yield Event(
            "press",
            first,
            arm,
            body,
            history.collect_contact_points(body, history.select_gripper_bodies(arm), [first], body),
        )


def _compute_busy_mask(history: ContactHistory, body: str, arm: str) -> Mask:
    """Return when (A+1) the arm has something else in its fingers, or works a moving part of this very object."""
    other_bodies = [name for name in history.body_types if name != body]
    busy_mask = np.zeros(len(history.body_pose), np.bool_)
    for name in other_bodies:
        for first, last in find_spans(history.compute_pinch_mask(name, arm), MAX_CONTACT_GAP_STEPS):
            busy_mask[first : last + 1] = True
    for name in other_bodies:
        if (
            history.body_types[name].startswith("hinged")
            and history.select_object_bodies(body)[history.body_index(name)]
        ):
            for first, last in find_spans(
                history.compute_contact_mask(name, history.select_gripper_bodies(arm)), MAX_TURN_GAP_STEPS
            ):
                busy_mask[first : last + 1] = True
    return busy_mask


def find_turns(history: ContactHistory, body: str, arm: str, joint_values: NDArray[np.float32]) -> Iterator[Event]:
    """Yield the turns of a hinged or sliding body by an arm; `joint_values` (A+1) is its joint's value."""
    contact_mask = history.compute_contact_mask(body, history.select_gripper_bodies(arm))
    for span in find_spans(contact_mask, MAX_TURN_GAP_STEPS):
        onset = _find_motion_onset(joint_values[span[0] : span[1] + 1].astype(np.float64))
        if onset is not None:
            motion_span = (span[0] + onset, span[1])  # never empty: a span ends on a touch
            points = history.collect_contact_points(
                body, history.select_gripper_bodies(arm), select_first_steps(contact_mask, motion_span), body
            )
            yield Event("turn", span[0] + onset, arm, body, points)


def _find_motion_onset(joint_values: NDArray[np.float64]) -> int | None:
    """Return the index where the first one-way motion of more than MIN_JOINT_TRAVEL begins, None if there is none."""
    rise = joint_values - np.minimum.accumulate(joint_values)
    drop = np.maximum.accumulate(joint_values) - joint_values
    turned_indices = np.flatnonzero(np.maximum(rise, drop) > MIN_JOINT_TRAVEL)
    if not len(turned_indices):
        return None
    end = int(turned_indices[0])
    offset = joint_values[: end + 1] - (
        joint_values[: end + 1].min() if rise[end] > MIN_JOINT_TRAVEL else joint_values[: end + 1].max()
    )
    return int(np.flatnonzero(np.abs(offset) < ONSET_TRAVEL_FRACTION * MIN_JOINT_TRAVEL)[-1])


def resolve_joint_name(body: str, body_type: str, joints: Sequence[str]) -> str:
    """Return the joint of a hinged body; `UserError` where its kind does not name one and its object has several."""
    joint_name = body_type.partition(":")[2]
    candidates = (
        [joint_name]
        if joint_name in joints
        else [j for j in joints if not joint_name and j.split(".")[0] == body.split(".")[0]]
    )
    if len(candidates) != 1:
        raise UserError(
            f"{body_type!r} does not name the joint of {body!r}; say hinged:JOINT, one of {', '.join(joints)}"
        )
    return candidates[0]


def select_first_steps(mask: Mask, span: StepSpan) -> list[int]:
    """Return the first CONTACT_BUILDUP_STEPS true steps within a span."""
    return (span[0] + np.flatnonzero(mask[span[0] : span[1] + 1])[:CONTACT_BUILDUP_STEPS]).tolist()
