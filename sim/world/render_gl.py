"""Pictures of scenes: one OpenGL context a process, or a ray tracer where there is no GL.

Making a context costs more than a hundred pictures, and scenes of primitives need nothing of their
own in it, so every model of the process shares one. Textures live in the context alone: a geom of a scene
carries a texture's number (`sim.scene.textures`) and, as its colour, what stands for it in the ray tracer.
"""

from __future__ import annotations

import functools
import platform
from collections.abc import Sequence
from typing import Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.scene import textures

MAX_GEOMS = 2000
EVERYTHING = mujoco.mjtCatBit.mjCAT_ALL
FLAGS_OFF = (
    mujoco.mjtRndFlag.mjRND_SHADOW,
    mujoco.mjtRndFlag.mjRND_REFLECTION,
    mujoco.mjtRndFlag.mjRND_SKYBOX,
    mujoco.mjtRndFlag.mjRND_HAZE,
)


class Renderer(Protocol):
    """Draws cameras of a model: uint8 (c h w 3) and, on request, float32 (c h w) metres along the optical axis.

    Depth is 0 where nothing was drawn.
    """

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: ImageSize, depth: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Return pictures and depths of `cameras` (indices into the model)."""
        ...


class GlRenderer:
    """OpenGL through EGL on Linux (hardware or Mesa's software rasteriser), the platform's own elsewhere."""

    def __init__(self) -> None:
        if platform.system() == "Linux":
            from mujoco.egl import GLContext
        else:
            from mujoco import GLContext
        self._gl = GLContext(64, 64)
        self._gl.make_current()
        self._bank: mujoco.MjModel | None = None  # made for the first scene with a texture
        self._drawn: set[int] = set()  # textures that the context has been given
        model = _bare().compile()
        self._context = _context(model)
        self._scene = mujoco.MjvScene(model, MAX_GEOMS)
        for flag in FLAGS_OFF:
            self._scene.flags[flag] = 0
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: ImageSize, depth: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Draw all cameras beside each other and read them back at once."""
        self._gl.make_current()  # another user of GL in this process may have taken its place
        painted = _painted(model)
        self._prepare(painted)
        h, w = size
        wide = w * len(cameras)
        if (self._context.offWidth, self._context.offHeight) != (wide, h):
            mujoco.mjr_resizeOffscreen(wide, h, self._context)
        for i, camera in enumerate(cameras):
            self._camera.fixedcamid = camera
            # the whole scene, not just the camera: the headlight belongs to it
            mujoco.mjv_updateScene(model, data, self._option, None, self._camera, EVERYTHING, self._scene)
            self._paint(painted)
            mujoco.mjr_render(mujoco.MjrRect(i * w, 0, w, h), self._scene, self._context)
        rgb = np.empty((h, wide, 3), np.uint8)
        z = np.empty((h, wide), np.float32) if depth else None
        mujoco.mjr_readPixels(rgb, z, mujoco.MjrRect(0, 0, wide, h), self._context)
        return _split(rgb, w), None if z is None else _metres(_split(z, w), model)

    def _prepare(self, painted: dict[int, int]) -> None:
        """Give the context the textures that it does not have yet."""
        if painted and self._bank is None:
            self._bank = _bank()
            self._context.free()
            self._context = _context(self._bank)
        for material in painted.values():
            texture = material // len(textures.SURFACE_TILE_SIZES_M)
            if self._bank is not None and texture not in self._drawn:
                picture = textures.render_texture(textures.list_textures()[texture]).ravel()
                start = self._bank.tex_adr[texture]
                self._bank.tex_data[start : start + len(picture)] = picture
                mujoco.mjr_uploadTexture(self._bank, self._context, texture)
                self._drawn.add(texture)

    def _paint(self, painted: dict[int, int]) -> None:
        """Put the bank's materials on the scene's geoms; their own colour would tint them."""
        waiting, i = len(painted), 0
        while waiting and i < self._scene.ngeom:
            geom = self._scene.geoms[i]
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM and geom.objid in painted:
                geom.matid = painted[geom.objid]
                geom.rgba[:] = 1.0
                waiting -= 1
            i += 1


def _bare() -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    quality = spec.visual.quality
    quality.shadowsize, quality.offsamples = 0, 0
    quality.numslices, quality.numstacks, quality.numquads = 16, 8, 1
    spec.worldbody.add_geom(size=(1, 1, 1))
    return spec


def _context(model: mujoco.MjModel) -> mujoco.MjrContext:
    context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
    return context


def _bank() -> mujoco.MjModel:
    """Return a model with a blank texture for every name and a material for every number of a texture, from 0."""
    spec = _bare()
    for name in textures.list_textures():
        blank = spec.add_texture(
            name=name,
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            nchannel=3,
            width=textures.TEXTURE_SIZE_PX,
            height=textures.TEXTURE_SIZE_PX,
        )
        blank.data = bytes(3 * textures.TEXTURE_SIZE_PX**2)
        for surface, metres in textures.SURFACE_TILE_SIZES_M.items():
            material = spec.add_material(name=f"{name}/{surface}", texuniform=True, texrepeat=(2 / metres, 2 / metres))
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    return spec.compile()


def _painted(model: mujoco.MjModel) -> dict[int, int]:
    """Return the bank's material of every geom that has a texture."""
    if not model.nuser_geom:
        return {}
    numbers = model.geom_user[:, 0]
    return {int(geom): int(numbers[geom]) - 1 for geom in np.flatnonzero(numbers)}


def _split(wide: NDArray, w: int) -> NDArray:
    """Part a strip of pictures (h c·w ...) into (c h w ...); GL counts rows from below."""
    h, total = wide.shape[:2]
    return np.ascontiguousarray(np.moveaxis(wide[::-1].reshape(h, total // w, w, *wide.shape[2:]), 1, 0))


def _metres(z: NDArray[np.float32], model: mujoco.MjModel) -> NDArray[np.float32]:
    """Return distance along the optical axis from a depth buffer (c h w), 0 where it is still clear."""
    extent = model.stat.extent
    near, far = model.vis.map.znear * extent, model.vis.map.zfar * extent
    return np.where(z < 1.0, near / (1 - z * (1 - near / far)), 0.0).astype(np.float32)


@functools.cache
def renderer() -> Renderer:
    """Return the process's renderer: OpenGL, or the ray tracer where no context can be made."""
    try:
        return GlRenderer()
    except (ImportError, AttributeError, OSError, RuntimeError, mujoco.FatalError) as error:
        return _ray_tracer(error)


def _ray_tracer(error: Exception) -> Renderer:
    import sys

    from sim.world.render_raytrace import RayRenderer

    print(f"no OpenGL here ({error}); drawing with the ray tracer. `aim doctor` says how to mend it", file=sys.stderr)
    return RayRenderer()
