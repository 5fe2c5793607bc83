"""How exact and how fast value maps are: python scripts/check_value_maps.py [--draws N]."""

from __future__ import annotations

import argparse
import time

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from sim import camera
from sim.episodes import value_maps
from sim.geometry import quat_to_matrix
from sim.types import Event
from sim.world.render import get_renderer

RADIUS = 0.004
BALL = """<mujoco><visual><headlight ambient="1 1 1" diffuse="0 0 0"/><map znear="0.001" zfar="20"/></visual>
<statistic extent="1"/><worldbody><body mocap="true"><geom type="sphere" size="0.004" rgba="1 1 1 1"/></body>
<camera pos="0.2 -0.5 1.3" xyaxes="0.9 0.3 0.1 -0.2 0.5 0.6" fovy="{fovy}"/></worldbody></mujoco>"""
BODIES = ("cup", "coaster")


def random_camera(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random camera_from_world (4 4)."""
    quaternion = rng.normal(size=4)
    transform = np.eye(4)
    transform[:3, :3] = quat_to_matrix(quaternion / np.linalg.norm(quaternion))
    transform[:3, 3] = rng.normal(size=3)
    return transform


def ball_errors(rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
    """Return how far (draws,) in pixels the middle of a rendered ball is from where its centre projects."""
    errors = []
    for _ in range(draws):
        size, fovy = tuple(rng.integers(64, 321, 2).tolist()), rng.uniform(30, 80)
        model = mujoco.MjModel.from_xml_string(BALL.format(fovy=fovy))
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        k = camera.compute_intrinsics(np.deg2rad(fovy), size)
        extrinsics = camera.compute_extrinsics(data.cam_xpos[0], data.cam_xmat[0])
        pixel = rng.uniform([12, 12], [size[1] - 13, size[0] - 13])
        local = np.linalg.inv(k) @ np.append(pixel, 1.0) * k[0, 0] * RADIUS / rng.uniform(4, 8)
        data.mocap_pos[0] = (local - extrinsics[:3, 3]) @ extrinsics[:3, :3]
        mujoco.mj_forward(model, data)
        bright = get_renderer().render(model, data, (0,), size)[0][0, ..., 0] > 0
        # a sphere is drawn as an ellipse whose middle lies farther out than the sphere's own, by z^2 / (z^2 - r^2)
        middle = k[:2, 2] + (pixel - k[:2, 2]) * local[2] ** 2 / (local[2] ** 2 - RADIUS**2)
        errors.append(np.linalg.norm(np.argwhere(bright).mean(0)[::-1] - middle))
    return np.array(errors)


def blob_errors(rng: np.random.Generator, draws: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (draws,) pixels between a blob's peak and cv2.projectPoints, and relative errors of its width."""
    peaks, widths = [], []
    while len(peaks) < draws:
        size = tuple(rng.integers(64, 321, 2).tolist())
        k, depth = camera.compute_intrinsics(rng.uniform(0.4, 1.6), size), rng.uniform(0.1, 1.5)
        sigma = k[0, 0] * value_maps.BLOB_SIGMA_M / depth
        margin = value_maps.BLOB_CUTOFF_SIGMAS * sigma + 1
        if sigma < 0.8 or 2 * margin > min(size) - 1:
            continue
        local = np.linalg.inv(k) @ [*rng.uniform(margin, np.array(size[::-1]) - 1 - margin), 1.0] * depth
        extrinsics = random_camera(rng)
        point = ((local - extrinsics[:3, 3]) @ extrinsics[:3, :3]).astype(np.float32)
        pose = np.array([[[0, 0, 0, 1, 0, 0, 0]]], np.float32)
        event = Event("pick", 0, "arm", "world", point[None])
        maps, _ = value_maps.render_value_maps(
            [event], pose, ("world",), {"c": k}, {"c": extrinsics[None]}, {"c": size}
        )
        blob = maps["c"][0, ..., 0].astype(float)
        turn = cv2.Rodrigues(extrinsics[:3, :3])[0]
        pixel = cv2.projectPoints(point.astype(float), turn, extrinsics[:3, 3], k, None)[0].ravel()
        top = np.argwhere(blob == blob.max())
        peaks.append(np.abs((top.min(0) + top.max(0))[::-1] / 2 - pixel).max())
        across, columns = blob.sum(0) / blob.sum(), np.arange(size[1])
        widths.append(np.sqrt(across @ (columns - across @ columns) ** 2) / sigma - 1)
    return np.array(peaks), np.array(widths)


def milliseconds(rng: np.random.Generator, pictures: int = 70, size: camera.ImageSize = (128, 128)) -> float:
    """Return the median CPU time of an episode: 3 cameras, two wrists closing in, 4 events of 8 points by 2 arms."""
    pose = np.tile(np.array([0, 0, 0.75, 1, 0, 0, 0], np.float32), (pictures, 2, 1))
    pose[:, 0, 0] = np.linspace(-0.1, 0.1, pictures)
    k = camera.compute_intrinsics(0.9, size)
    down = np.diag([1.0, -1.0, -1.0, 1.0])
    eyes = {name: np.tile(down, (pictures, 1, 1)) for name in ("head", "left", "right")}
    eyes["head"][:, 2, 3] = 1.6
    for name in ("left", "right"):
        eyes[name][:, 2, 3] = np.linspace(1.2, 0.87, pictures)  # the wrist ends 12 cm over the table
    events = [
        Event(kind, step, arm, carrier, rng.uniform(-0.03, 0.03, (8, 3)).astype(np.float32))
        for arm in ("left", "right")
        for kind, step, carrier in (("pick", 120, "cup"), ("place", 260, "coaster"))
    ]
    spent = []
    for _ in range(30):
        start = time.process_time()  # the machine may be busy with others
        value_maps.render_value_maps(events, pose, BODIES, dict.fromkeys(eyes, k), eyes, dict.fromkeys(eyes, size))
        spent.append(time.process_time() - start)
    return float(np.median(spent)) * 1e3


def main() -> None:
    """Print the three figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    rng = np.random.default_rng(0)
    ball = ball_errors(rng, min(draws, 200))
    peaks, widths = blob_errors(rng, draws)
    print(f"rendered ball to projected centre  mean {ball.mean():.3f}  max {ball.max():.3f} px  (want max < 0.3)")
    print(f"peak to cv2.projectPoints          mean {peaks.mean():.3f}  max {peaks.max():.3f} px  (want max <= 0.5)")
    print(
        f"width to f*sigma/depth             mean {widths.mean():+.4f}  max {np.abs(widths).max():.4f}  (want < 0.05)"
    )
    print(f"70 pictures x 3 cameras, 128x128   {milliseconds(rng):.1f} ms an episode  (want <= 15)")


if __name__ == "__main__":
    main()
