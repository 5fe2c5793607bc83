"""What things there are, by kind: one module a group, each with its `KINDS` of ready shapes."""

from __future__ import annotations

import functools
import importlib

from sim.registry import module_names
from sim.task.spec import Shape, SpecError


@functools.cache
def kinds() -> dict[str, tuple[Shape, ...]]:
    """Return the variants of every kind of every group; `SpecError` where two groups claim one kind."""
    merged: dict[str, tuple[Shape, ...]] = {}
    for name in module_names(__path__):
        group: dict[str, tuple[Shape, ...]] = importlib.import_module(f"{__name__}.{name}").KINDS
        if twice := merged.keys() & group.keys():
            raise SpecError(f"catalogue group {name!r} repeats {', '.join(sorted(twice))}")
        merged |= group
    return merged


def kind(*names: str) -> tuple[Shape, ...]:
    """Return all variants of the named kinds, in order; `SpecError` naming the valid kinds."""
    valid = kinds()
    for name in names:
        if name not in valid:
            raise SpecError(f"unknown kind {name!r}; valid: {', '.join(sorted(valid))}")
    return tuple(shape for name in names for shape in valid[name])
