"""Words of the command line that tyro does not know: HxW, lists with commas."""

from __future__ import annotations

from sim.types import UserError


def size(text: str) -> tuple[int, int]:
    """Return (height, width) of "128x160"; `UserError` where it is not two whole numbers of at least 8."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) >= 8 for part in parts):
        raise UserError(f"size {text!r} is not HEIGHTxWIDTH in pixels, at least 8 each, as in 128x128")
    return int(parts[0]), int(parts[1])


def listed(text: str) -> tuple[str, ...]:
    """Return the words between commas, empty ones left out."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
