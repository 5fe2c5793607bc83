"""`python -m aim` is `aim`: for launchers that start a module, as torchrun does."""

from __future__ import annotations

import sys

from aim.cli import main

if __name__ == "__main__":
    sys.exit(main())
