"""Catalogue of objects by category: one module a group, found by file name, each with its `SPECS_BY_CATEGORY`."""

from __future__ import annotations

import functools

from sim.registry import ModuleRegistry, get_plugins_key, keep_import_error
from sim.task.spec import ObjectSpec, SpecError

CATALOGUE_FILES = ModuleRegistry("catalogue group", "catalogue", __name__)


def load_catalogue() -> dict[str, tuple[ObjectSpec, ...]]:
    """Variants of every category of every group, those of plugins last."""
    return _load_catalogue(get_plugins_key())


def load_builtin_catalogue() -> dict[str, tuple[ObjectSpec, ...]]:
    """Variants of the project's own categories: what a seed draws from, so that no plugin changes a scene."""
    return _load_catalogue("", builtin_only=True)


@functools.cache
def _load_catalogue(plugins_key: str, builtin_only: bool = False) -> dict[str, tuple[ObjectSpec, ...]]:
    """Categories of all groups; a group that claims a category of an earlier one is left out."""
    merged: dict[str, tuple[ObjectSpec, ...]] = {}
    for file, group_specs in CATALOGUE_FILES.load_attributes("SPECS_BY_CATEGORY", dict).items():
        if duplicates := merged.keys() & group_specs.keys():
            keep_import_error(file, SpecError(f"{file.path}: {', '.join(sorted(duplicates))} stands in another group"))
        elif file.is_builtin or not builtin_only:
            merged |= group_specs
    return merged


def find_specs(*categories: str) -> tuple[ObjectSpec, ...]:
    """All variants of the named categories, in order; `SpecError` naming the valid ones."""
    valid = load_catalogue()
    for name in categories:
        if name not in valid:
            raise SpecError(f"unknown category {name!r}; valid: {', '.join(sorted(valid))}")
    return tuple(spec for name in categories for spec in valid[name])
