"""A small scene to draw, and scripts that draw it in processes of their own: what hangs there ends as a failed test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from sim.world.render import get_renderer

MAX_SCRIPT_SECONDS = 60  # a process that hangs, hangs for ever
SIZE = (32, 48)

Scene = tuple[mujoco.MjModel, mujoco.MjData]


def load_scene(x: float = 0.0) -> Scene:
    """Return a red box at `x` (metres) under a camera."""
    model = mujoco.MjModel.from_xml_string(f"""<mujoco><worldbody><light pos="0 0 3"/>
        <geom type="box" size=".1 .1 .1" pos="{x} 0 0" rgba="1 0 0 1"/><camera pos="0 0 1"/></worldbody></mujoco>""")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def draw(scene: Scene) -> NDArray[np.uint8]:
    """Return the image (h w 3) of a scene by this process's renderer."""
    return get_renderer().render(*scene, (0,), SIZE)[0][0]


def run_forked(body: Callable[[], None]) -> None:
    """Run `body` in a forked process that then ends in an orderly way, with every handler that a library registered."""
    pid = os.fork()
    if pid == 0:
        body()
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def find_children() -> list[int]:
    """Return the ids of the processes that this one started and that are not over, on Linux; none elsewhere."""
    return [int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]


def run_script(code: str, **environment: str) -> str:
    """Return what a fresh process prints that runs `code`; the test fails where it does, or where it hangs."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **environment, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed = process.communicate(timeout=MAX_SCRIPT_SECONDS)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"hangs, after it printed {process.communicate()[0]!r}")
    assert process.returncode == 0, printed
    return printed
