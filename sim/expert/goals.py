"""Goals: where a held object is to be, as the poses that would do."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np

from sim.expert.arm import Actor
from sim.geometry import Array, about, compose, conjugate, invert, multiply, pose, rotate
from sim.task.spec import Skill, SpecError

TURNS = 12  # yaws tried where the task leaves yaw free
OVER = pose((0, 0, 0), (0, 1, 0, 0))  # a half turn about x: a ring is a ring from either side
CLOSE = 0.012  # metres in the plane, and twice that in height, at which an object counts as placed


@dataclass(frozen=True)
class Goal:
    """An object's point on a place: frames together, turned about the place's z axis by one of `yaw`, or by any.

    The place is a named point (`on`), or `to` with its z axis along `up`; `offset` (world) shifts it.
    """

    obj: str
    point: str = "bottom"
    on: str = ""
    to: tuple[float, ...] = ()
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    yaw: tuple[float, ...] = ()
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mirror: str = ""
    flip: bool = False

    def frame(self, actor: Actor) -> Array:
        """Return the place as a world pose (7,)."""
        sign = actor.copy.side(self.mirror) if self.mirror else 1.0
        shift = np.array(self.offset) * (sign, 1.0, 1.0)
        if self.on:
            spot = actor.copy.point(self.on)
            return pose(spot[:3] + shift, spot[3:])
        if len(self.to) != 3:
            raise SpecError(f"task {actor.copy.task.name!r}: a place for {self.obj!r} needs on=POINT or to=(x, y, z)")
        place = actor.copy.origin() + np.array(self.to) * (sign, 1.0, 1.0) + shift
        return pose(place, _leaned(np.array(self.up) * (sign, 1.0, 1.0)))

    def axis(self, actor: Actor) -> Array:
        """Return the place's z axis (3,): the way to come from."""
        return rotate(self.frame(actor)[3:], (0.0, 0.0, 1.0))

    def poses(self, actor: Actor) -> Array:
        """Return the object's poses (c 7) that would do, those that turn it least from now first."""
        form = actor.copy.layout.forms[self.obj]
        if self.point not in form.points:
            valid = ", ".join(form.points)
            raise SpecError(f"task {actor.copy.task.name!r}: {self.obj!r} has no point {self.point!r}; valid: {valid}")
        local = invert(form.points[self.point][1])
        frame = self.frame(actor)
        ends = [compose(frame, OVER), frame] if self.flip else [frame]
        return np.stack([
            compose(compose(end, pose((0, 0, 0), about((0, 0, 1), np.array(angle)))), local)
            for end in ends
            for angle in self._angles(actor, frame, form.turns)
        ])

    def reached(self, actor: Actor) -> bool:
        """Tell whether the object's point is on the place."""
        gap = actor.copy.point(f"{self.obj}.{self.point}")[:3] - self.frame(actor)[:3]
        return bool(np.hypot(gap[0], gap[1]) < CLOSE and abs(gap[2]) < 2 * CLOSE)

    def _angles(self, actor: Actor, frame: Array, turns: int) -> list[float]:
        now = multiply(conjugate(frame[3:]), actor.copy.point(f"{self.obj}.{self.point}")[3:])
        heading = rotate(now, (1.0, 0.0, 0.0))
        first = float(np.arctan2(heading[1], heading[0]))
        if not self.yaw or turns == 0:
            return [first + 2 * pi * k / TURNS for k in range(TURNS)]
        sign = actor.copy.side(self.mirror) if self.mirror else 1.0
        return [sign * angle + 2 * pi * k / turns for angle in self.yaw for k in range(turns)]


def goal_of(item: Skill, actor: Actor) -> Goal:
    """Return the goal of a `carry` or `place`."""
    names = set(Goal.__dataclass_fields__)
    return Goal(**{key: value for key, value in item.args.items() if key in names})  # pyright: ignore[reportArgumentType]


def _leaned(up: Array) -> Array:
    """Return the quaternion that turns z to `up` the shortest way."""
    up = up / np.linalg.norm(up)
    axis = np.array([-up[1], up[0], 0.0])
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        return about((1, 0, 0), np.array(0.0 if up[2] > 0 else pi))
    return about(axis / length, np.array(np.arctan2(length, up[2])))
