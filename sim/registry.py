"""Values found by file name: adding a task or a robot is adding a file."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from typing import Any

from sim.types import UserError


def module_names(path: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the modules in a package, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(path)))


def choose(kind: str, name: str, valid: Sequence[str]) -> str:
    """Return `name`, or raise `UserError` that names the valid ones."""
    if name in valid:
        return name
    close = difflib.get_close_matches(name, valid, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UserError(f"unknown {kind} {name!r}; {hint}valid: {', '.join(valid)}")


def load_value(kind: str, package: str, name: str, valid: Sequence[str], attribute: str) -> Any:  # noqa: ANN401
    """Return `attribute` of the module `name` in `package`; `UserError` where there is no such module."""
    return vars(importlib.import_module(f"{package}.{choose(kind, name, valid)}"))[attribute]
