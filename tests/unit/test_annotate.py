"""Value maps: against OpenCV's projection, against a brute-force painter, and the laws of who is shown when."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sim import camera
from sim.episodes import value_maps
from sim.geometry import quat_to_matrix, transform_points
from sim.types import Episode, Event, Provenance

SIZE = (96, 128)
BODIES = ("world", "cup", "coaster")
REST = np.array([0, 0, 0, 1, 0, 0, 0], np.float32)


def event(kind: str, step: int, points: NDArray | list, arm: str = "left", carrier: str = "world") -> Event:
    """Return an event with the given points (p 3)."""
    return Event(kind, step, arm, carrier, np.array(points, np.float32))


def paint(
    events: list[Event],
    pictures: int = 1,
    size: tuple[int, int] = SIZE,
    fovy: float = 0.8,
    extrinsics: NDArray | None = None,
    pose: NDArray | None = None,
    depth: dict[str, NDArray] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the map (T h w 3) and visibility (T 3) of one camera, by default at the origin looking along z."""
    if pose is None:
        pose = np.tile(REST, (pictures, len(BODIES), 1))
    eye = np.broadcast_to(np.eye(4) if extrinsics is None else extrinsics, (len(pose), 4, 4))
    k = camera.compute_intrinsics(fovy, size)
    maps, visible = value_maps.render_value_maps(
        events, pose, BODIES, {"eye": k}, {"eye": eye}, {"eye": size}, depth or {}
    )
    return maps["eye"], visible["eye"]


