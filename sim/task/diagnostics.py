"""What is wrong with a task, and the line of its file that says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sim.registry import choose
from sim.task.spec import Value
from sim.types import UserError


@dataclass(frozen=True)
class Fault:
    """What is wrong; a pattern of the offending word in the source, and patterns that lead to where it stands."""

    text: str
    word: str = ""
    trail: tuple[str, ...] = ()


def line_of(source: str, fault: Fault) -> int:
    """Return the line, from 1, of the fault's word nearest to the end of its trail; 0 where there is neither."""
    at = 0
    for step in fault.trail:
        found = re.compile(step).search(source, at)
        at = found.end() if found else at
    places = [found.start() for found in re.finditer(fault.word, source)] if fault.word else []
    if not places and not at:
        return 0

    def away(place: int) -> int:  # what is said of a thing mostly follows its name
        return place - at if place >= at else 3 * (at - place)

    return source.count("\n", 0, min(places, key=away, default=at)) + 1


def choice(kind: str, name: Value, valid: Iterable[str], trail: tuple[str, ...], said: str = "") -> Iterator[Fault]:
    """Yield a fault where a name is not a valid one; `said` is what the source says, if not the name alone."""
    valid = tuple(valid)
    if name not in valid:
        yield Fault(unknown(kind, str(name), valid), quoted(said or str(name)), trail)


def unknown(kind: str, name: str, valid: Iterable[str]) -> str:
    """Return the complaint about a name that is not valid."""
    try:
        return choose(kind, name, tuple(valid) or ("none",))
    except UserError as error:
        return str(error)


def quoted(word: str) -> str:
    """Return the pattern of a word in quotes."""
    return rf"[\"']-?{re.escape(word)}[\"']"


def field_of(name: str) -> str:
    """Return the pattern of a field as Python and JSON give it a value."""
    return rf"\b{name}\b[\"']?\s*[=:]"


def named(field: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Return the pattern of a name and the trail to where it is given to an object or a role."""
    return quoted(name), (field_of(field), quoted(name))
