"""The renderer of a process: forked and spawned processes, threads, others who use OpenGL, and what draws."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from drawing import SIZE, draw, find_children, load_scene, run_script

from sim.types import UserError
from sim.world import render_gl
from sim.world.render import GL_BACKENDS, check_gl_backend, describe_renderer, get_renderer
from sim.world.render_gl import GlRenderer, OpenGlUnavailable
from sim.world.render_process import ProcessRenderer

IMPORTS = """
import os, sys, threading
import numpy as np
from drawing import draw, find_children, load_scene, run_forked
from sim.types import UserError
from sim.world.render import describe_renderer, get_renderer
scene = load_scene()
"""
NO_OPENGL = {
    "no vendor": {"__EGL_VENDOR_LIBRARY_FILENAMES": "/nowhere"},
    "no driver": {"LIBGL_DRIVERS_PATH": "/nowhere"},
}


@pytest.fixture(scope="module")
def helper() -> Iterator[ProcessRenderer]:
    """Return a renderer in a process of its own."""
    renderer = ProcessRenderer()
    yield renderer
    renderer.close()


def test_a_forked_process_draws_after_its_parent_has_and_so_does_its_own_child() -> None:
    run_script(
        IMPORTS
        + """
before = draw(scene)
def draw_again():
    assert (draw(scene) == before).all()
def draw_and_fork():
    draw_again()
    run_forked(draw_again)
    draw_again()
run_forked(draw_and_fork)
draw_again()
"""
    )


def test_a_process_forked_before_anyone_drew_draws_by_itself() -> None:
    run_script(
        IMPORTS
        + """
def draw_by_oneself():
    draw(scene)
    assert not find_children()
run_forked(draw_by_oneself)
draw(scene)
"""
    )


def test_a_forked_process_that_draws_nothing_ends() -> None:
    run_script(IMPORTS + "draw(scene)\nrun_forked(lambda: None)\ndraw(scene)")


def test_a_fork_while_another_thread_draws() -> None:
    run_script(
        IMPORTS
        + """
before = draw(scene)
over = threading.Event()
def draw_all_the_time():
    while not over.is_set():
        draw(scene)
def draw_again():
    assert (draw(scene) == before).all()
thread = threading.Thread(target=draw_all_the_time)
thread.start()
for _ in range(2):
    run_forked(draw_again)
over.set()
thread.join()
"""
    )


def test_a_fork_while_another_thread_opens_the_renderer() -> None:
    run_script(
        IMPORTS
        + """
import time
thread = threading.Thread(target=draw, args=(scene,))
thread.start()
children = []
while thread.is_alive() and len(children) < 3:
    time.sleep(0.1)
    pid = os.fork()
    if pid == 0:
        draw(scene)
        sys.exit(0)
    children.append(pid)
assert children and not any(os.waitpid(pid, 0)[1] for pid in children)
thread.join()
"""
    )


def test_a_fork_after_somebody_else_opened_the_display(needs_opengl: None) -> None:
    run_script(
        IMPORTS
        + """
from mujoco.egl import GLContext
context = GLContext(8, 8)
context.make_current()
def draw_first():
    assert draw(scene).any()
run_forked(draw_first)
draw_first()
"""
    )


def test_a_spawned_process_draws_after_its_parent_has() -> None:
    run_script(
        IMPORTS
        + """
import multiprocessing
before = draw(scene)
for method in ("spawn", "forkserver"):
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert (pool.apply(draw, (scene,)) == before).all()
"""
    )


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_gymnasiums_async_vector_resets_after_a_drawing(context: str) -> None:
    printed = run_script(
        f"""
import gymnasium, numpy as np, sim.envs.gym
if __name__ == "__main__":
    make = dict(robot="panda", size=(32, 32))
    alone = gymnasium.make("aim/ClickBell-v0", **make)
    first, _ = alone.reset(seed=3)
    vector = gymnasium.make_vec("aim/ClickBell-v0", num_envs=2, vectorization_mode="async",
                                vector_kwargs=dict(context={context!r}), **make)
    together, _ = vector.reset(seed=[3, 4])
    for name in first:
        assert (together[name][0] == first[name]).all(), name
    vector.close()
    alone.reset(seed=4)
    print("reset")
