"""Rasterised images through OpenGL: one context a process, shared by all models and threads.

Making a context costs more than a hundred images, and scenes of primitives need nothing of their own in it, so every
model of the process shares one. Textures live in the context alone: a geom of a scene carries a texture's number
(`sim.scene.textures`) and, as its colour, what stands for it in the ray tracer.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.scene import textures
from sim.types import UserError
from sim.world.render import RendererInfo

if TYPE_CHECKING:
    from mujoco.egl import GLContext

MAX_SCENE_GEOMS = 2000
ALL_CATEGORIES = mujoco.mjtCatBit.mjCAT_ALL
CULLED_GROUP = 5  # group of the geoms that a camera does not see; groups from 3 are not drawn
DISABLED_RENDER_FLAGS = (
    mujoco.mjtRndFlag.mjRND_SHADOW,
    mujoco.mjtRndFlag.mjRND_REFLECTION,
    mujoco.mjtRndFlag.mjRND_SKYBOX,
    mujoco.mjtRndFlag.mjRND_HAZE,
)
GL_VENDOR, GL_RENDERER, GL_VERSION = 0x1F00, 0x1F01, 0x1F02
DEVICE_VARIABLE = "MUJOCO_EGL_DEVICE_ID"
EGL_LIBRARIES = ("libEGL.so.1",)
GL_LIBRARIES = ("libOpenGL.so.0", "libGL.so.1")  # any of them


class OpenGlUnavailable(Exception):
    """No OpenGL context can be made on this machine, and why."""


class GlRenderer:
    """OpenGL off screen: EGL on Linux (a GPU or Mesa's software rasteriser), the platform's own elsewhere."""

    info: RendererInfo

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._texture_bank: mujoco.MjModel | None = None  # built for the first scene with a texture
        self._uploaded_textures: set[int] = set()
        model = _build_blank_spec().compile()
        try:
            self._gl = _create_gl_context()
            with self._gl.as_current():
                self._context = _create_mjr_context(model)
                self.info = _read_driver_info()
        except _list_opengl_errors() as error:
            if DEVICE_VARIABLE in os.environ:  # who asks for one GPU does not want another renderer
                raise UserError(f"cannot draw with GPU {os.environ[DEVICE_VARIABLE]}: {error}") from error
            raise OpenGlUnavailable(str(error)) from error
        self._scene = mujoco.MjvScene(model, MAX_SCENE_GEOMS)
        for flag in DISABLED_RENDER_FLAGS:
            self._scene.flags[flag] = 0
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: ImageSize, depth: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Images (c h w 3) and depths (c h w), metres along the optical axis, 0 where nothing was drawn."""
        if os.getpid() != self._owner:
            raise RuntimeError(
                f"this OpenGL context belongs to process {self._owner}; a forked process takes its renderer "
                "from sim.world.render.get_renderer()"
            )
        # a context is current in one thread at a time; whoever else uses OpenGL in this one finds theirs as it was
        with self._lock, self._gl.as_current():
            return self._draw(model, data, cameras, size, depth)

    def _draw(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: ImageSize, depth: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Draw all cameras beside each other and read them back at once."""
        materials = _find_textured_geoms(model)
        self._upload_textures(materials)
        height, width = size
        strip_width = width * len(cameras)
        if (self._context.offWidth, self._context.offHeight) != (strip_width, height):
            mujoco.mjr_resizeOffscreen(strip_width, height, self._context)
        groups = model.geom_group.copy()
        try:
            for i, camera in enumerate(cameras):
                self._camera.fixedcamid = camera
                visible = _find_geoms_in_view(model, data, camera, width / height)
                model.geom_group[:] = np.where(visible, groups, CULLED_GROUP)
                # the whole scene, not just the camera: the headlight belongs to it
                mujoco.mjv_updateScene(model, data, self._option, None, self._camera, ALL_CATEGORIES, self._scene)
                self._assign_materials({geom: number for geom, number in materials.items() if visible[geom]})
                mujoco.mjr_render(mujoco.MjrRect(i * width, 0, width, height), self._scene, self._context)
        finally:
            model.geom_group[:] = groups
        rgb = np.empty((height, strip_width, 3), np.uint8)
        z = np.empty((height, strip_width), np.float32) if depth else None
        mujoco.mjr_readPixels(rgb, z, mujoco.MjrRect(0, 0, strip_width, height), self._context)
        images = _split_strip(rgb, width)
        return images, None if z is None else _convert_depth_buffer(_split_strip(z, width), model)

    def _upload_textures(self, materials: dict[int, int]) -> None:
        """Give the context the textures of `materials` that it does not have yet."""
        if materials and self._texture_bank is None:
            self._texture_bank = _build_texture_bank()
            self._context.free()
            self._context = _create_mjr_context(self._texture_bank)
        for material in materials.values():
            texture = material // len(textures.SURFACE_TILE_SIZES_M)
            if self._texture_bank is not None and texture not in self._uploaded_textures:
                texels = textures.render_texture(textures.list_textures()[texture]).ravel()
                start = self._texture_bank.tex_adr[texture]
                self._texture_bank.tex_data[start : start + len(texels)] = texels
                mujoco.mjr_uploadTexture(self._texture_bank, self._context, texture)
                self._uploaded_textures.add(texture)

    def _assign_materials(self, materials: dict[int, int]) -> None:
        """Put the bank's materials on the scene's geoms; their own colour would tint them."""
        remaining, i = len(materials), 0
        while remaining and i < self._scene.ngeom:
            geom = self._scene.geoms[i]
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM and geom.objid in materials:
                geom.matid = materials[geom.objid]
                geom.rgba[:] = 1.0
                remaining -= 1
            i += 1


def _create_gl_context() -> GLContext:
    if platform.system() != "Linux":
        return mujoco.GLContext(64, 64)
    chosen = os.environ.get("PYOPENGL_PLATFORM", "")
    if chosen.lower() not in ("", "egl"):
        raise UserError(f"environment variable PYOPENGL_PLATFORM is {chosen!r}; valid: unset, egl")
    device = os.environ.get(DEVICE_VARIABLE, "0")
    if not device.isdecimal():
        raise UserError(
            f"environment variable {DEVICE_VARIABLE} is {device!r}; valid: unset, the number of a GPU from 0"
        )
    # without them PyOpenGL fails much later, at the first function that it looks for in None
    _load_any_library(EGL_LIBRARIES)
    _load_any_library(GL_LIBRARIES)
    from mujoco.egl import GLContext

    return GLContext(64, 64)


def _list_opengl_errors() -> tuple[type[Exception], ...]:
    """What the making of a context raises where there is no OpenGL, or none that can draw MuJoCo's scenes."""
    # imported late: PyOpenGL settles on a platform at its first import, and `mujoco.egl` says which
    from OpenGL.error import Error as PyOpenGlError

    return (
        OSError,  # a library is not installed
        ImportError,  # EGL lacks an extension, or has no device that can be opened
        RuntimeError,  # no frame buffer configuration, or no context, or it cannot be made current
        PyOpenGlError,  # a call of EGL or OpenGL failed
        mujoco.FatalError,  # OpenGL is older than MuJoCo needs, or lacks an extension
    )


def _load_any_library(names: Sequence[str]) -> None:
    """Load the first shared library of `names` that is installed; OSError where none is."""
    for name in names[:-1]:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return
    ctypes.CDLL(names[-1])


def _read_driver_info() -> RendererInfo:
    """The names that the driver of the current context gives itself."""
    from OpenGL.raw.GL.VERSION import GL_1_0  # imported late, as all of PyOpenGL

    get_string = cast("Callable[[int], Any]", GL_1_0.glGetString)
    vendor, renderer, version = (
        ctypes.cast(get_string(name), ctypes.c_char_p).value for name in (GL_VENDOR, GL_RENDERER, GL_VERSION)
    )
    if vendor is None or renderer is None or version is None:
        raise OSError("the OpenGL driver does not say what it is")
    return RendererInfo("opengl", vendor.decode(), renderer.decode(), version.decode())


def _create_mjr_context(model: mujoco.MjModel) -> mujoco.MjrContext:
    context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
    return context


def _build_blank_spec() -> mujoco.MjSpec:
    """A model of one geom, with the rendering quality of all contexts."""
    spec = mujoco.MjSpec()
    quality = spec.visual.quality
    quality.shadowsize, quality.offsamples = 0, 0
    quality.numslices, quality.numstacks, quality.numquads = 16, 8, 1
    spec.worldbody.add_geom(size=(1, 1, 1))
    return spec


def _build_texture_bank() -> mujoco.MjModel:
    """A model with a blank texture for every name, and a material for every number of a texture, from 0."""
    spec = _build_blank_spec()
    for name in textures.list_textures():
        texture = spec.add_texture(
            name=name,
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            nchannel=3,
            width=textures.TEXTURE_SIZE_PX,
            height=textures.TEXTURE_SIZE_PX,
        )
        texture.data = bytes(3 * textures.TEXTURE_SIZE_PX**2)
        for surface, metres in textures.SURFACE_TILE_SIZES_M.items():
            material = spec.add_material(name=f"{name}/{surface}", texuniform=True, texrepeat=(2 / metres, 2 / metres))
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    return spec.compile()


def _find_textured_geoms(model: mujoco.MjModel) -> dict[int, int]:
    """The bank's material of every geom that has a texture, by geom."""
    if not model.nuser_geom:
        return {}
    numbers = model.geom_user[:, 0]
    return {int(geom): int(numbers[geom]) - 1 for geom in np.flatnonzero(numbers)}


def _find_geoms_in_view(model: mujoco.MjModel, data: mujoco.MjData, camera: int, aspect: float) -> NDArray[np.bool_]:
    """Frustum culling: which geoms (g,) have a bounding sphere that reaches into a camera's view.

    MuJoCo submits every geom to every camera, and a software rasteriser pays for each of them.
    """
    camera_from_world = data.cam_xmat[camera].reshape(3, 3)
    position = (data.geom_xpos - data.cam_xpos[camera]) @ camera_from_world  # the camera looks along -z
    depth, radius = -position[:, 2], model.geom_rbound
    tan_y = np.tan(np.radians(model.cam_fovy[camera]) / 2)
    tangents = np.array([tan_y * aspect, tan_y])
    beyond = (np.abs(position[:, :2]) - depth[:, None] * tangents) / np.hypot(1.0, tangents)  # of the nearer plane
    return ((beyond < radius[:, None]).all(axis=1) & (depth > -radius)) | (radius == 0.0)  # planes have no radius


def _split_strip(strip: NDArray, width: int) -> NDArray:
    """Images (c h w ...) of a strip (h c·w ...) whose rows OpenGL counts from below."""
    height, total = strip.shape[:2]
    images = strip[::-1].reshape(height, total // width, width, *strip.shape[2:])
    return np.ascontiguousarray(np.moveaxis(images, 1, 0))


def _convert_depth_buffer(z: NDArray[np.float32], model: mujoco.MjModel) -> NDArray[np.float32]:
    """Distances along the optical axis (metres) of a depth buffer (c h w), 0 where it is still clear."""
    extent = model.stat.extent
    near, far = model.vis.map.znear * extent, model.vis.map.zfar * extent
    return np.where(z < 1.0, near / (1 - z * (1 - near / far)), 0.0).astype(np.float32)
