"""Success of real scenes, put by hand just inside and just outside a threshold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from scenes import SceneUnderTest

from sim import robots, tasks

MARGIN = 1e-6
PutSo = Callable[[SceneUnderTest, float], None]


def place_cup(scene: SceneUnderTest, off: float) -> None:
    scene.put("cup", scene.frame_pose("coaster.top")[:3] + off * np.array((0.6, 0.8, 0.0)))


def stack_green(scene: SceneUnderTest, off: float) -> None:
    scene.put("red", (0.0, -0.1, 0.74))
    scene.put("green", (0.0, -0.1 + off, 0.79))


def line_up(scene: SceneUnderTest, off: float) -> None:
    scene.put("red", (-off, -0.1, 0.74))
    scene.put("green", (0.0, -0.1, 0.74))
    scene.put("blue", (0.1, -0.1, 0.74))


def line_up_in_depth(scene: SceneUnderTest, off: float) -> None:
    scene.put("red", (-0.1, -0.1, 0.74))
    scene.put("green", (0.0, -0.1 + off, 0.74))
    scene.put("blue", (0.1, -0.1 + off, 0.74))


@pytest.mark.parametrize(("name", "put_so", "limit"), [
    ("place_empty_cup", place_cup, 0.035),
    ("stack_blocks_two", stack_green, 0.025),
    ("blocks_ranking_rgb", line_up, 0.13),
    ("blocks_ranking_rgb", line_up_in_depth, 0.03),
])  # fmt: skip
@pytest.mark.parametrize("robot", robots.list_robots())
def test_a_real_scene_is_solved_up_to_the_threshold(name: str, put_so: PutSo, limit: float, robot: str) -> None:
    scene = SceneUnderTest(tasks.load_task(name), robots.load_robot(robot), 0)
    assert not scene.solved()
    put_so(scene, limit - MARGIN)
    assert scene.solved()
    put_so(scene, limit + MARGIN)
    assert not scene.solved()
    put_so(scene, limit - MARGIN)
    shut = np.zeros(len(scene.env.robot.action_limits))
    kept = scene.env.world.save()
    scene.env.world.restore({0: dataclasses.replace(kept[0], command=shut)})  # grippers commanded shut, nothing moved
    assert not scene.solved()


def test_a_real_row_must_be_in_order() -> None:
    scene = SceneUnderTest(tasks.load_task("blocks_ranking_rgb"), robots.load_robot("panda"), 0)
    for off, right in ((MARGIN, True), (-MARGIN, False)):
        line_up(scene, off)
        assert scene.solved() is right
