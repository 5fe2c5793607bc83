"""Pictures of scenes: one OpenGL context a process, or a ray tracer where there is no GL.

Making a context costs more than a hundred pictures, and scenes of primitives need nothing of their
own in it, so every model of the process shares one.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Sequence
from math import atan, tan
from typing import Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.camera import Size

MAX_GEOMS = 500
EVERYTHING = mujoco.mjtCatBit.mjCAT_ALL
FLAGS_OFF = (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION, mujoco.mjtRndFlag.mjRND_SKYBOX,
             mujoco.mjtRndFlag.mjRND_HAZE)


class Renderer(Protocol):
    """Draws cameras of a model: uint8 (c h w 3) and, on request, float32 (c h w) metres along the optical axis."""

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: Size, depth: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Return pictures and depths of `cameras` (indices into the model)."""
        ...


def vertical_field(horizontal: float, size: Size) -> float:
    """Return the vertical field of view (radians) of a camera of a given horizontal one for a (height, width)."""
    return 2 * atan(tan(horizontal / 2) * size[0] / size[1])


class GlRenderer:
    """OpenGL through EGL on Linux (hardware or Mesa's software rasteriser), the platform's own elsewhere."""

    def __init__(self) -> None:
        if platform.system() == "Linux":
            from mujoco.egl import GLContext
        else:
            from mujoco import GLContext
        self._gl = GLContext(64, 64)
        self._gl.make_current()
        spec = mujoco.MjSpec()
        quality = spec.visual.quality
        quality.shadowsize, quality.offsamples = 0, 0
        quality.numslices, quality.numstacks, quality.numquads = 16, 8, 1
        spec.worldbody.add_geom(size=(1, 1, 1))
        model = spec.compile()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(model, MAX_GEOMS)
        for flag in FLAGS_OFF:
            self._scene.flags[flag] = 0
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: Size, depth: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Draw all cameras beside each other and read them back at once."""
        self._gl.make_current()  # another user of GL in this process may have taken its place
        h, w = size
        wide = w * len(cameras)
        if (self._context.offWidth, self._context.offHeight) != (wide, h):
            mujoco.mjr_resizeOffscreen(wide, h, self._context)
        for i, camera in enumerate(cameras):
            self._camera.fixedcamid = camera
            # the whole scene, not just the camera: the headlight belongs to it
            mujoco.mjv_updateScene(model, data, self._option, None, self._camera, EVERYTHING, self._scene)
            mujoco.mjr_render(mujoco.MjrRect(i * w, 0, w, h), self._scene, self._context)
        rgb = np.empty((h, wide, 3), np.uint8)
        z = np.empty((h, wide), np.float32) if depth else None
        mujoco.mjr_readPixels(rgb, z, mujoco.MjrRect(0, 0, wide, h), self._context)
        return _split(rgb, w), None if z is None else _metres(_split(z, w), model)


def _split(wide: NDArray, w: int) -> NDArray:
    """Part a strip of pictures (h c·w ...) into (c h w ...); GL counts rows from below."""
    h, total = wide.shape[:2]
    return np.ascontiguousarray(np.moveaxis(wide[::-1].reshape(h, total // w, w, *wide.shape[2:]), 1, 0))


def _metres(z: NDArray[np.float32], model: mujoco.MjModel) -> NDArray[np.float32]:
    """Return distance along the optical axis from the depth buffer of a perspective projection."""
    extent = model.stat.extent
    near, far = model.vis.map.znear * extent, model.vis.map.zfar * extent
    return (near / (1 - z * (1 - near / far))).astype(np.float32)


@functools.cache
def renderer() -> Renderer:
    """Return the process's renderer: OpenGL, or the ray tracer where no context can be made."""
    try:
        return GlRenderer()
    except (ImportError, AttributeError, OSError, RuntimeError, mujoco.FatalError) as error:
        return _ray_tracer(error)


def _ray_tracer(error: Exception) -> Renderer:
    import sys

    from sim.engine.raytrace import RayRenderer

    print(f"no OpenGL here ({error}); drawing with the ray tracer. `aim doctor` says how to mend it", file=sys.stderr)
    return RayRenderer()
