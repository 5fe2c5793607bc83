"""Success of a task: its predicates, bound once and evaluated over n worlds, with latches and absent objects."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.task.predicates import HOLDS, PREDICATES, Floats, Mask, PredicateView, Slack, tolerance
from sim.task.spec import Predicate, SpecError, Task, Value
from sim.task.values import list_values

NOT_FRAMES = ("joint", "container")  # keywords whose names are joints, or bodies that may be parts


@dataclass(frozen=True)
class Evaluation:
    """What came of a task's predicates in n worlds: `slack` (n p) as computed now, `holds` (n p) with latches."""

    slack: Floats
    holds: NDArray[np.bool_]

    @property
    def success(self) -> Mask:
        """Whether (n,) all predicates hold."""
        return np.all(self.holds, axis=1)

    @property
    def scores(self) -> Floats:
        """How far each predicate (n p) is satisfied, 0 to 1; 1 for a latched one that has held before."""
        return np.where(self.holds, 1.0, tolerance(self.slack))


class SuccessCondition:
    """A task's predicates, bound once to their functions; `SpecError` names an unknown predicate or keyword."""

    def __init__(self, task: Task, predicates: tuple[Predicate, ...] | None = None) -> None:
        self.predicates = task.success if predicates is None else predicates
        self._calls = [_bind(task, item) for item in self.predicates]
        optional = {thing.name for thing in task.objects if thing.spawn.optional}
        self._optional = [
            tuple(sorted({name for value in item.args.values() for name in _objects_of(value)} & optional))
            for item in self.predicates
        ]
        self.frames = _frames_of(task, self.predicates)
        self.latches = np.array([item.latch for item in self.predicates], bool)

    def evaluate(self, view: PredicateView, latched: NDArray[np.bool_] | None = None) -> Evaluation:
        """Evaluate all predicates; `latched` (n p) says which have held before, where they are latched."""
        view.prefetch(self.frames)
        columns = []
        for call, optional in zip(self._calls, self._optional, strict=True):
            slack = call(view)
            for name in optional:
                slack = np.where(view.present(name), slack, HOLDS)
            columns.append(slack)
        slack = np.stack(columns, axis=1)
        holds = slack > 0.0
        return Evaluation(slack, holds if latched is None else holds | (latched & self.latches))

    def about(self, obj: str) -> tuple[Predicate, ...]:
        """Return the predicates that speak of an object."""
        return tuple(item for item in self.predicates if any(obj in _objects_of(v) for v in item.args.values()))


def _bind(task: Task, item: Predicate) -> Callable[[PredicateView], Slack]:
    """Return the predicate as a function of the view alone; a TypeError inside it later is its own, not the task's."""
    if item.name not in PREDICATES:
        raise SpecError(f"task {task.name!r}: unknown predicate {item.name!r}; valid: {', '.join(sorted(PREDICATES))}")
    function = PREDICATES[item.name]
    try:
        inspect.signature(function).bind(None, **item.args)
    except TypeError as error:
        raise SpecError(f"task {task.name!r}: predicate {item.name!r}: {error}") from error
    return lambda view: function(view, **item.args)


def _frames_of(task: Task, items: tuple[Predicate, ...]) -> tuple[str, ...]:
    """Return the frames and bodies whose positions predicates read, each once."""
    objects = {thing.name for thing in task.objects}
    words = [
        (name, word)
        for item in items
        for name, value in item.args.items()
        for word in list_values(value)
        if isinstance(word, str) and word.partition(".")[0] in objects
    ]
    return tuple(dict.fromkeys(word for name, word in words if name not in NOT_FRAMES))


def _objects_of(value: Value) -> set[str]:
    return {word.partition(".")[0] for word in list_values(value) if isinstance(word, str)}
