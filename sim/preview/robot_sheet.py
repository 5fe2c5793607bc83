"""A robot sheet: the home posture with tool and camera axes, the reach over the table, and what its cameras see."""

from __future__ import annotations

from collections.abc import Iterator
from math import radians

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.embodiment.checks import compute_camera_pose, compute_tool_pose
from sim.embodiment.model import Camera, Embodiment, Geom, Rgb, Vector
from sim.embodiment.reach import REACH_HEIGHT_M, ReachMap
from sim.geometry import Array, transform_points
from sim.world.render_robot import render_robot

AXIS_COLOURS: tuple[Rgb, Rgb, Rgb] = ((0.85, 0.15, 0.15), (0.15, 0.65, 0.2), (0.15, 0.3, 0.9))  # x, y, z
TOOL_AXIS_LENGTH_M, CAMERA_AXIS_LENGTH_M, AXIS_RADIUS_M = 0.12, 0.08, 0.004
REACHABLE_COLOUR, UNREACHABLE_COLOUR = (0.15, 0.65, 0.3), (0.8, 0.25, 0.2)
REACH_MARK_RADIUS_M, REACH_MARK_THICKNESS_M = 0.014, 0.001
VIEWS = (
    Camera("view from the front", (0.75, 0.95, 1.85), (-0.72, -1.25, -0.95), (0.0, 0.0, 1.0), radians(58)),
    Camera("reach from above", (0.0, -0.02, 2.35), (0, 0, -1), (0, 1, 0), radians(50)),
)
LABEL_HEIGHT_PX, SHEET_GAP_PX = 22, 6
LABEL_RGB, SHEET_RGB = (222, 226, 230), (24, 27, 31)


def render_robot_sheet(robot: Embodiment, reach: ReachMap, size: ImageSize) -> NDArray[np.uint8]:
    """Sheet (h w 3) of panels of a size: posture and reach in the first row, the robot's cameras below."""
    decorations = [*_build_axes(robot), *_build_reach_marks(reach)]
    outside = render_robot(robot, VIEWS, size, decorations)
    seen = render_robot(robot, robot.cameras, size)
    panels = [_label_panel(picture, view.name) for picture, view in zip(outside, VIEWS, strict=True)]
    panels += [_label_panel(picture, camera.name) for picture, camera in zip(seen, robot.cameras, strict=True)]
    panels += [np.full_like(panels[0], SHEET_RGB)] * (-len(panels) % len(VIEWS))
    return np.concatenate(
        [np.concatenate(panels[i : i + len(VIEWS)], axis=1) for i in range(0, len(panels), len(VIEWS))]
    )


def _build_axes(robot: Embodiment) -> Iterator[Geom]:
    """Axes of the tools (z along the approach, y along the opening) and of the cameras (z forward, y down)."""
    for arm in robot.arms:
        yield from _draw_axes(compute_tool_pose(arm), TOOL_AXIS_LENGTH_M)
    for camera in robot.cameras:
        yield from _draw_axes(compute_camera_pose(robot, camera), CAMERA_AXIS_LENGTH_M)


def _draw_axes(pose: Array, length_m: float) -> Iterator[Geom]:
    origin = _to_vector(pose[:3])
    for tip, colour in zip(transform_points(pose, length_m * np.eye(3)), AXIS_COLOURS, strict=True):
        yield Geom("capsule", (AXIS_RADIUS_M,), ends=(origin, _to_vector(tip)), colour=colour)


def _build_reach_marks(reach: ReachMap) -> Iterator[Geom]:
    for point, reachable in zip(reach.points, reach.reachable, strict=True):
        x, y, z = _to_vector(point)
        colour = REACHABLE_COLOUR if reachable else UNREACHABLE_COLOUR
        size = (REACH_MARK_RADIUS_M, REACH_MARK_THICKNESS_M)
        yield Geom("cylinder", size, (x, y, z - REACH_HEIGHT_M + REACH_MARK_THICKNESS_M), colour=colour)


def _to_vector(point: Array) -> Vector:
    x, y, z = point.tolist()
    return x, y, z


def _label_panel(picture: NDArray[np.uint8], label: str) -> NDArray[np.uint8]:
    import cv2

    bar = np.full((LABEL_HEIGHT_PX, picture.shape[1], 3), SHEET_RGB, np.uint8)
    cv2.putText(bar, label, (4, LABEL_HEIGHT_PX - 6), LABEL_RGB, cv2.FontFace("sans"), 14, 400)
    gap = ((0, SHEET_GAP_PX), (0, SHEET_GAP_PX), (0, 0))
    return np.pad(np.concatenate([picture, bar]), gap, constant_values=SHEET_RGB[0])
