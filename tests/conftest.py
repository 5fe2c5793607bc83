"""One thread for those who ask; and one flag: `--typecheck` checks the shapes in `aim.model` at every call."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Compute on one thread, as the sums of two may differ in the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--typecheck`."""
    parser.addoption("--typecheck", action="store_true", help="check array shapes and dtypes in aim.model")


def pytest_configure(config: pytest.Config) -> None:
    """Install the import hook before any test imports the model; only tests that need a GPU are shown one."""
    if "gpu" not in config.getoption("-m"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    settings.register_profile("aim", deadline=None)  # a machine that others use too is not always fast
    settings.load_profile("aim")
    if config.getoption("--typecheck"):
        from jaxtyping import install_import_hook

        install_import_hook("aim.model", "beartype.beartype")


@pytest.fixture
def needs_opengl() -> None:
    """Skip where the ray tracer draws."""
    from sim.world.render import describe_renderer

    if describe_renderer().name != "opengl":
        pytest.skip("no OpenGL here")