"""
    )
    assert "reset" in printed


def test_a_renderer_that_was_held_across_a_fork_says_where_to_get_another(needs_opengl: None) -> None:
    run_script(
        IMPORTS
        + """
held = get_renderer()
def use_held():
    try:
        held.render(*scene, (0,), (8, 8))
    except RuntimeError as error:
        assert "get_renderer" in str(error) and str(os.getppid()) in str(error)
    else:
        raise AssertionError("drawn with a context of another process")
run_forked(use_held)
"""
    )


def test_what_the_drawing_process_lacks_is_said_by_the_one_that_asks(needs_opengl: None) -> None:
    run_script(
        IMPORTS
        + """
draw(scene)
def draw_elsewhere():
    os.environ["PYOPENGL_PLATFORM"] = "glx"
    try:
        draw(scene)
    except UserError as error:
        assert "PYOPENGL_PLATFORM" in str(error)
    else:
        raise AssertionError("drawn")
    os.environ["PYOPENGL_PLATFORM"] = "egl"
    draw(scene)
run_forked(draw_elsewhere)
"""
    )


def test_the_drawing_process_draws_the_same_bytes(helper: ProcessRenderer) -> None:
    scene = load_scene(0.05)
    for depth in (False, True):
        ours, theirs = (renderer.render(*scene, (0, 0), SIZE, depth) for renderer in (get_renderer(), helper))
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert (ours[1] is None) == (theirs[1] is None) == (not depth)
        if ours[1] is not None and theirs[1] is not None:
            np.testing.assert_array_equal(ours[1], theirs[1])
    assert helper.info == describe_renderer()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")
def test_a_drawing_process_that_is_gone_is_missed_and_started_again() -> None:
    others = find_children()
    renderer, scene = ProcessRenderer(), load_scene()
    before = renderer.render(*scene, (0,), SIZE)[0]
    (pid,) = set(find_children()) - set(others)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="the process that draws has ended"):
        renderer.render(*scene, (0,), SIZE)
    np.testing.assert_array_equal(renderer.render(*scene, (0,), SIZE)[0], before)
    renderer.close()
    assert set(find_children()) == set(others)


def test_an_interrupted_drawing_leaves_nothing_for_the_next_one(helper: ProcessRenderer) -> None:
    scenes = [load_scene(x) for x in (0.0, 0.2)]
    images = [draw(scene) for scene in scenes]

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for microseconds in (200, 1000, 3000):
            with pytest.raises(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, microseconds * 1e-6)
                while True:
                    helper.render(*scenes[0], (0,), SIZE)
            np.testing.assert_array_equal(helper.render(*scenes[1], (0,), SIZE)[0][0], images[1])
    finally:
        signal.signal(signal.SIGALRM, before)


def test_every_thread_may_draw() -> None:
    scenes = [load_scene(x) for x in (0.0, 0.05, 0.1, 0.15)]
    images = [draw(scene) for scene in scenes]
    assert all((image != images[0]).any() for image in images[1:])
    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            np.testing.assert_array_equal(list(pool.map(draw, scenes)), images)
    np.testing.assert_array_equal(draw(scenes[0]), images[0])


def test_the_first_to_draw_may_be_a_thread_that_ends() -> None:
    run_script(
        IMPORTS
        + """
