"""Ray-traced images without OpenGL: primitives, on the CPU, by mujoco-warp (the `raytrace` extra).

The same lights, headlight and materials as OpenGL draws, pixel centre by pixel centre. Not drawn: meshes, height
fields, textures in a model (refused), sites and shadows (never there); a geom that is half transparent is drawn opaque.
The textures of walls and tables, which models name by number only, are drawn as their mean colour. The first image on a
machine compiles a kernel, some seconds, that warp keeps on disk.

Scenes of one task differ in numbers only, so warp's copy of a model is kept for a structure, not for a model, and every
number that an image depends on is written anew for each call.
"""

from __future__ import annotations

import copy
import logging
import platform
import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from operator import attrgetter
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.types import UserError
from sim.world.render import RendererInfo

MAX_CACHED_STRUCTURES = 16  # the last used ones
DRAWN_GEOM_GROUPS = (0, 1, 2)  # what mjvOption draws by default
PRIMITIVE_TYPES = {
    mujoco.mjtGeom.mjGEOM_PLANE,
    mujoco.mjtGeom.mjGEOM_SPHERE,
    mujoco.mjtGeom.mjGEOM_CAPSULE,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_BOX,
}
# numbers of the model and of the data that an image depends on; rotation matrices are flat in MuJoCo
MODEL_FIELDS = (
    "geom_size", "geom_rgba", "cam_fovy", "cam_intrinsic", "light_active", "light_ambient", "light_diffuse",
    "light_specular", "light_cutoff", "light_exponent", "mat_rgba", "mat_emission", "mat_specular", "mat_shininess",
)  # fmt: skip
DATA_FIELDS = ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat", "light_xpos", "light_xdir")
# what the compiled kernel and the buffers are made for
STRUCTURE_FIELDS = (
    "geom_type", "geom_group", "geom_matid", "light_type", "light_attenuation", "cam_projection", "cam_sensorsize",
)  # fmt: skip


@dataclass(frozen=True)
class _DeviceScene:
    """Warp's side of one structure: a model, a state and the image buffers of a set of cameras."""

    model: Any
    data: Any
    buffers: Any


class RayRenderer:
    """Draws a MuJoCo model's cameras by casting a ray for each pixel."""

    def __init__(self) -> None:
        try:
            import mujoco_warp  # pyright: ignore[reportMissingImports]
            import warp  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError(
                "drawing without OpenGL needs mujoco-warp: pip install 'aim-world-action[raytrace]'"
            ) from error
        warp.config.log_level = logging.ERROR  # else every kernel and the lack of a GPU are announced
        self.info = RendererInfo("raytrace", "mujoco-warp", f"CPU, {platform.machine()}", version("mujoco-warp"))
        self._lock = threading.Lock()
        self._warp, self._mjw = warp, mujoco_warp
        self._scenes: OrderedDict[Hashable, _DeviceScene] = OrderedDict()

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: ImageSize, depth: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Images (c h w 3) and depths (c h w), metres along the optical axis, 0 where nothing is hit."""
        with self._lock, self._warp.ScopedDevice("cpu"):  # warp's device, and the buffers, are the whole process's
            return self._trace(model, data, tuple(cameras), size, depth)

    def _trace(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: tuple[int, ...], size: ImageSize, depth: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        scene = self._load_device_scene(model, data, cameras, size, depth)
        _copy_arrays(model, scene.model, MODEL_FIELDS)
        _copy_arrays(data, scene.data, DATA_FIELDS)
        self._mjw.refit_bvh(scene.model, scene.data, scene.buffers)
        self._mjw.render(scene.model, scene.data, scene.buffers)
        shape = (len(cameras), *size)
        packed = scene.buffers.rgb_data.numpy().reshape(shape)  # 0xAARRGGBB
        images = packed.astype("<u4", copy=False).view(np.uint8).reshape(*shape, 4)[..., 2::-1].copy()
        if not depth:
            return images, None
        distance = scene.buffers.depth_data.numpy().reshape(shape)
        return images, np.where(distance > 0.0, distance, np.float32(0.0))

    def _load_device_scene(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: tuple[int, ...], size: ImageSize, depth: bool
    ) -> _DeviceScene:
        key = (cameras, size, depth, _compute_structure_key(model))
        if key not in self._scenes:
            self._scenes[key] = self._create_device_scene(model, data, cameras, size, depth)
            if len(self._scenes) > MAX_CACHED_STRUCTURES:
                self._scenes.popitem(last=False)
        self._scenes.move_to_end(key)
        return self._scenes[key]

    def _create_device_scene(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: tuple[int, ...], size: ImageSize, depth: bool
    ) -> _DeviceScene:
        if model.ntex or not set(model.geom_type.tolist()) <= {int(kind) for kind in PRIMITIVE_TYPES}:
            raise UserError("the ray tracer draws planes, spheres, capsules, ellipsoids, cylinders, boxes; no texture")
        buffers = self._mjw.create_render_context(
            model,
            cam_res=(size[1], size[0]),
            cam_active=list(cameras),
            render_rgb=True,
            render_depth=depth,
            use_textures=False,
            use_fast_math=False,  # nothing to gain on a CPU
            use_precomputed_rays=False,  # fields of view are among the numbers that change
            enabled_geom_groups=list(DRAWN_GEOM_GROUPS),
        )
        drawable = copy.copy(model)  # warp refuses options of physics that it lacks; no image depends on them
        drawable.opt.disableflags = drawable.opt.enableflags = 0
        return _DeviceScene(self._mjw.put_model(drawable), self._mjw.put_data(drawable, data), buffers)


def _compute_structure_key(model: mujoco.MjModel) -> Hashable:
    light, frustum = model.vis.headlight, model.vis.map
    headlight = (light.active, *light.ambient, *light.diffuse, *light.specular)
    clipping_planes = (frustum.znear * model.stat.extent, frustum.zfar * model.stat.extent)
    arrays = attrgetter(*STRUCTURE_FIELDS)(model)
    return (headlight, clipping_planes, *((len(array), array.tobytes()) for array in arrays))


def _copy_arrays(source: mujoco.MjModel | mujoco.MjData, target: Any, names: Sequence[str]) -> None:  # noqa: ANN401
    """Copy the named arrays into warp's, which lead with the number of worlds: one."""
    pairs = zip(attrgetter(*names)(source), attrgetter(*names)(target), strict=True)
    for ours, theirs in pairs:
        if theirs.size:
            theirs.assign(np.ascontiguousarray(ours).reshape(1, len(ours), *theirs.numpy().shape[2:]))
