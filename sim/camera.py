"""Pinhole cameras: where a point of the world falls in a picture.

Pixel coordinates (u right, v down) are integers at pixel *centres*: the top-left pixel is (0, 0) and a
picture of width w covers [-0.5, w - 0.5]. MuJoCo's optical axis meets the middle of the picture, which
is therefore at ((w - 1) / 2, (h - 1) / 2); its `fovy` spans the whole height, edge to edge. OpenCV and
this file share the camera axes x right, y down, z forward; MuJoCo's are x right, y up, z backward.
"""

from __future__ import annotations

from math import atan, tan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.geometry import multiply_matrix_vector

ImageSize = tuple[int, int]  # height, width

OPENCV_AXIS_SIGNS = np.array([1.0, -1.0, -1.0])  # of MuJoCo's camera axes x, y, z


def compute_intrinsics(fovy: float, size: ImageSize) -> NDArray[np.float64]:
    """Return K (3 3) of square pixels for a vertical field of view in radians and a (height, width)."""
    assert 0.0 < fovy < np.pi, f"fovy is in radians, not degrees: {fovy}"
    height, width = size
    focal = 0.5 * height / np.tan(0.5 * fovy)
    return np.array([[focal, 0.0, 0.5 * (width - 1)], [0.0, focal, 0.5 * (height - 1)], [0.0, 0.0, 1.0]])


def infer_image_size(k: ArrayLike) -> ImageSize:
    """Return the (height, width) of the image whose middle is the principal point of K: undoes `compute_intrinsics`."""
    matrix = np.asarray(k)
    unrounded = 2.0 * matrix[1, 2] + 1.0, 2.0 * matrix[0, 2] + 1.0
    height, width = round(unrounded[0]), round(unrounded[1])
    assert abs(unrounded[0] - height) < 1e-6 and abs(unrounded[1] - width) < 1e-6, (
        "the principal point is off the middle"
    )
    return height, width


def compute_extrinsics(cam_xpos: ArrayLike, cam_xmat: ArrayLike) -> NDArray[np.float64]:
    """Return (4 4) OpenCV extrinsics of MuJoCo's `cam_xpos` (3) and `cam_xmat` (9 or 3 3), metres."""
    rotation = OPENCV_AXIS_SIGNS[:, None] * np.asarray(cam_xmat, np.float64).reshape(3, 3).T
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = -multiply_matrix_vector(rotation, np.asarray(cam_xpos, np.float64))
    return matrix


def project_points(
    points: ArrayLike, k: ArrayLike, extrinsics: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pixels (... p 2) and depth (... p), metres along the axis, of world points (... p 3).

    `extrinsics` (... 4 4) broadcasts against the leading dimensions; pixels are NaN where depth <= 0. Equal to the bit
    on every processor.
    """
    camera_from_world = np.asarray(extrinsics, np.float64)
    intrinsics = np.asarray(k, np.float64)
    rotation, translation = camera_from_world[..., None, :3, :3], camera_from_world[..., None, :3, 3]
    camera_points = multiply_matrix_vector(rotation, np.asarray(points, np.float64)) + translation
    depth = camera_points[..., 2]
    normalized = camera_points / np.where(depth > 0.0, depth, np.nan)[..., None]
    return multiply_matrix_vector(intrinsics[:2], normalized), depth


def vertical_field(horizontal_field: float, size: ImageSize) -> float:
    """Return the vertical field of view (radians) of a camera of a given horizontal one for a (height, width)."""
    return 2 * atan(tan(horizontal_field / 2) * size[0] / size[1])
