"""Provenance of recordings: code, libraries, arithmetic kernels and renderer, as far as bytes may depend on them."""

from __future__ import annotations

import ctypes
import functools
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.linalg import _umath_linalg  # the extension module that is linked with BLAS

from sim.types import Provenance

SOURCE_ROOT = Path(__file__).resolve().parents[2]
GIT_TIMEOUT_S = 10.0
OPENBLAS_KERNEL_FUNCTIONS = (
    "scipy_openblas_get_corename64_",
    "scipy_openblas_get_corename",
    "openblas_get_corename64_",
    "openblas_get_corename",
)


def collect_provenance(rendered: bool) -> Provenance:
    """Provenance of what this process computes; with `rendered` the renderer too, which opens it if it is not open."""
    from sim.world.render import describe_renderer

    return Provenance(
        aim=version("aim-world-action"),
        commit=describe_commit(),
        mujoco=version("mujoco"),
        numpy=np.__version__,
        cpu=describe_vector_unit(),
        blas=describe_blas_kernel(),
        renderer=str(describe_renderer()) if rendered else "",
    )


@functools.cache
def describe_commit(root: Path = SOURCE_ROOT) -> str:
    """Commit of the source tree as `git describe` has it, "-dirty" where files differ; the version if no checkout."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags", "--abbrev=12"]
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_TIMEOUT_S)
            return run.stdout.strip()
        except (OSError, subprocess.SubprocessError):  # no git, or a tree that it does not trust
            return f"{version('aim-world-action')} (unknown commit)"
    return version("aim-world-action")


@functools.cache
def describe_vector_unit() -> str:
    """Processor architecture and the widest vector extension that NumPy dispatches to, such as "x86_64 X86_V3"."""
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    widest = [*extensions["baseline"], *extensions.get("found", [])][-1:]
    return " ".join([platform.machine(), *widest])


@functools.cache
def describe_blas_kernel() -> str:
    """Name and version of NumPy's BLAS, and the kernel that it chose for this processor where it tells."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    library = ctypes.CDLL(_umath_linalg.__file__)
    for name in OPENBLAS_KERNEL_FUNCTIONS:
        try:
            function = library[name]
        except AttributeError:  # another build, or no OpenBLAS
            continue
        function.restype = ctypes.c_char_p
        return f"{blas['name']} {blas['version']} {function().decode()}"
    return f"{blas['name']} {blas['version']}"
