"""What things there are, by kind: one module a group, each with its `SPECS_BY_CATEGORY`."""

from __future__ import annotations

import functools
import importlib

from sim.registry import list_module_names
from sim.task.spec import ObjectSpec, SpecError


@functools.cache
def load_catalogue() -> dict[str, tuple[ObjectSpec, ...]]:
    """Return the variants of every kind of every group; `SpecError` where two groups claim one kind."""
    merged: dict[str, tuple[ObjectSpec, ...]] = {}
    for name in list_module_names(__path__):
        group_specs: dict[str, tuple[ObjectSpec, ...]] = importlib.import_module(f"{__name__}.{name}").SPECS_BY_CATEGORY
        if duplicates := merged.keys() & group_specs.keys():
            raise SpecError(f"catalogue group {name!r} repeats {', '.join(sorted(duplicates))}")
        merged |= group_specs
    return merged


def find_specs(*categories: str) -> tuple[ObjectSpec, ...]:
    """Return all variants of the named kinds, in order; `SpecError` naming the valid kinds."""
    valid = load_catalogue()
    for name in categories:
        if name not in valid:
            raise SpecError(f"unknown kind {name!r}; valid: {', '.join(sorted(valid))}")
    return tuple(spec for name in categories for spec in valid[name])
