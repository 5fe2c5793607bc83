"""Goals: where a held object is to be, as the poses that would do."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np

from sim.expert.arm import ExpertContext
from sim.geometry import (
    Array,
    align_z_axis,
    compose,
    conjugate,
    invert,
    make_pose,
    multiply,
    quat_from_axis_angle,
    rotate,
)
from sim.task.spec import Skill, SpecError

FREE_YAW_COUNT = 12  # yaws tried where the task leaves yaw free
FLIP_ABOUT_X = make_pose((0, 0, 0), (0, 1, 0, 0))  # a half turn about x: a ring is a ring from either side
MAX_PLACED_ERROR_M = 0.012  # metres in the plane, and twice that in height, at which an object counts as placed


@dataclass(frozen=True)
class Goal:
    """An object's point on a place: frames together, turned about the place's z axis by one of `yaw`, or by any.

    The place is a named point (`on`), or `to` with its z axis along `up`; `offset` (world) shifts it.
    """

    obj: str
    point: str = "bottom"
    on: str = ""
    to: tuple[float, ...] = ()
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    yaw: tuple[float, ...] = ()
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mirror: str = ""
    flip: bool = False

    def compute_target_frame(self, context: ExpertContext) -> Array:
        """Return the place as a world pose (7,)."""
        mirror_sign = context.world.side_sign(self.mirror) if self.mirror else 1.0
        shift = np.array(self.offset) * (mirror_sign, 1.0, 1.0)
        if self.on:
            target_pose = context.world.frame_pose(self.on)
            return make_pose(target_pose[:3] + shift, target_pose[3:])
        if len(self.to) != 3:
            raise SpecError(
                f"task {context.world.task.name!r}: a place for {self.obj!r} needs on=POINT or to=(x, y, z)"
            )
        position = context.world.table_origin + np.array(self.to) * (mirror_sign, 1.0, 1.0) + shift
        return make_pose(position, align_z_axis(np.array(self.up) * (mirror_sign, 1.0, 1.0)))

    def compute_approach_axis(self, context: ExpertContext) -> Array:
        """Return the place's z axis (3,): the way to come from."""
        return rotate(self.compute_target_frame(context)[3:], (0.0, 0.0, 1.0))

    def compute_object_poses(self, context: ExpertContext) -> Array:
        """Return the object's poses (c 7) that would do, those that turn it least from now first."""
        model = context.world.scene.models[self.obj]
        if self.point not in model.frames:
            valid_points = ", ".join(model.frames)
            raise SpecError(
                f"task {context.world.task.name!r}: {self.obj!r} has no point {self.point!r}; valid: {valid_points}"
            )
        point_from_object = invert(model.frames[self.point][1])
        frame = self.compute_target_frame(context)
        target_frames = [compose(frame, FLIP_ABOUT_X), frame] if self.flip else [frame]
        return np.stack(
            [
                compose(
                    compose(target_frame, make_pose((0, 0, 0), quat_from_axis_angle((0, 0, 1), np.array(angle)))),
                    point_from_object,
                )
                for target_frame in target_frames
                for angle in self._compute_yaw_angles(context, frame, model.yaw_symmetry)
            ]
        )

    def is_reached(self, context: ExpertContext, max_error_m: float = MAX_PLACED_ERROR_M) -> bool:
        """Tell whether the object's point is within `max_error_m` of the place in the plane, twice that in height."""
        position_error = (
            context.world.frame_pose(f"{self.obj}.{self.point}")[:3] - self.compute_target_frame(context)[:3]
        )
        return bool(
            np.hypot(position_error[0], position_error[1]) < max_error_m and abs(position_error[2]) < 2 * max_error_m
        )

    def _compute_yaw_angles(self, context: ExpertContext, frame: Array, yaw_symmetry: int) -> list[float]:
        frame_from_point = multiply(conjugate(frame[3:]), context.world.frame_pose(f"{self.obj}.{self.point}")[3:])
        heading = rotate(frame_from_point, (1.0, 0.0, 0.0))
        current_yaw = float(np.arctan2(heading[1], heading[0]))
        if not self.yaw or yaw_symmetry == 0:
            return [current_yaw + 2 * pi * k / FREE_YAW_COUNT for k in range(FREE_YAW_COUNT)]
        mirror_sign = context.world.side_sign(self.mirror) if self.mirror else 1.0
        return [mirror_sign * angle + 2 * pi * k / yaw_symmetry for angle in self.yaw for k in range(yaw_symmetry)]


def build_goal(skill: Skill) -> Goal:
    """Return the goal of a `carry` or `place`."""
    field_names = set(Goal.__dataclass_fields__)
    return Goal(**{key: value for key, value in skill.args.items() if key in field_names})  # pyright: ignore[reportArgumentType]
