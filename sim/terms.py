"""Predicates of success: pure functions of a world, batched over its copies, each returning bool (n,)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.spec import SpecError, Task

Flags = NDArray[np.bool_]
OPEN, CLOSED = 0.8, 0.2  # commanded openings that count as open and as closed


class View(Protocol):
    """What a term may read."""

    def point(self, name: str) -> NDArray[np.float64]: ...
    def joint_fraction(self, name: str) -> NDArray[np.float64]: ...
    def tool(self, role: str) -> NDArray[np.float64]: ...
    def gripper(self, role: str) -> NDArray[np.float64]: ...
    def gripper_contacts(self, role: str, thing: str) -> list[NDArray[np.float64]]: ...


TERMS: dict[str, Callable[..., Flags]] = {}


def term(function: Callable[..., Flags]) -> Callable[..., Flags]:
    """Register a predicate under its function's name."""
    TERMS[function.__name__] = function
    return function


def evaluate(task: Task, view: View, latched: NDArray[np.bool_]) -> tuple[Flags, NDArray[np.bool_]]:
    """Return success (n,) and the latches (n terms) after this step; `SpecError` names an unknown term or keyword."""
    columns = []
    for i, item in enumerate(task.success):
        if item.name not in TERMS:
            raise SpecError(f"task {task.name!r}: unknown term {item.name!r}; valid: {', '.join(sorted(TERMS))}")
        try:
            now = TERMS[item.name](view, **item.args)
        except TypeError as error:
            raise SpecError(f"task {task.name!r}: term {item.name!r}: {error}") from error
        columns.append(now | latched[:, i] if item.latch else now)
    flags = np.stack(columns, axis=1)
    return np.all(flags, axis=1), flags


@term
def near(
    view: View, a: str, b: str, x: float = np.inf, y: float = np.inf, z: float = np.inf, xy: float = np.inf
) -> Flags:
    """Point `a` lies within x, y, z (metres, each axis) and xy (planar distance) of point `b`."""
    gap = view.point(a) - view.point(b)
    inside = (np.abs(gap) < (x, y, z)).all(axis=1)
    return inside & (np.hypot(gap[:, 0], gap[:, 1]) < xy)


@term
def pressed(view: View, arm: str, point: str, xy: float, z: float) -> Flags:
    """The closed gripper of `arm` touches the object within |dx|, |dy| < xy and |dz| < z of its point."""
    touches = view.gripper_contacts(arm, point.partition(".")[0])
    hit = [
        bool((np.abs(where - target) < (xy, xy, z)).all(axis=1).any())
        for where, target in zip(touches, view.point(point), strict=True)
    ]
    return np.array(hit) & (view.gripper(arm) < CLOSED)


@term
def opened(view: View, joint: str, fraction: float) -> Flags:
    """An object's joint has come at least `fraction` of its range."""
    return view.joint_fraction(joint) >= fraction


@term
def at(view: View, arm: str, point: str, distance: float) -> Flags:
    """The tool of `arm` is within `distance` (metres) of a point."""
    return np.linalg.norm(view.tool(arm)[:, :3] - view.point(point), axis=1) < distance


@term
def open(view: View, arm: str) -> Flags:
    """The gripper of `arm` ("all": every gripper) is commanded open."""
    return view.gripper(arm) > OPEN
