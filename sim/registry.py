"""Values found by file name: adding a task or a robot is adding a file."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from typing import Any

from sim.types import UserError


def list_module_names(path: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the modules in a package, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(path)))


def resolve_name(kind: str, name: str, valid_names: Sequence[str]) -> str:
    """Return `name`, or raise `UserError` that names the valid ones."""
    if name in valid_names:
        return name
    close_matches = difflib.get_close_matches(name, valid_names, n=1)
    hint = f"did you mean {close_matches[0]!r}? " if close_matches else ""
    raise UserError(f"unknown {kind} {name!r}; {hint}valid: {', '.join(valid_names)}")


def load_value(kind: str, package: str, name: str, valid_names: Sequence[str], attribute: str) -> Any:  # noqa: ANN401
    """Return `attribute` of the module `name` in `package`; `UserError` where there is no such module."""
    return vars(importlib.import_module(f"{package}.{resolve_name(kind, name, valid_names)}"))[attribute]
