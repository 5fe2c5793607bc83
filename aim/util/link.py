"""Hard links, so that a file of another run takes no room of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Hard-link a file, or copy it where the disk cannot: what shares it may replace it, but not write over it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
