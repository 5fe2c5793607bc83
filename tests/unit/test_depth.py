"""Depth pictures against rays cast through the physics' own geometry, and the fields of an observation."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import SceneUnderTest

from sim import robots, tasks
from sim.camera import ImageSize, compute_intrinsics, project_points
from sim.envs.env import Env, camera_intrinsics
from sim.episodes import record
from sim.task.spec import TABLE_HEIGHT_M
from sim.types import Observation
from sim.world.render import Renderer, get_renderer
from sim.world.render_gl import GlRenderer

SIZE = (96, 128)
ROBOT = robots.load_robot("aloha")
CAMERAS = ("head", "left_wrist")


@pytest.fixture(scope="module", params=("opengl", "rays"))
def engine(request: pytest.FixtureRequest) -> Renderer:
    """Return either renderer."""
    if request.param == "opengl":
        return get_renderer()
    pytest.importorskip("mujoco_warp", reason="the raytrace extra is not installed")
    from sim.world.render_raytrace import RayRenderer

    return RayRenderer()


def directions(k: NDArray[np.float64], size: ImageSize) -> NDArray[np.float64]:
    """Return the ray (h w 3) of each pixel in the camera's frame, 1 long along the axis."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([columns, rows, np.ones(size)], -1) @ np.linalg.inv(k).T


def cast(model: mujoco.MjModel, data: mujoco.MjData, camera: int, rays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the depth (h w) that MuJoCo's ray casting measures along `rays` of a camera, -1 where nothing is hit."""
    axes = data.cam_xmat[camera].reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
    found, hit = np.empty(rays.shape[:2]), np.zeros(1, np.int32)
    groups = np.array([1, 1, 1, 0, 0, 0], np.uint8)
    for place in np.ndindex(*found.shape):
        found[place] = mujoco.mj_ray(model, data, data.cam_xpos[camera], axes @ rays[place], groups, 1, -1, hit)
    return found


def test_every_pixel_is_as_far_as_a_ray_says(engine: Renderer) -> None:
    scene = SceneUnderTest(tasks.load_task("stack_blocks_two"), ROBOT, 0)
    ids = [scene.model.camera(name).id for name in CAMERAS]
    scene.env.world.render(CAMERAS, SIZE)  # sets the fields of view
    depth = engine.render(scene.model, scene.data, ids, SIZE, depth=True)[1]
    assert depth is not None and depth.dtype == np.float32
    for found, camera, k in zip(depth, ids, camera_intrinsics(ROBOT, CAMERAS, SIZE).values(), strict=True):
        truth = cast(scene.model, scene.data, camera, directions(k, SIZE))
        off = np.abs(found - truth)
        assert np.median(off) < 1e-4
        assert (off < 1e-3).mean() > 0.97  # the rest are edges, and round things that OpenGL draws with corners


def test_table_and_block_lie_where_the_scene_has_them(engine: Renderer) -> None:
    scene = SceneUnderTest(tasks.load_task("stack_blocks_two"), ROBOT, 0)
    scene.env.world.render(("head",), SIZE)
    depth = engine.render(scene.model, scene.data, [scene.model.camera("head").id], SIZE, depth=True)[1]
    assert depth is not None
    k, eye = camera_intrinsics(ROBOT, ("head",), SIZE)["head"], scene.env.world.camera_poses(("head",))["head"][0]
    local = directions(k, SIZE) * depth[0][..., None]
    world = (local - eye[:3, 3]) @ eye[:3, :3]
    table, _ = project_points([[0.0, 0.22, TABLE_HEIGHT_M]], k, eye)
    block = scene.body_pose("red")[:3] + np.array([0.0, 0.0, 0.05])  # a thing's frame lies under it
    top, _ = project_points(block[None], k, eye)
    for pixel, height in ((table, TABLE_HEIGHT_M), (top, block[2])):
        column, row = np.rint(pixel[0]).astype(int)
        np.testing.assert_allclose(world[row, column, 2], height, atol=1e-3)
        np.testing.assert_allclose(project_points(world[row, column][None], k, eye)[0][0], (column, row), atol=1e-3)
    assert abs(world[row, column, :2] - block[:2]).max() < 0.01  # a pixel is half a centimetre wide


def test_where_nothing_is_drawn_depth_is_zero() -> None:
    model = mujoco.MjModel.from_xml_string("""<mujoco><worldbody><geom type="box" size=".1 .1 .1"/>
        <camera pos="0 0 1" fovy="60"/></worldbody></mujoco>""")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    depth = GlRenderer().render(model, data, (0,), (32, 48), depth=True)[1]
    assert depth is not None
    assert set(np.unique(depth > 0.0)) == {False, True}
    np.testing.assert_allclose(depth[depth > 0.0], 0.9, atol=1e-4)
    sides = np.abs(directions(compute_intrinsics(np.deg2rad(60), (32, 48)), (32, 48))[..., :2]).max(-1) * 0.9
    np.testing.assert_array_equal(depth[0] > 0.0, sides < 0.1)


def look(depth: bool) -> Observation:
    """Return what two copies of a task see first."""
    env = Env(tasks.load_task("click_bell"), ROBOT, 2, CAMERAS, SIZE, depth=depth)
    env.reset((3, 4))
    env.step(np.zeros((2, 3, len(ROBOT.action_names))))  # the wrists move, each copy's alike
    seen = env.observe()
    env.close()
    return seen


def test_an_observation_has_depth_where_it_is_asked_for() -> None:
    without, seen = look(depth=False), look(depth=True)
    assert not without.depth and not without.intrinsics and not without.extrinsics
    for name in CAMERAS:
        np.testing.assert_array_equal(seen.images[name], without.images[name])
        assert seen.depth[name].shape == (2, *SIZE) and seen.depth[name].dtype == np.float32
        assert seen.extrinsics[name].shape == (2, 4, 4) and seen.intrinsics[name].shape == (3, 3)
    np.testing.assert_array_equal(seen.state, without.state)
    assert (seen.depth["head"][0] != seen.depth["head"][1]).any()  # the bells stand apart


def test_pictures_and_maps_do_not_depend_on_depth() -> None:
    one, other = (
        next(
            iter(
                record.record_episodes(
                    tasks.load_task("click_bell"), robots.load_robot("panda"), [1], size=(48, 64), depth=depth
                )
            )
        )
        for depth in (False, True)
    )
    assert not one.depth and set(other.depth) == set(one.images)
    for name in one.images:
        np.testing.assert_array_equal(one.images[name], other.images[name])
        np.testing.assert_array_equal(one.maps[name], other.maps[name])
        assert other.depth[name].shape == other.images[name].shape[:3]
        assert not (other.visible[name] & ~one.visible[name]).any()  # depth can only hide