images = []
thread = threading.Thread(target=lambda: images.append(draw(scene)))
thread.start()
thread.join()
assert (draw(scene) == images[0]).all()
"""
    )


def test_who_else_uses_opengl_in_a_thread_keeps_their_context(needs_opengl: None) -> None:
    egl = pytest.importorskip("OpenGL.EGL", exc_type=ImportError)
    from mujoco.egl import GLContext

    theirs = GLContext(8, 8)
    theirs.make_current()
    mine = egl.eglGetCurrentContext().address
    draw(load_scene())
    assert egl.eglGetCurrentContext().address == mine
    theirs.free()


def test_what_draws_has_a_name() -> None:
    info = describe_renderer()
    assert info.name in ("opengl", "raytrace") and info.vendor and info.renderer and info.version
    assert str(info) == f"{info.name}: {info.renderer}, {info.vendor}, {info.version}"
    assert describe_renderer() is info is get_renderer().info
    if info.name == "opengl":
        assert isinstance(get_renderer(), GlRenderer)


@pytest.mark.parametrize("value", ["", "enable", "ON", "1", "disable", "off", "glfw", " egl ", "glx"])
def test_values_of_mujoco_gl_that_mujoco_knows_are_taken(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setenv("MUJOCO_GL", value)
    check_gl_backend()


@pytest.mark.parametrize("system", [*GL_BACKENDS, "FreeBSD"])
@pytest.mark.parametrize("value", ["osmesa", "OSMesa", "wrong", "egl,glfw"])
def test_other_values_of_mujoco_gl_are_refused(value: str, system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setenv("MUJOCO_GL", value)
    with pytest.raises(UserError, match="MUJOCO_GL") as refusal:
        check_gl_backend()
    for name in ("unset", *GL_BACKENDS.get(system, ("glfw",)), "disable"):
        assert name in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_wrong_mujoco_gl_is_refused_before_mujoco_is_imported() -> None:
    code = """
import sys
from sim.types import UserError
try:
    import sim.world.mujoco
except UserError as error:
    print(error, "mujoco" in sys.modules)
"""
    printed = run_script(code, MUJOCO_GL="osmesa")
    assert "MUJOCO_GL is 'osmesa'" in printed and printed.endswith("False\n")


OPEN = "from sim.world.render_gl import GlRenderer, OpenGlUnavailable\ntry:\n    GlRenderer()\n"
MISSING_LIBRARY = """
import ctypes
load = ctypes.CDLL.__init__
def miss(self, name, *args, **kwargs):
    if name and "libEGL" in name:
        raise OSError(f"{name}: cannot open shared object file")
    load(self, name, *args, **kwargs)
ctypes.CDLL.__init__ = miss
"""


@pytest.mark.parametrize("lack", NO_OPENGL)
def test_without_a_driver_there_is_no_opengl(lack: str, needs_opengl: None) -> None:
    printed = run_script(OPEN + "except OpenGlUnavailable as error:\n    print('none:', error)", **NO_OPENGL[lack])
    assert "none: " in printed


def test_without_the_library_there_is_no_opengl(needs_opengl: None) -> None:
    printed = run_script(MISSING_LIBRARY + OPEN + "except OpenGlUnavailable as error:\n    print('none:', error)")
    assert "none: libEGL.so.1" in printed


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("PYOPENGL_PLATFORM", "glx", "egl"),
        ("MUJOCO_EGL_DEVICE_ID", "first", "number"),
        ("MUJOCO_EGL_DEVICE_ID", "97", "97"),
    ],
)
def test_a_variable_that_asks_for_what_is_not_there_is_named(
    name: str, value: str, valid: str, needs_opengl: None
) -> None:
    code = "from sim.types import UserError\n" + OPEN + "except UserError as error:\n    print('said:', error)"
    printed = run_script(code, **{name: value})
    (line,) = [line for line in printed.splitlines() if line.startswith("said: ")]
    assert name in line and valid in line


def test_a_fault_of_the_renderer_is_no_lack_of_opengl(needs_opengl: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_gl, "MAX_SCENE_GEOMS", "many")
    with pytest.raises(TypeError):
        GlRenderer()
    assert not issubclass(TypeError, OpenGlUnavailable)


def test_without_opengl_the_ray_tracer_draws_or_both_are_said_to_be_missing() -> None:
    code = """
from sim.types import UserError
from sim.world.render import describe_renderer
try:
    print("drawn by", describe_renderer().name)
except UserError as error:
    print(error)
"""
    printed = run_script(code, MUJOCO_GL="disable")
    assert "MUJOCO_GL" in printed  # why not by OpenGL
    assert "drawn by raytrace" in printed or "aim-world-action[raytrace]" in printed
