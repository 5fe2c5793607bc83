"""TOML files written by users, with errors of one line."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from sim.types import UserError


def read_toml(path: Path, kind: str) -> dict[str, Any]:
    """Parsed TOML file; `UserError` that calls it `kind` if it cannot be read or parsed."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        json.dumps(found, default=str)  # what is too long or too deep for this, no message can show
        return found
    except OSError as error:
        raise UserError(f"cannot read the {kind} {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the {kind} {path} is not TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        said = "is nested too deep" if isinstance(error, RecursionError) else "has a number of too many digits"
        raise UserError(f"the {kind} {path} {said}") from error
