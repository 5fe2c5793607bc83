"""The ray tracer draws what OpenGL draws, and follows every number of a model that changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from sim.scene import textures
from sim.types import UserError
from sim.world.render_gl import GlRenderer
from sim.world.render_raytrace import RayRenderer

CODE = """<mujoco><visual><headlight ambient=".3 .3 .3" diffuse=".4 .4 .4" specular="0 0 0"/>
<map znear="0.01" zfar="10"/></visual><statistic extent="1" center="0 0 0.8"/>
<asset><material name="red" rgba=".8 .2 .2 1" specular=".3" shininess=".4"/></asset><worldbody>
<light type="directional" pos="0 0 3" dir=".3 .2 -1" diffuse=".4 .4 .4" specular="0 0 0" castshadow="false"/>
<geom type="box" size="2 2 .1" pos="0 0 -.1" rgba=".4 .4 .45 1"/>
<geom name="table" type="box" size=".6 .35 .02" pos="0 0 .7" rgba=".75 .7 .6 1"/>
<geom type="box" size=".02 .2 .3" pos="0 0 1" rgba="1 0 0 0"/>
<geom type="box" size=".02 .2 .3" pos=".2 0 1" rgba="1 0 0 1" group="3"/>
<body name="cup" pos=".1 .05 .77"><freejoint/><geom name="cup" type="cylinder" size=".03 .05" material="red"/></body>
<body pos="-.15 .1 .75"><geom type="sphere" size=".03" rgba=".1 .8 .2 1"/></body>
<body pos="-.05 -.1 .75" euler="90 20 0"><geom type="capsule" size=".02 .06" rgba=".1 .2 .8 1"/></body>
<body pos=".25 -.1 .76"><geom type="ellipsoid" size=".05 .03 .04" rgba=".8 .8 .2 1"/></body>
<camera pos="-.03 -.45 1.35" xyaxes="1 0 0 0 .8 .6" fovy="45"/>
<camera pos=".3 -.3 1" xyaxes="1 .5 0 -.3 .6 .6" fovy="60"/>
<camera pos="-.3 -.3 1" xyaxes="1 -.5 0 .3 .6 .6" fovy="75"/></worldbody></mujoco>"""
FLOOR = '<geom type="box" size="2 2 .1" pos="0 0 -.1" rgba=".4 .4 .45 1"/>'
SIZE = (96, 128)
CAMERAS = (0, 1, 2)


def scene(code: str = CODE) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Return a small table scene with every primitive, at rest."""
    model = mujoco.MjModel.from_xml_string(code)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


@pytest.fixture(scope="module")
def rays() -> RayRenderer:
    """Return one ray tracer for all tests: its kernel takes seconds to compile."""
    pytest.importorskip("mujoco_warp", reason="the raytrace extra is not installed")
    return RayRenderer()


@pytest.fixture(scope="module")
def gl() -> Iterator[GlRenderer]:
    """Return OpenGL's renderer."""
    yield GlRenderer()


def in_gl(gl: GlRenderer, model: mujoco.MjModel, data: mujoco.MjData) -> tuple[NDArray, NDArray]:
    """Return pictures and depths of each camera drawn for itself, so that the headlight is its own."""
    drawn = [gl.render(model, data, (camera,), SIZE, depth=True) for camera in CAMERAS]
    return np.concatenate([d[0] for d in drawn]), np.concatenate([d[1] for d in drawn if d[1] is not None])


def near_differences(a: NDArray, b: NDArray, reach: int) -> NDArray:
    """Return how far (c h w) each pixel of `a` is outside the values that `b` takes within `reach` pixels of it."""
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    worst = []
    for one, other in zip(a.astype(np.float32), b.astype(np.float32), strict=True):
        above, below = one - cv2.dilate(other, kernel), cv2.erode(other, kernel) - one
        worst.append(np.maximum(np.maximum(above, below), 0.0))
    stacked = np.stack(worst)
    return stacked.max(-1) if stacked.ndim == 4 else stacked