def by_hand(uv: NDArray, sigma: NDArray, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the maximum of full Gaussians (h w) in double precision, 0 to 255."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    distance = (columns - uv[:, 0, None, None]) ** 2 + (rows - uv[:, 1, None, None]) ** 2
    return 255 * np.exp(-distance / (2 * sigma[:, None, None] ** 2)).max(0)


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a random rotation matrix (3 3)."""
    quaternion = rng.normal(size=4)
    return quat_to_matrix(quaternion / np.linalg.norm(quaternion))


def random_view(rng: np.random.Generator) -> tuple[tuple[int, int], float, NDArray, NDArray, float]:
    """Return (size, fovy, extrinsics, world point, sigma in pixels) of a blob that lies well inside its picture."""
    while True:
        size = int(rng.integers(64, 321)), int(rng.integers(64, 321))
        fovy = rng.uniform(0.4, 1.6)
        k = camera.compute_intrinsics(fovy, size)
        depth = rng.uniform(0.1, 1.5)
        sigma = k[0, 0] * value_maps.BLOB_SIGMA_M / depth
        margin = value_maps.BLOB_CUTOFF_SIGMAS * sigma + 1
        if sigma > 0.8 and 2 * margin < min(size) - 1:
            pixel = rng.uniform([margin, margin], [size[1] - 1 - margin, size[0] - 1 - margin])
            extrinsics = np.eye(4)
            extrinsics[:3, :3] = random_rotation(rng)
            extrinsics[:3, 3] = rng.normal(size=3)
            local = np.linalg.inv(k) @ np.append(pixel, 1.0) * depth
            return size, fovy, extrinsics, (local - extrinsics[:3, 3]) @ extrinsics[:3, :3], sigma


def test_peak_and_width_against_opencv_on_a_thousand_views() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        size, fovy, extrinsics, point, sigma = random_view(rng)
        maps, visible = paint([event("pick", 0, [point])], size=size, fovy=fovy, extrinsics=extrinsics)
        blob = maps[0, ..., 0].astype(float)
        axis = cv2.Rodrigues(extrinsics[:3, :3])[0]
        k = camera.compute_intrinsics(fovy, size)
        pixel = cv2.projectPoints(point.astype(np.float32).astype(float), axis, extrinsics[:3, 3], k, None)[0].ravel()
        rows, columns = np.nonzero(blob == blob.max())  # a wide blob has a flat top
        peak = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2
        assert (np.abs(peak - pixel) <= 0.5 + 1e-3).all()
        across = blob.sum(0) / blob.sum()
        mean = across @ np.arange(size[1])
        assert abs(mean - pixel[0]) < 0.05
        assert abs(np.sqrt(across @ (np.arange(size[1]) - mean) ** 2) / sigma - 1) < 0.05
        assert visible.tolist() == [[True, False, False]]


def test_equals_the_brute_force_painter() -> None:
    rng = np.random.default_rng(1)
    k = camera.compute_intrinsics(0.8, SIZE)
    for _ in range(50):
        points = rng.uniform([-0.6, -0.6, 0.03], [0.6, 0.6, 1.0], (6, 3)).astype(np.float32)
        maps, _ = paint([event("place", 0, points)])
        uv, z = camera.project_points(points, k, np.eye(4))
        expected = by_hand(uv, k[0, 0] * value_maps.BLOB_SIGMA_M / z, SIZE)
        assert np.abs(maps[0, ..., 1] - expected).max() < 0.51  # half a grey level, and single precision
        assert not maps[..., [0, 2]].any()


def test_points_and_events_combine_by_maximum() -> None:
    a, b = [[0, 0, 0.5]], [[0.01, 0.005, 0.5]]
    one, two = paint([event("pick", 0, a)])[0], paint([event("pick", 0, b)])[0]
    np.testing.assert_array_equal(paint([event("pick", 0, a + b)])[0], np.maximum(one, two))
    both = [event("pick", 0, a), event("pick", 0, b, arm="right")]
    np.testing.assert_array_equal(paint(both)[0], np.maximum(one, two))
    assert one.max() >= 240


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("beyond", "seen"), [(-0.6, False), (-0.4, True), (0.4, True), (0.6, False)])
def test_an_image_ends_half_a_pixel_beyond_the_centres_of_its_border(axis: int, beyond: float, seen: bool) -> None:
    k = camera.compute_intrinsics(0.8, SIZE)
    pixel = np.array([30.0, 30.0, 1.0])
    pixel[axis] = beyond if beyond < 0 else SIZE[1 - axis] - 1 + beyond
    assert paint([event("pick", 0, [np.linalg.inv(k) @ pixel * 0.5])])[1][0, 0] == seen


OTHERS = ("press", "turn", "strike", "pour", "shake")


@pytest.mark.parametrize(("kind", "channel"), [("pick", 0), ("place", 1), *((kind, 2) for kind in OTHERS)])
def test_each_kind_has_its_channel(kind: str, channel: int) -> None:
    maps, visible = paint([event(kind, 0, [[0, 0, 0.5]])])
    assert np.flatnonzero(maps.any((0, 1, 2))).tolist() == [channel] == np.flatnonzero(visible[0]).tolist()


def test_behind_or_too_near_gives_nothing() -> None:
    for z in (-0.5, 0.0, value_maps.MIN_POINT_DEPTH_M):
        maps, visible = paint([event("pick", 0, [[0, 0, z]])])
        assert not maps.any() and not visible.any()
    maps, visible = paint([event("pick", 0, [[0, 0, -0.5], [0, 0, 0.5]])])
    np.testing.assert_array_equal(maps, paint([event("pick", 0, [[0, 0, 0.5]])])[0])
    assert visible[0, 0]


def test_outside_shows_only_its_tail_and_is_not_visible() -> None:
    k = camera.compute_intrinsics(0.8, SIZE)
    sigma = k[0, 0] * value_maps.BLOB_SIGMA_M / 0.5

    def at(u: float) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        return paint([event("pick", 0, [np.linalg.inv(k) @ [u, 40.0, 1.0] * 0.5])])

    maps, visible = at(SIZE[1] - 0.4)  # just past the border, which is at w - 0.5
    assert maps.max() > 230 and maps.argmax() % (SIZE[1] * 3) == 3 * (SIZE[1] - 1) and not visible.any()
    assert at(SIZE[1] - 0.6)[1][0, 0]
    assert not at(SIZE[1] + value_maps.BLOB_CUTOFF_SIGMAS * sigma)[0].any()
    assert at(SIZE[1] - 2 + value_maps.BLOB_CUTOFF_SIGMAS * sigma)[0].any()


def test_one_visible_event_is_enough_for_its_channel() -> None:
    inside, outside = event("pick", 0, [[0, 0, 0.5]]), event("pick", 0, [[9, 0, 0.5]], arm="right")
    for order in ([inside, outside], [outside, inside]):
        assert paint(order)[1].tolist() == [[True, False, False]]
    assert not paint([outside])[1].any()


def test_points_ride_on_their_carrier() -> None:
    rng = np.random.default_rng(2)
    pose = np.tile(REST, (5, len(BODIES), 1))
    turn = rng.normal(size=(5, 4))
    pose[:, 1, 3:] = turn / np.linalg.norm(turn, axis=1, keepdims=True)
    pose[:, 1, :3] = rng.uniform([-0.05, -0.05, 0.55], [0.05, 0.05, 0.65], (5, 3))
    local = rng.uniform(-0.03, 0.03, (3, 3))
    maps, _ = paint([event("pick", 16, local, carrier="cup")], pose=pose)
    for t in range(5):
        alone, _ = paint([event("pick", 0, transform_points(pose[t, 1], np.float32(local)))])
        assert np.abs(maps[t].astype(int) - alone[0]).max() <= 1  # the stored points are single precision


def shown(events: list[Event], pictures: int = 20) -> list[list[int]]:
    """Return for every event the pictures in which it is shown."""
    return [list(range(pictures))[s] for s in value_maps.compute_display_ranges(events, pictures)]


def test_an_event_is_shown_until_it_happens() -> None:
    assert shown([event("pick", 12, [])]) == [[0, 1, 2, 3]]
    assert shown([event("pick", 15, [])]) == [[0, 1, 2, 3]]  # picture 4 is taken at step 16: it has happened
    assert shown([event("pick", 16, [])]) == [[0, 1, 2, 3, 4]]
    assert shown([event("pick", 0, [])]) == [[0]]
    assert shown([event("pick", 400, [])]) == [list(range(20))]


def test_an_event_waits_for_the_one_before_of_the_same_arm() -> None:
    pick, place = event("pick", 12, []), event("place", 30, [])
    assert shown([pick, place]) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    other = event("press", 20, [], arm="right")
    assert shown([pick, other, place]) == [[0, 1, 2, 3], [0, 1, 2, 3, 4, 5], [4, 5, 6, 7]]


def test_the_taker_of_a_hand_over_waits_for_the_giver() -> None:
    give = event("pick", 12, [], carrier="cup")
    for late, first in (
        (value_maps.BIMANUAL_EVENT_WINDOW_STEPS, 4),
        (value_maps.BIMANUAL_EVENT_WINDOW_STEPS - 1, 0),
    ):  # sooner, both arms lift it together
        take = event("pick", 12 + late, [], arm="right", carrier="cup")
        assert shown([give, take]) == [[0, 1, 2, 3], list(range(first, (12 + late) // 4 + 1))]


def test_two_arms_that_set_things_down_on_one_tray_both_show_where() -> None:
    first = event("place", 12, [], carrier="tray")
    second = event("place", 12 + 2 * value_maps.BIMANUAL_EVENT_WINDOW_STEPS, [], arm="right", carrier="tray")
    assert shown([first, second])[1] == list(range(0, second.step // 4 + 1))


def test_events_of_one_arm_at_one_step_share_their_pictures() -> None:
    place, tray = event("place", 30, []), event("place", 30, [], carrier="coaster")
    assert shown([event("pick", 12, []), place, tray])[1:] == [[4, 5, 6, 7]] * 2


def test_a_blow_is_shown_after_the_hammer_was_taken() -> None:
    events = [event("pick", 12, [], carrier="cup"), event("strike", 30, [], carrier="coaster")]
    assert shown(events) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_after_the_last_event_the_map_is_black() -> None:
    maps, visible = paint([event("pick", 12, [[0, 0, 0.5]])], pictures=10)
    assert maps[:4].any((1, 2, 3)).all() and not maps[4:].any()
    assert visible[:, 0].tolist() == [True] * 4 + [False] * 6


def test_depth_hides_what_lies_behind() -> None:
    wall = np.full((1, *SIZE), 0.5, np.float32)
    for z, seen in (
        (0.4, True),
        (0.5, True),
        (0.5 + value_maps.BLOB_SIGMA_M * 0.9, True),
        (0.5 + value_maps.BLOB_SIGMA_M * 1.1, False),
    ):
        maps, visible = paint([event("pick", 0, [[0, 0, z]])], depth={"eye": wall})
        assert visible[0, 0] == seen
        assert maps.max() >= 240  # what is hidden keeps its value


def test_where_nothing_is_drawn_nothing_hides() -> None:
    sky = np.zeros((1, *SIZE), np.float32)
    assert paint([event("pick", 0, [[0, 0, 0.5]])], depth={"eye": sky})[1][0, 0]


def test_depth_is_read_where_the_point_falls() -> None:
    wall = np.full((1, *SIZE), 0.3, np.float32)
    wall[0, 20, 90] = 2.0  # a hole
    k = camera.compute_intrinsics(0.8, SIZE)
    hidden = np.linalg.inv(k) @ [90.0, 22.0, 1.0] * 0.6
    through = np.linalg.inv(k) @ [90.2, 19.8, 1.0] * 0.6
    assert not paint([event("pick", 0, [hidden])], depth={"eye": wall})[1].any()
    assert paint([event("pick", 0, [hidden, through])], depth={"eye": wall})[1][0, 0]


def make_episode(rng: np.random.Generator) -> Episode:
    """Return an episode of 9 pictures with one moving camera and no pictures at all."""
    steps, k = 32, camera.compute_intrinsics(0.8, SIZE)
    pose = np.tile(REST, (steps + 1, len(BODIES), 1))
    pose[:, 1, :3] = np.linspace([0, 0, 0.5], [0.1, 0.05, 0.7], steps + 1)
    eye = np.tile(np.eye(4), (9, 1, 1))
    eye[:, 0, 3] = np.linspace(0, 0.1, 9)
    none = np.zeros((steps + 1, 0), np.float32)
    events = (event("pick", 10, rng.uniform(-0.02, 0.02, (4, 3)), carrier="cup"), event("place", 30, [[0, 0, 0.6]]))
    return Episode(
        task="{}", robot="arm", seed=0, success=True, instruction="", images={}, maps={}, visible={}, depth={},
        intrinsics={"eye": k}, extrinsics={"eye": eye}, state=none, action=none[:-1],
        executed=none[:-1], tool_pose=none[:, None],
        bodies=BODIES, body_pose=pose, joints=(), joint=none, sim_state=none.astype(float), contacts=np.zeros(0, "i4"),
        events=events, provenance=Provenance(),
    )  # fmt: skip


def test_an_episode_is_annotated_without_its_pictures() -> None:
    episode = make_episode(np.random.default_rng(3))
    maps, visible = value_maps.annotate_episode(episode)
    assert maps["eye"].shape == (9, *SIZE, 3) and maps["eye"].dtype == np.uint8
    assert visible["eye"].shape == (9, 3) and visible["eye"].dtype == np.bool_
    assert maps["eye"].any((1, 2)).tolist() == [[True, False, False]] * 3 + [[False, True, False]] * 5 + [[False] * 3]
    # the cup's and the camera's rows are those of the picture: step 8 is picture 2
    world = transform_points(episode.body_pose[8, 1], episode.events[0].points)
    alone, _ = paint([event("pick", 0, world)], extrinsics=episode.extrinsics["eye"][2])
    assert np.abs(maps["eye"][2].astype(int) - alone[0]).max() <= 1


def test_the_same_episode_gives_the_same_bytes() -> None:
    first, second = (value_maps.annotate_episode(make_episode(np.random.default_rng(4)))[0]["eye"] for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_an_episode_without_events_is_black() -> None:
    maps, visible = value_maps.annotate_episode(replace(make_episode(np.random.default_rng(5)), events=()))
    assert not maps["eye"].any() and not visible["eye"].any()


def digest_maps() -> str:
    """Return the SHA-256 of maps and projections of 40 points before a camera that moves, of numbers drawn exactly."""
    rng = np.random.default_rng(8)
    pose = np.tile(REST, (10, len(BODIES), 1))
    pose[:, 1] = rng.uniform([-0.05, -0.05, 0.3, 0.5, 0, 0, 0], [0.05, 0.05, 0.9, 0.9, 0.5, 0.5, 0.5], (10, 7))
    eye = np.tile(np.eye(4), (10, 1, 1))
    eye[:, :3] += rng.uniform(-0.05, 0.05, (10, 3, 4))
    points = rng.uniform(-0.2, 0.2, (40, 3))
    events = [event("pick", 40, points, carrier="cup"), event("press", 40, points + np.array([0, 0, 0.5]), arm="right")]
    k = np.array([[110.0, 0, 63.5], [0, 110.0, 47.5], [0, 0, 1]])
    maps, visible = value_maps.render_value_maps(events, pose, BODIES, {"eye": k}, {"eye": eye}, {"eye": SIZE})
    assert (maps["eye"] > 0).mean() > 0.1
    pose_of_camera = camera.compute_extrinsics(rng.uniform(size=3), rng.uniform(size=9))
    return hashlib.sha256(maps["eye"].tobytes() + visible["eye"].tobytes() + pose_of_camera.tobytes()).hexdigest()


MAPS_DIGEST = "4269f0eaf248432c999edd72c175ae2abe661882ec3a4c78822e598b8515a1b0"


@pytest.mark.parametrize(
    "kernels",
    [
        {},
        {"NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3"},
        {"OPENBLAS_CORETYPE": "Nehalem"},
        {"OPENBLAS_CORETYPE": "SkylakeX"},
    ],
    ids=str,
)
def test_maps_are_the_same_bytes_on_every_processor(kernels: dict[str, str]) -> None:
    """The digest was taken once; other vector units and BLAS kernels are tried where this processor has them."""
    code = "import warnings; warnings.simplefilter('ignore'); import test_annotate as t; print(t.digest_maps())"
    paths = [*map(str, (Path(__file__).parent, Path(value_maps.__file__).parents[2]))]
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **kernels, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == MAPS_DIGEST
