"""Files that are replaced as a whole: whoever reads one while it is written, or after a crash, finds the former one."""

from __future__ import annotations

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 text beside `path` and give it its name once it is whole; nothing where it is the same.

    One process at a time writes a file.
    """
    if path.is_file() and path.read_bytes() == text.encode():
        return
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
