"""Pictures without OpenGL: primitives ray-traced on the CPU by mujoco-warp (the `raytrace` extra).

The same lights, headlight and materials as OpenGL draws, pixel centre by pixel centre. Not drawn: meshes,
height fields, textures in a model (refused), sites and shadows (never there); a geom that is half transparent is
drawn opaque. The textures of walls and tables, which models name by number only, are drawn as their mean colour.
The first picture on a machine compiles a kernel, some seconds, that warp keeps on disk.

Scenes of one task differ in numbers only, so warp's copy of the model is kept a structure, not a model,
and every number that a picture depends on is written anew for each call.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.types import UserError

KEPT = 16  # structures whose device copies are kept, the last used ones
GEOM_GROUPS = (0, 1, 2)  # what mjvOption draws by default
PRIMITIVES = {
    mujoco.mjtGeom.mjGEOM_PLANE,
    mujoco.mjtGeom.mjGEOM_SPHERE,
    mujoco.mjtGeom.mjGEOM_CAPSULE,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    mujoco.mjtGeom.mjGEOM_CYLINDER,
    mujoco.mjtGeom.mjGEOM_BOX,
}
# numbers of the model and of the data that a picture depends on; rotation matrices are flat in MuJoCo
MODEL_FIELDS = (
    "geom_size", "geom_rgba", "cam_fovy", "cam_intrinsic", "light_active", "light_ambient", "light_diffuse",
    "light_specular", "light_cutoff", "light_exponent", "mat_rgba", "mat_emission", "mat_specular", "mat_shininess",
)  # fmt: skip
DATA_FIELDS = ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat", "light_xpos", "light_xdir")
# what the compiled kernel and the buffers are made for
STRUCTURE = (
    "geom_type", "geom_group", "geom_matid", "light_type", "light_attenuation", "cam_projection", "cam_sensorsize",
)  # fmt: skip


@dataclass(frozen=True)
class _Stage:
    """Warp's side of one structure: a model, a state and the buffers of a set of cameras."""

    model: Any
    data: Any
    buffers: Any


class RayRenderer:
    """Draws a MuJoCo model's cameras by casting a ray a pixel."""

    def __init__(self) -> None:
        try:
            import mujoco_warp  # pyright: ignore[reportMissingImports]
            import warp  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise UserError(
                "drawing without OpenGL needs mujoco-warp: pip install 'aim-world-action[raytrace]'"
            ) from error
        warp.config.log_level = logging.ERROR  # else every kernel and the lack of a GPU are announced
        self._warp, self._mjw = warp, mujoco_warp
        self._stages: OrderedDict[Hashable, _Stage] = OrderedDict()

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: ImageSize, depth: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Return pictures (c h w 3) and depths (c h w), metres along the axis, 0 where nothing is hit."""
        with self._warp.ScopedDevice("cpu"):
            stage = self._stage(model, data, tuple(cameras), size, depth)
            _write(stage.model, model, MODEL_FIELDS)
            _write(stage.data, data, DATA_FIELDS)
            self._mjw.refit_bvh(stage.model, stage.data, stage.buffers)
            self._mjw.render(stage.model, stage.data, stage.buffers)
        shape = (len(cameras), *size)
        packed = stage.buffers.rgb_data.numpy().reshape(shape)  # 0xAARRGGBB
        pictures = packed.astype("<u4", copy=False).view(np.uint8).reshape(*shape, 4)[..., 2::-1].copy()
        if not depth:
            return pictures, None
        distance = stage.buffers.depth_data.numpy().reshape(shape)
        return pictures, np.where(distance > 0.0, distance, np.float32(0.0))

    def _stage(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: tuple[int, ...], size: ImageSize, depth: bool
    ) -> _Stage:
        key = (cameras, size, depth, _structure(model))
        if key not in self._stages:
            self._stages[key] = self._set(model, data, cameras, size, depth)
            if len(self._stages) > KEPT:
                self._stages.popitem(last=False)
        self._stages.move_to_end(key)
        return self._stages[key]

    def _set(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: tuple[int, ...], size: ImageSize, depth: bool
    ) -> _Stage:
        if model.ntex or not set(model.geom_type.tolist()) <= {int(kind) for kind in PRIMITIVES}:
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
            enabled_geom_groups=list(GEOM_GROUPS),
        )
        return _Stage(self._mjw.put_model(model), self._mjw.put_data(model, data), buffers)


def _structure(model: mujoco.MjModel) -> Hashable:
    light, sight = model.vis.headlight, model.vis.map
    headlight = (light.active, *light.ambient, *light.diffuse, *light.specular)
    planes = (sight.znear * model.stat.extent, sight.zfar * model.stat.extent)
    return (headlight, planes, *((len(a), a.tobytes()) for a in (getattr(model, name) for name in STRUCTURE)))


def _write(theirs: Any, ours: mujoco.MjModel | mujoco.MjData, names: Sequence[str]) -> None:  # noqa: ANN401
    """Copy the named arrays into warp's, which lead with the number of worlds: one."""
    for name in names:
        target, source = getattr(theirs, name), getattr(ours, name)
        if target.size:
            target.assign(np.ascontiguousarray(source).reshape(1, len(source), *target.numpy().shape[2:]))
