"""One flag: `--typecheck` checks the shapes written in the signatures of `aim.model` at every call."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--typecheck`."""
    parser.addoption("--typecheck", action="store_true", help="check array shapes and dtypes in aim.model")


def pytest_configure(config: pytest.Config) -> None:
    """Install the import hook before any test imports the model."""
    if config.getoption("--typecheck"):
        from jaxtyping import install_import_hook

        install_import_hook("aim.model", "beartype.beartype")