def test_agrees_with_opengl(rays: RayRenderer, gl: GlRenderer) -> None:
    model, data = scene()
    ours, our_depth = rays.render(model, data, CAMERAS, SIZE, depth=True)
    theirs, their_depth = in_gl(gl, model, data)
    assert ours.dtype == np.uint8 and ours.shape == (3, *SIZE, 3)
    assert our_depth is not None and our_depth.dtype == np.float32 and our_depth.shape == (3, *SIZE)
    assert theirs.std() > 20  # there is something to agree on
    assert np.abs(ours.astype(int) - theirs).mean() < 1.5
    assert np.median(np.abs(ours.astype(int) - theirs)) <= 1.0
    # every edge is where OpenGL has it, to a pixel
    for a, b in ((ours, theirs), (theirs, ours)):
        assert (near_differences(a, b, 1) > 16).mean() < 1e-3
    assert (near_differences(our_depth, their_depth, 1) > 0.005).mean() < 1e-3
    both = (our_depth > 0.0) & (their_depth > 0.0)
    np.testing.assert_allclose(np.median(our_depth[both] / their_depth[both]), 1.0, atol=1e-4)


def test_a_shift_by_two_pixels_would_be_noticed(rays: RayRenderer, gl: GlRenderer) -> None:
    model, data = scene()
    ours, _ = rays.render(model, data, CAMERAS, SIZE)
    theirs, _ = in_gl(gl, model, data)
    assert (near_differences(np.roll(ours, 2, axis=2), theirs, 1) > 16).mean() > 4e-3


def test_without_depth_the_picture_is_the_same(rays: RayRenderer) -> None:
    model, data = scene()
    with_depth, _ = rays.render(model, data, CAMERAS, SIZE, depth=True)
    without, none = rays.render(model, data, CAMERAS, SIZE)
    assert none is None
    np.testing.assert_array_equal(with_depth, without)


def test_cameras_come_in_the_order_asked_for(rays: RayRenderer) -> None:
    model, data = scene()
    every, _ = rays.render(model, data, CAMERAS, SIZE)
    turned, _ = rays.render(model, data, (2, 0), SIZE)
    np.testing.assert_array_equal(turned, every[[2, 0]])


def test_sky_has_no_depth(rays: RayRenderer, gl: GlRenderer) -> None:
    model, data = scene(CODE.replace(FLOOR, ""))
    pictures, depth = rays.render(model, data, CAMERAS, SIZE, depth=True)
    _, their_depth = in_gl(gl, model, data)
    assert depth is not None
    missed = depth == 0.0
    assert missed.any() and not pictures[missed].any()
    assert (missed != (their_depth == 0.0)).mean() < 0.02


CHANGES = {
    "size": lambda model, data: model.geom("cup").size.__setitem__(slice(2), (0.05, 0.08)),
    "colour": lambda model, data: model.geom("table").rgba.__setitem__(slice(3), (0.2, 0.6, 0.9)),
    "material": lambda model, data: model.mat_rgba.__setitem__((0, slice(3)), (0.2, 0.6, 0.9)),
    "place": lambda model, data: data.qpos.__setitem__(slice(2), (-0.2, -0.1)),
    "field of view": lambda model, data: model.cam_fovy.__setitem__(slice(None), 90.0),
    "camera": lambda model, data: model.cam_pos.__setitem__((slice(None), 2), 1.5),
    "light": lambda model, data: model.light_diffuse.__setitem__(slice(None), 0.05),
    "highlight": lambda model, data: model.light_specular.__setitem__(slice(None), 0.9),
    "kind of light": lambda model, data: model.light_type.__setitem__(0, mujoco.mjtLightType.mjLIGHT_SPOT),
    "light's direction": lambda model, data: model.light_dir.__setitem__((0, 0), -0.8),
    "headlight": lambda model, data: model.vis.headlight.ambient.__setitem__(slice(None), 0.1),
    "kind": lambda model, data: model.geom_type.__setitem__(model.geom("cup").id, mujoco.mjtGeom.mjGEOM_BOX),
}


