"""Pinhole geometry against MuJoCo's own pictures and OpenCV's projection."""

from __future__ import annotations

import cv2
import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from sim import camera
from sim.geometry import quat_to_matrix
from sim.world.render import get_renderer

RADIUS = 0.004
SCENE = """<mujoco><visual><headlight ambient="1 1 1" diffuse="0 0 0"
specular="0 0 0"/><map znear="0.001" zfar="20"/></visual><statistic extent="1"/><worldbody>
<body name="ball" mocap="true"><geom type="sphere" size="0.004" rgba="1 1 1 1"/></body>
<camera name="eye" pos="0.2 -0.5 1.3" xyaxes="0.9 0.3 0.1 -0.2 0.5 0.6" fovy="{fovy}"/></worldbody></mujoco>"""


def random_extrinsics(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random rigid transform (4 4)."""
    quaternion = rng.normal(size=4)
    transform = np.eye(4)
    transform[:3, :3] = quat_to_matrix(quaternion / np.linalg.norm(quaternion))
    transform[:3, 3] = rng.normal(size=3)
    return transform


def test_project_agrees_with_opencv() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        k = camera.compute_intrinsics(rng.uniform(0.3, 2.0), (int(rng.integers(64, 321)), int(rng.integers(64, 321))))
        extrinsics = random_extrinsics(rng)
        local = np.append(rng.uniform(-1, 1, (5, 2)), rng.uniform(0.1, 2.0, (5, 1)), 1)
        world = (local - extrinsics[:3, 3]) @ extrinsics[:3, :3]
        uv, depth = camera.project_points(world, k, extrinsics)
        theirs, _ = cv2.projectPoints(world, cv2.Rodrigues(extrinsics[:3, :3])[0], extrinsics[:3, 3], k, None)
        np.testing.assert_allclose(uv, theirs[:, 0], atol=1e-6)
        np.testing.assert_allclose(depth, local[:, 2], atol=1e-12)


def test_project_broadcasts_over_frames() -> None:
    rng = np.random.default_rng(1)
    extrinsics = np.stack([random_extrinsics(rng) for _ in range(4)])
    points = rng.normal(size=(4, 6, 3))
    k = camera.compute_intrinsics(0.8, (96, 128))
    uv, depth = camera.project_points(points, k, extrinsics)
    for t in range(4):
        one, z = camera.project_points(points[t], k, extrinsics[t])
        np.testing.assert_array_equal(uv[t], one)
        np.testing.assert_array_equal(depth[t], z)


def test_a_point_behind_has_no_pixel() -> None:
    uv, depth = camera.project_points(
        [[0, 0, -1], [0, 0, 0], [0, 0, 1]], camera.compute_intrinsics(1.0, (64, 64)), np.eye(4)
    )
    assert np.isnan(uv[:2]).all() and (depth[:2] <= 0).all()
    np.testing.assert_allclose(uv[2], [31.5, 31.5])


def test_field_of_view_spans_the_height_edge_to_edge() -> None:
    k = camera.compute_intrinsics(0.9, (120, 200))
    top = [[0, -np.tan(0.45), 1], [0, np.tan(0.45), 1]]
    uv, _ = camera.project_points(top, k, np.eye(4))
    np.testing.assert_allclose(uv, [[99.5, -0.5], [99.5, 119.5]])
    assert camera.infer_image_size(k) == (120, 200)


@pytest.mark.parametrize("size", [(120, 200), (200, 120), (64, 64)])
def test_a_horizontal_field_spans_the_width_edge_to_edge(size: camera.ImageSize) -> None:
    k = camera.compute_intrinsics(camera.vertical_field(1.4, size), size)
    uv, _ = camera.project_points([[-np.tan(0.7), 0, 1], [np.tan(0.7), 0, 1]], k, np.eye(4))
    np.testing.assert_allclose(uv[:, 0], [-0.5, size[1] - 0.5])


def test_degrees_are_refused() -> None:
    with pytest.raises(AssertionError, match="radians"):
        camera.compute_intrinsics(37.0, (64, 64))


BALL_SIZES = [((64, 64), 37.0), ((128, 128), 60.0), ((240, 320), 37.0), ((101, 76), 80.0)]


@pytest.mark.parametrize(("size", "fovy"), BALL_SIZES)
def test_mujoco_draws_a_ball_where_we_project_it(size: tuple[int, int], fovy: float) -> None:
    model = mujoco.MjModel.from_xml_string(SCENE.format(fovy=fovy))
    data = mujoco.MjData(model)
    k = camera.compute_intrinsics(np.deg2rad(fovy), size)
    rng = np.random.default_rng(4)
    for _ in range(12):
        pixel = rng.uniform([12, 12], [size[1] - 13, size[0] - 13])
        local = np.linalg.inv(k) @ np.append(pixel, 1.0) * k[0, 0] * RADIUS / rng.uniform(4, 8)
        mujoco.mj_forward(model, data)
        extrinsics = camera.compute_extrinsics(data.cam_xpos[0], data.cam_xmat[0])
        data.mocap_pos[0] = (local - extrinsics[:3, 3]) @ extrinsics[:3, :3]
        mujoco.mj_forward(model, data)
        bright = get_renderer().render(model, data, (0,), size)[0][0, ..., 0].astype(float)
        rows, columns = np.mgrid[: size[0], : size[1]]
        centroid = [(bright * columns).sum() / bright.sum(), (bright * rows).sum() / bright.sum()]
        uv, z = camera.project_points(data.mocap_pos[:1], k, extrinsics)
        np.testing.assert_allclose(uv[0], pixel, atol=1e-6)
        # a sphere is drawn as an ellipse whose middle lies farther out than the sphere's own, by z^2 / (z^2 - r^2)
        middle = k[:2, 2] + (uv[0] - k[:2, 2]) * z**2 / (z**2 - RADIUS**2)
        assert np.linalg.norm(centroid - middle) < 0.3
