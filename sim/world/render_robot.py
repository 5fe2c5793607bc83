"""Pictures of a robot at home at an empty table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import degrees

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize, vertical_field
from sim.embodiment.model import Camera, Embodiment, Geom
from sim.scene.compile import compile_robot_scene
from sim.world.render import get_renderer


def render_robot(
    robot: Embodiment, cameras: Sequence[Camera], size: ImageSize, decorations: Sequence[Geom] = ()
) -> NDArray[np.uint8]:
    """Pictures (c h w 3) of the robot at home, grippers open; `decorations` stand in the world frame."""
    model = compile_robot_scene(replace(robot, cameras=tuple(cameras)), decorations)
    data = mujoco.MjData(model)
    for arm in robot.arms:
        for i, value in enumerate(arm.home):
            data.joint(f"{arm.name}/joint{i}").qpos = value
        for k in range(2):
            data.joint(f"{arm.name}/finger{k}").qpos = arm.gripper.stroke
    ids = [model.camera(camera.name).id for camera in cameras]
    model.cam_fovy[ids] = [degrees(vertical_field(camera.fovx, size)) for camera in cameras]
    mujoco.mj_forward(model, data)
    return get_renderer().render(model, data, ids, size)[0]
