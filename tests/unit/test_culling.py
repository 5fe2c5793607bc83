"""Frustum culling: what a camera does not see is not submitted to the rasteriser."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from sim import robots, tasks
from sim.envs.env import Env
from sim.world import render_gl
from sim.world.mujoco import MujocoWorld


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (96, 48)])
def test_culling_changes_no_pixel(needs_opengl: None, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    """Geoms that a camera does not see are left out; arms wander so that they leave and enter the views."""
    env = Env(
        tasks.load_task("place_empty_cup"), robots.load_robot("aloha"), 2, size=size, variation="random", depth=True
    )
    env.reset(range(2))
    find_geoms_in_view, culled = render_gl._find_geoms_in_view, []

    def count_culled(model: mujoco.MjModel, data: mujoco.MjData, camera: int, aspect: float) -> NDArray[np.bool_]:
        visible = find_geoms_in_view(model, data, camera, aspect)
        culled.append(np.count_nonzero(~visible))
        return visible

    rng = np.random.default_rng(0)
    for _ in range(5):
        monkeypatch.setattr(render_gl, "_find_geoms_in_view", count_culled)
        seen = env.observe()
        monkeypatch.setattr(render_gl, "_find_geoms_in_view", lambda model, *_: np.ones(model.ngeom, bool))
        whole = env.observe()
        for camera in env.cameras:
            np.testing.assert_array_equal(seen.images[camera], whole.images[camera])
            np.testing.assert_array_equal(seen.depth[camera], whole.depth[camera])
        home = np.array(env.robot.home_action)
        env.step(home + rng.normal(0.0, 0.4, (2, 10, len(home))))
    assert np.mean(culled) > 20
    assert isinstance(env.world, MujocoWorld)
    assert not env.world.mujoco_pair(0)[0].geom_group.any()
    env.close()
