"""TOML files written by users, with errors of one line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from sim.types import UserError


def read_toml(path: Path, kind: str) -> dict[str, Any]:
    """Parsed TOML file; `UserError` that calls it `kind` if it cannot be read or parsed."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the {kind} {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the {kind} {path} is not TOML: {error}") from error
