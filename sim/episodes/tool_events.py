"""The rules of a thing in hand: strike, pour, shake. `sim.episodes.events` says in words what each of them means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.episodes.contact_history import Facts, Mask, spans, turning_points
from sim.episodes.gripper_events import CARRY, REST, Hold, Rest, first_steps, grip
from sim.geometry import conjugate, rotate
from sim.types import Event

STRIKE_GAP = 25  # steps, 0.5 s; a hammer that bounces is still at the same blow, a mug at the same hook
SET_DOWN = 50  # steps, 1 s; lowering, opening and letting go take no longer, and may brush what stands around
TILT = np.pi / 4  # rad from how it was taken up; what lies in a container slides out
SWING = 0.02  # m; an arm's overshoot is a few mm, a shake several cm
BEAT = 75  # steps, 1.5 s; what turns back more rarely is carried to and fro
REVERSALS = 4  # up and down is a lift and a lowering; an arm that feels for its pose may add one to and fro
FOLD = 0.7  # cosine; a way back within 45 degrees of the way there

UP = np.array([0.0, 0.0, 1.0])
Rests = Mapping[str, Sequence[Rest]]


def strikes(run: Facts, body: str, held: Sequence[Hold], placed: Rests) -> Iterator[Event]:
    """Yield the blows that a held body gives to other objects; `placed` are the placings of every free body."""
    for other in run.kinds:
        me, it = run.index(body), run.index(other)
        if not held or run.object(body)[it] or not run.touch[me, it].any():
            continue
        for first, last in spans(run.touch[me, it], STRIKE_GAP):
            if _set_down(run, body, other, first, last, placed) or _set_down(run, other, body, first, last, placed):
                continue
            points = run.points(other, _only(run, body), first_steps(run.touch[me, it], (first, last)), other)
            for hold in held:
                if _away(run, hold, first) and other not in cargo(run, hold):
                    yield Event("strike", first, hold.arm, other, points)


def _set_down(run: Facts, body: str, other: str, first: int, last: int, placed: Rests) -> bool:
    """Return whether the touch from `first` to `last` belongs to placing `body` on, or right beside, `other`."""
    rest = next((r for r in placed.get(body, ()) if r.step >= first), None)
    if rest is None:
        return False
    on_it = any(run.object(other)[run.index(support)] for support in rest.supports)
    return on_it or last >= rest.released - SET_DOWN


def _away(run: Facts, hold: Hold, step: int) -> bool:
    """Return whether the thing is held at `step`, and has left the place it was taken from."""
    path = run.pose[:, run.index(hold.body), :3]
    return hold.first < step <= hold.last and bool(np.linalg.norm(path[step] - path[hold.first]) > CARRY)


def cargo(run: Facts, hold: Hold) -> set[str]:
    """Return the free bodies that touch the held one when it is taken up, directly or through each other."""
    free = [name for name, kind in run.kinds.items() if kind == "free"]
    at = [run.index(name) for name in free]
    window = slice(max(hold.first - REST, 0), hold.first + 1)
    near = np.any(run.touch[at][:, at, window], axis=-1)
    found = np.array([name == hold.body for name in free], np.bool_)
    while (more := found | near[found].any(0)).sum() > found.sum():
        found = more
    return {name for name, is_found in zip(free, found, strict=True) if is_found} - {hold.body}


def pours(run: Facts, hold: Hold, placed: Rests) -> Iterator[Event]:
    """Yield the pouring of a held container, at most one: what leaves it later is the same deed."""
    dropped_in = {b for b, rs in placed.items() if any(hold.body in r.supports and _during(r, hold) for r in rs)}
    load = sorted(cargo(run, hold) | dropped_in)
    if not load:
        return
    tilted = _tilt(run, hold) > TILT
    left = {name: step for name in load if (step := _leaves(run, hold, name, tilted)) is not None}
    inside = run.object(hold.body) | run.gripper() | np.isin(run.bodies, load)
    landed = {name: spot for name, step in left.items() if (spot := _lands(run, name, step, ~inside)) is not None}
    if not landed:
        return
    carrier = Counter(support for support, _ in landed.values()).most_common(1)[0][0]  # of equals, the first thing's
    points = [run.points(b, _only(run, carrier), [at], carrier) for b, (on, at) in landed.items() if on == carrier]
    yield Event("pour", min(left.values()), hold.arm, carrier, np.concatenate(points))


def _during(rest: Rest, hold: Hold) -> bool:
    return hold.first <= rest.step <= hold.last


def _tilt(run: Facts, hold: Hold) -> NDArray[np.float64]:
    """Return how far (A+1) the held thing is tilted, yaw aside, from its attitude when it was taken up."""
    up = rotate(conjugate(run.pose[:, run.index(hold.body), 3:]), UP)
    return np.arccos(np.clip(up @ up[hold.first], -1.0, 1.0))


def _leaves(run: Facts, hold: Hold, name: str, tilted: Mask) -> int | None:
    """Return the step at which `name` is out of the held container, None where it stays or was not poured."""
    inside = np.flatnonzero(run.touch[run.index(name), run.index(hold.body)][: hold.last + 1])
    step = int(inside[-1]) + 1 if len(inside) else 0
    poured = hold.first < step <= hold.last and tilted[step] and not run.touched(name, run.gripper())[step]
    return step if poured else None


def _lands(run: Facts, name: str, left: int, on: Mask) -> tuple[str, int] | None:
    """Return the body, one of `on` (b), that `name` touches first after the step `left`, and when."""
    hits = run.touch[run.index(name)] & on[:, None]
    after = np.flatnonzero(hits[:, left:].any(0))
    if not len(after):
        return None
    step = left + int(after[0])
    return run.bodies[int(np.argmax(hits[:, step]))], step


def shakes(run: Facts, hold: Hold) -> Iterator[Event]:
    """Yield the shakes of a held thing: at most one each time that it is clear of everything."""
    alone = ~run.touched(hold.body, ~run.gripper() & ~run.object(hold.body))
    alone[: hold.first] = alone[hold.last + 1 :] = False
    for first, last in spans(alone, 0):
        path = run.pose[first : last + 1, run.index(hold.body), :3]
        beats = [_beats(path, turning_points(path[:, axis], SWING)) for axis in range(3)]
        starts = [first + beat[0] for axis in beats for beat in axis if len(beat) >= REVERSALS]
        if starts:
            steps = first_steps(run.pinched(hold.body, hold.arm), (min(starts), hold.last))
            yield Event("shake", min(starts), hold.arm, hold.body, grip(run, hold, steps))


def _beats(path: NDArray[np.float64], turns: Sequence[int]) -> list[list[int]]:
    """Return the groups of turning points of a path (n 3) that follow each other in time and lead back and forth."""
    groups: list[list[int]] = []
    for turn in turns:
        late = not groups or turn - groups[-1][-1] > BEAT
        if late or (len(groups[-1]) > 1 and not _folds(*path[[*groups[-1][-2:], turn]])):
            groups.append([turn] if late else [groups[-1][-1], turn])
        else:
            groups[-1].append(turn)
    return groups


def _folds(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> bool:
    """Return whether the way from `b` to `c` leads back along the way from `a` to `b`."""
    return bool((b - a) @ (c - b) < -FOLD * np.linalg.norm(b - a) * np.linalg.norm(c - b))


def _only(run: Facts, body: str) -> Mask:
    return np.array([name == body for name in run.bodies], np.bool_)
