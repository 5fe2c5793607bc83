"""The renderer of this process: OpenGL, or the ray tracer where no OpenGL context can be made.

A process opens its renderer once, when it first draws; every world shares it, and any thread may draw with it. A forked
process never uses what its parent has opened: drivers run threads, a fork does not copy threads, and the copy of the
driver waits for them for ever. It draws through a process of its own (`sim.world.render_process`) instead; a process
that was spawned, or forked before its parent drew, opens a renderer like any other.

This module imports no MuJoCo, so that `MUJOCO_GL` can be checked before MuJoCo reads it.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.types import UserError

if TYPE_CHECKING:
    import mujoco

# values of MUJOCO_GL that name a window system; OSMesa is none of them: it has no place beside EGL in one process
GL_BACKENDS = {"Linux": ("egl", "glfw", "glx"), "Darwin": ("cgl", "glfw"), "Windows": ("wgl", "glfw")}
GL_ENABLED = ("enable", "enabled", "on", "true", "1")
GL_DISABLED = ("disable", "disabled", "off", "false", "0")


@dataclass(frozen=True)
class RendererInfo:
    """What draws, as the driver names itself; pictures of different renderers differ in their bytes."""

    name: Literal["opengl", "raytrace"]
    vendor: str
    renderer: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}: {self.renderer}, {self.vendor}, {self.version}"


class Renderer(Protocol):
    """Draws cameras of a MuJoCo model, from any thread."""

    @property
    def info(self) -> RendererInfo:
        """The driver that draws."""
        ...

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: ImageSize, depth: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Images (c h w 3) and, on request, depths (c h w) of `cameras` (indices into the model).

        Depth is metres along the optical axis, 0 where nothing was drawn.
        """
        ...


@dataclass
class _ProcessState:
    """What this process has opened; `parent` is kept alive, as destructors of inherited contexts wait for ever, too."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    renderer: Renderer | None = None
    parent: _ProcessState | None = None
    forked_after_opening: bool = False


_state = _ProcessState()


def check_gl_backend() -> None:
    """Refuse a value of MUJOCO_GL with which MuJoCo cannot be imported; `UserError` names the valid ones."""
    backends = GL_BACKENDS.get(platform.system(), ("glfw",))
    value = _read_gl_backend()
    if value not in ("", *backends, *GL_ENABLED, *GL_DISABLED):
        valid = ", ".join(("unset", *backends, GL_ENABLED[0], f"{GL_DISABLED[0]} (the ray tracer draws)"))
        raise UserError(f"environment variable MUJOCO_GL is {value!r}; valid: {valid}")


def get_renderer() -> Renderer:
    """The renderer of this process, opened at the first call; `UserError` says what is missing where none can be."""
    with _state.lock:
        if _state.renderer is None:
            _state.renderer = _open_renderer(_state.forked_after_opening)
        return _state.renderer


def describe_renderer() -> RendererInfo:
    """The driver that draws the images of this process, for the records of what was drawn."""
    return get_renderer().info


def _open_renderer(forked_after_opening: bool) -> Renderer:
    if forked_after_opening:
        from sim.world.render_process import ProcessRenderer

        return ProcessRenderer()
    if _read_gl_backend() in GL_DISABLED:
        return _open_ray_tracer("environment variable MUJOCO_GL disables it")
    from sim.world.render_gl import GlRenderer, OpenGlUnavailable

    try:
        return GlRenderer()
    except OpenGlUnavailable as error:
        return _open_ray_tracer(str(error))


def _open_ray_tracer(reason: str) -> Renderer:
    from sim.world.render_raytrace import RayRenderer

    try:
        renderer = RayRenderer()
    except UserError as error:
        raise UserError(f"no OpenGL here ({reason}); {error}") from error
    print(f"no OpenGL here ({reason}); drawing with the ray tracer. `aim doctor` says how to mend it", file=sys.stderr)
    return renderer


def _read_gl_backend() -> str:
    return os.environ.get("MUJOCO_GL", "").lower().strip()


def _leave_parents_renderer() -> None:
    """Begin a forked process with nothing opened, and with a lock that no lost thread holds."""
    global _state
    opening = _state.lock.locked()  # by another thread of the parent
    opened = _forget_egl_display() or opening or _state.renderer is not None or _state.forked_after_opening
    _state = _ProcessState(parent=_state, forked_after_opening=opened)


def _forget_egl_display() -> bool:
    """Whether MuJoCo's EGL display was open, whoever opened it; its clean-up at exit would wait for lost threads."""
    egl = sys.modules.get("mujoco.egl")
    if egl is None or vars(egl).get("EGL_DISPLAY") is None:
        return False
    vars(egl)["EGL_DISPLAY"] = None
    return True


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_leave_parents_renderer)
