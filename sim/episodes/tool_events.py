"""The rules of a thing in hand: strike, pour, shake. `sim.episodes.events` says in words what each of them means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.episodes.contact_history import ContactHistory, Mask, find_spans, find_turning_points
from sim.episodes.gripper_events import (
    MIN_CARRY_DISTANCE_M,
    MIN_REST_STEPS,
    GraspInterval,
    Placement,
    collect_grip_points,
    select_first_steps,
)
from sim.geometry import conjugate, rotate
from sim.types import Event

MAX_STRIKE_GAP_STEPS = 25  # steps, 0.5 s; a hammer that bounces is still at the same blow, a mug at the same hook
SET_DOWN_WINDOW_STEPS = (
    50  # steps, 1 s; lowering, opening and letting go take no longer, and may brush what stands around
)
MIN_POUR_TILT_RAD = np.pi / 4  # rad from how it was taken up; what lies in a container slides out
MIN_SHAKE_STROKE_M = 0.02  # m; an arm's overshoot is a few mm, a shake several cm
MAX_SHAKE_REVERSAL_INTERVAL_STEPS = 75  # steps, 1.5 s; what turns back more rarely is carried to and fro
MIN_SHAKE_REVERSALS = 4  # up and down is a lift and a lowering; an arm that feels for its pose may add one to and fro
MIN_REVERSAL_COSINE = 0.7  # cosine; a way back within 45 degrees of the way there

WORLD_UP = np.array([0.0, 0.0, 1.0])
PlacementsByBody = Mapping[str, Sequence[Placement]]


def find_strikes(
    history: ContactHistory, body: str, grasps: Sequence[GraspInterval], placements: PlacementsByBody
) -> Iterator[Event]:
    """Yield the blows that a held body gives to other objects; `placements` are the placings of every free body."""
    for other in history.body_types:
        body_index, other_index = history.body_index(body), history.body_index(other)
        if (
            not grasps
            or history.select_object_bodies(body)[other_index]
            or not history.in_contact[body_index, other_index].any()
        ):
            continue
        for first, last in find_spans(history.in_contact[body_index, other_index], MAX_STRIKE_GAP_STEPS):
            if _belongs_to_placement(history, body, other, first, last, placements) or _belongs_to_placement(
                history, other, body, first, last, placements
            ):
                continue
            points = history.collect_contact_points(
                other,
                _select_single_body(history, body),
                select_first_steps(history.in_contact[body_index, other_index], (first, last)),
                other,
            )
            for grasp in grasps:
                if _is_carried_away(history, grasp, first) and other not in find_payload(history, grasp):
                    yield Event("strike", first, grasp.arm, other, points)


def _belongs_to_placement(
    history: ContactHistory, body: str, other: str, first: int, last: int, placements: PlacementsByBody
) -> bool:
    """Return whether the touch from `first` to `last` belongs to placing `body` on, or right beside, `other`."""
    placement = next((candidate for candidate in placements.get(body, ()) if candidate.rest_step >= first), None)
    if placement is None:
        return False
    on_other = any(history.select_object_bodies(other)[history.body_index(support)] for support in placement.supports)
    return on_other or last >= placement.release_step - SET_DOWN_WINDOW_STEPS


def _is_carried_away(history: ContactHistory, grasp: GraspInterval, step: int) -> bool:
    """Return whether the thing is held at `step`, and has left the place it was taken from."""
    path = history.body_pose[:, history.body_index(grasp.body), :3]
    return grasp.first_step < step <= grasp.last_step and bool(
        np.linalg.norm(path[step] - path[grasp.first_step]) > MIN_CARRY_DISTANCE_M
    )


def find_payload(history: ContactHistory, grasp: GraspInterval) -> set[str]:
    """Return the free bodies that touch the held one when it is taken up, directly or through each other."""
    free_bodies = [name for name, body_type in history.body_types.items() if body_type == "free"]
    free_indices = [history.body_index(name) for name in free_bodies]
    window = slice(max(grasp.first_step - MIN_REST_STEPS, 0), grasp.first_step + 1)
    adjacent = np.any(history.in_contact[free_indices][:, free_indices, window], axis=-1)
    is_payload = np.array([name == grasp.body for name in free_bodies], np.bool_)
    while (expanded := is_payload | adjacent[is_payload].any(0)).sum() > is_payload.sum():
        is_payload = expanded
    return {name for name, is_member in zip(free_bodies, is_payload, strict=True) if is_member} - {grasp.body}


def find_pours(history: ContactHistory, grasp: GraspInterval, placements: PlacementsByBody) -> Iterator[Event]:
    """Yield the pouring of a held container, at most one: what leaves it later is the same deed."""
    dropped_in = {
        body
        for body, body_placements in placements.items()
        if any(
            grasp.body in placement.supports and _is_placed_during(placement, grasp) for placement in body_placements
        )
    }
    payload = sorted(find_payload(history, grasp) | dropped_in)
    if not payload:
        return
    is_tilted = _compute_tilt(history, grasp) > MIN_POUR_TILT_RAD
    exit_steps = {
        name: step for name in payload if (step := _find_pour_step(history, grasp, name, is_tilted)) is not None
    }
    container_bodies = (
        history.select_object_bodies(grasp.body) | history.select_gripper_bodies() | np.isin(history.bodies, payload)
    )
    landings = {
        name: landing
        for name, step in exit_steps.items()
        if (landing := _find_landing(history, name, step, ~container_bodies)) is not None
    }
    if not landings:
        return
    receiver = Counter(support for support, _ in landings.values()).most_common(1)[0][0]  # of equals, the first thing's
    points = [
        history.collect_contact_points(body, _select_single_body(history, receiver), [step], receiver)
        for body, (support, step) in landings.items()
        if support == receiver
    ]
    yield Event("pour", min(exit_steps.values()), grasp.arm, receiver, np.concatenate(points))


def _is_placed_during(placement: Placement, grasp: GraspInterval) -> bool:
    return grasp.first_step <= placement.rest_step <= grasp.last_step


def _compute_tilt(history: ContactHistory, grasp: GraspInterval) -> NDArray[np.float64]:
    """Return how far (A+1) the held thing is tilted, yaw aside, from its attitude when it was taken up."""
    up = rotate(conjugate(history.body_pose[:, history.body_index(grasp.body), 3:]), WORLD_UP)
    return np.arccos(np.clip(up @ up[grasp.first_step], -1.0, 1.0))


def _find_pour_step(history: ContactHistory, grasp: GraspInterval, name: str, is_tilted: Mask) -> int | None:
    """Return the step at which `name` is out of the held container, None where it stays or was not poured."""
    touch_steps = np.flatnonzero(
        history.in_contact[history.body_index(name), history.body_index(grasp.body)][: grasp.last_step + 1]
    )
    step = int(touch_steps[-1]) + 1 if len(touch_steps) else 0
    is_poured = (
        grasp.first_step < step <= grasp.last_step
        and is_tilted[step]
        and not history.compute_contact_mask(name, history.select_gripper_bodies())[step]
    )
    return step if is_poured else None


def _find_landing(history: ContactHistory, name: str, exit_step: int, candidates: Mask) -> tuple[str, int] | None:
    """Return the body, one of `candidates` (b), that `name` touches first after the step `exit_step`, and when."""
    hits = history.in_contact[history.body_index(name)] & candidates[:, None]
    hit_steps = np.flatnonzero(hits[:, exit_step:].any(0))
    if not len(hit_steps):
        return None
    step = exit_step + int(hit_steps[0])
    return history.bodies[int(np.argmax(hits[:, step]))], step


def find_shakes(history: ContactHistory, grasp: GraspInterval) -> Iterator[Event]:
    """Yield the shakes of a held thing: at most one each time that it is clear of everything."""
    contact_free = ~history.compute_contact_mask(
        grasp.body, ~history.select_gripper_bodies() & ~history.select_object_bodies(grasp.body)
    )
    contact_free[: grasp.first_step] = contact_free[grasp.last_step + 1 :] = False
    for first, last in find_spans(contact_free, 0):
        path = history.body_pose[first : last + 1, history.body_index(grasp.body), :3]
        reversal_groups = [
            _group_reversals(path, find_turning_points(path[:, axis], MIN_SHAKE_STROKE_M)) for axis in range(3)
        ]
        start_steps = [
            first + group[0] for axis in reversal_groups for group in axis if len(group) >= MIN_SHAKE_REVERSALS
        ]
        if start_steps:
            steps = select_first_steps(
                history.compute_pinch_mask(grasp.body, grasp.arm), (min(start_steps), grasp.last_step)
            )
            yield Event("shake", min(start_steps), grasp.arm, grasp.body, collect_grip_points(history, grasp, steps))


def _group_reversals(path: NDArray[np.float64], turning_points: Sequence[int]) -> list[list[int]]:
    """Return the groups of turning points of a path (n 3) that follow each other in time and lead back and forth."""
    groups: list[list[int]] = []
    for turning_point in turning_points:
        starts_group = not groups or turning_point - groups[-1][-1] > MAX_SHAKE_REVERSAL_INTERVAL_STEPS
        if starts_group or (len(groups[-1]) > 1 and not _reverses_direction(*path[[*groups[-1][-2:], turning_point]])):
            groups.append([turning_point] if starts_group else [groups[-1][-1], turning_point])
        else:
            groups[-1].append(turning_point)
    return groups


def _reverses_direction(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> bool:
    """Return whether the way from `b` to `c` leads back along the way from `a` to `b`."""
    return bool((b - a) @ (c - b) < -MIN_REVERSAL_COSINE * np.linalg.norm(b - a) * np.linalg.norm(c - b))


def _select_single_body(history: ContactHistory, body: str) -> Mask:
    return np.array([name == body for name in history.bodies], np.bool_)