@pytest.mark.slow  # some changes compile a kernel, for seconds
@pytest.mark.parametrize("change", CHANGES)
def test_follows_a_change(change: str, rays: RayRenderer) -> None:
    model, data = scene()
    before, _ = rays.render(model, data, CAMERAS, SIZE)
    CHANGES[change](model, data)
    mujoco.mj_forward(model, data)
    after, _ = rays.render(model, data, CAMERAS, SIZE)
    assert np.abs(after.astype(int) - before).mean() > 0.3
    np.testing.assert_array_equal(after, RayRenderer().render(model, data, CAMERAS, SIZE)[0])


def test_a_plane_looks_like_the_top_of_a_box(rays: RayRenderer) -> None:
    plane = '<geom type="plane" size="2 2 .1" rgba=".4 .4 .45 1"/>'
    pictures = [rays.render(*scene(CODE.replace(FLOOR, floor)), CAMERAS, SIZE)[0] for floor in (FLOOR, plane)]
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() < 0.1


def test_two_models_take_turns(rays: RayRenderer) -> None:
    one, other = scene(), scene(CODE.replace('size=".03 .05"', 'size=".05 .08"'))
    first = [rays.render(*pair, CAMERAS, SIZE)[0] for pair in (one, other)]
    again = [rays.render(*pair, CAMERAS, SIZE)[0] for pair in (one, other)]
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).any()


def test_threads_take_turns(rays: RayRenderer) -> None:
    scenes = [scene(), scene(CODE.replace('size=".03 .05"', 'size=".05 .08"'))] * 2
    alone = [rays.render(*pair, CAMERAS, SIZE)[0] for pair in scenes]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: rays.render(*pair, CAMERAS, SIZE)[0], scenes))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("flag", ['autoreset="disable"', 'energy="enable"', 'invdiscrete="enable"', 'fwdinv="enable"'])
def test_options_of_physics_change_no_image(flag: str, rays: RayRenderer) -> None:
    plain, _ = rays.render(*scene(), CAMERAS, SIZE)
    model, data = scene(CODE.replace("<mujoco>", f"<mujoco><option><flag {flag}/></option>", 1))
    before = int(model.opt.disableflags), int(model.opt.enableflags)
    np.testing.assert_array_equal(
        RayRenderer().render(model, data, CAMERAS, SIZE)[0], plain
    )  # one that knows no structure
    assert (int(model.opt.disableflags), int(model.opt.enableflags)) == before != (0, 0)


def test_it_says_what_draws(rays: RayRenderer) -> None:
    assert rays.info.name == "raytrace" and rays.info.vendor == "mujoco-warp" and rays.info.version


def test_what_it_cannot_draw_is_refused(rays: RayRenderer) -> None:
    asset = '<asset><mesh name="m" vertex="0 0 0 1 0 0 0 1 0 0 0 1"/></asset><worldbody><geom type="mesh" mesh="m"/>'
    model, data = scene(CODE.replace("<worldbody>", asset, 1))
    with pytest.raises(UserError, match="planes, spheres"):
        rays.render(model, data, CAMERAS, SIZE)


def test_a_textured_table_is_drawn_in_its_mean_colour(rays: RayRenderer, gl: GlRenderer) -> None:
    name = "eval/dots-00"
    colour = " ".join(str(value) for value in textures.compute_mean_colour(name))
    table = f'rgba="{colour} 1" user="{textures.get_texture_id(name, "table")}"'
    code = CODE.replace("<mujoco>", '<mujoco><size nuser_geom="1"/>', 1).replace('rgba=".75 .7 .6 1"', table)
    model, data = scene(code)
    ours, _ = rays.render(model, data, CAMERAS, SIZE)
    theirs, _ = in_gl(gl, model, data)
    assert np.abs(ours.astype(int) - theirs).mean() > 5  # OpenGL drew the dots
    np.testing.assert_allclose(ours[0].mean(axis=(0, 1)), theirs[0].mean(axis=(0, 1)), atol=8)  # dots, cut by edges


def test_the_missing_extra_is_named() -> None:
    code = "import sys; sys.modules['mujoco_warp'] = None\nfrom sim.world.render_raytrace import RayRenderer as R\nR()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode and "aim-world-action[raytrace]" in run.stderr
