"""What is wrong with a task, and the line of its file that says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sim.registry import resolve_name
from sim.task.spec import Value
from sim.types import UserError


@dataclass(frozen=True)
class Diagnostic:
    """What is wrong; a pattern of the offending word in the source, and patterns that lead to where it stands."""

    message: str
    pattern: str = ""
    location_hints: tuple[str, ...] = ()


def find_line(source: str, diagnostic: Diagnostic) -> int:
    """Return the line, from 1, of the fault's word nearest to the end of its trail; 0 where there is neither."""
    anchor = 0
    for hint in diagnostic.location_hints:
        match = re.compile(hint).search(source, anchor)
        anchor = match.end() if match else anchor
    positions = [match.start() for match in re.finditer(diagnostic.pattern, source)] if diagnostic.pattern else []
    if not positions and not anchor:
        return 0

    def measure_distance(position: int) -> int:  # what is said of a thing mostly follows its name
        return position - anchor if position >= anchor else 3 * (anchor - position)

    return source.count("\n", 0, min(positions, key=measure_distance, default=anchor)) + 1


def check_name(
    kind: str, name: Value, valid: Iterable[str], location_hints: tuple[str, ...], source_text: str = ""
) -> Iterator[Diagnostic]:
    """Yield a fault where a name is not a valid one; `source_text` is what the source says, if not the name."""
    valid = tuple(valid)
    if name not in valid:
        yield Diagnostic(
            format_unknown_name(kind, str(name), valid), build_quoted_pattern(source_text or str(name)), location_hints
        )


def format_unknown_name(kind: str, name: str, valid: Iterable[str]) -> str:
    """Return the complaint about a name that is not valid."""
    try:
        return resolve_name(kind, name, tuple(valid) or ("none",))
    except UserError as error:
        return str(error)


def build_quoted_pattern(word: str) -> str:
    """Return the pattern of a word in quotes."""
    return rf"[\"']-?{re.escape(word)}[\"']"


def build_field_pattern(name: str) -> str:
    """Return the pattern of a field as Python and JSON give it a value."""
    return rf"\b{name}\b[\"']?\s*[=:]"


def build_name_location(field: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Return the pattern of a name and the trail to where it is given to an object or a role."""
    return build_quoted_pattern(name), (build_field_pattern(field), build_quoted_pattern(name))
