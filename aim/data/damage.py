"""Whatever goes wrong in reading a damaged file, as an error of one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sim.types import UserError


@contextlib.contextmanager
def report_damage(what: object, remedy: str = "download it anew") -> Iterator[None]:
    """Turn any error in reading `what` into a `UserError` with its cause and the remedy; full memory is no damage."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as damage:
        reason = " ".join(f"{type(damage).__name__}: {damage}".split())
        raise UserError(f"{what} is damaged ({reason}); {remedy}") from damage
