"""Success of real scenes, put by hand just inside and just outside a threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from sim import robots, tasks
from sim.geometry import make_pose
from sim.task.predicates import evaluate_success
from sim.world.mujoco import Copy
from sim.world.state import Facts

MARGIN = 1e-6
PutSo = Callable[[Copy, float], None]


def put(copy: Copy, name: str, where: Sequence[float]) -> None:
    """Set a free body's base at a place (world), upright."""
    joint = copy.data.joint(f"{name}.free")
    joint.qpos[:] = make_pose(where)
    copy.refresh()


def solved(copy: Copy) -> bool:
    latches = np.zeros((1, len(copy.task.success)), bool)
    return bool(evaluate_success(copy.task, Facts([copy]), latches)[0][0])


def place_cup(copy: Copy, off: float) -> None:
    put(copy, "cup", copy.point("coaster.top")[:3] + off * np.array((0.6, 0.8, 0.0)))


def stack_green(copy: Copy, off: float) -> None:
    put(copy, "red", (0.0, -0.1, 0.74))
    put(copy, "green", (0.0, -0.1 + off, 0.79))


def line_up(copy: Copy, off: float) -> None:
    put(copy, "red", (-off, -0.1, 0.74))
    put(copy, "green", (0.0, -0.1, 0.74))
    put(copy, "blue", (0.1, -0.1, 0.74))


def line_up_in_depth(copy: Copy, off: float) -> None:
    put(copy, "red", (-0.1, -0.1, 0.74))
    put(copy, "green", (0.0, -0.1 + off, 0.74))
    put(copy, "blue", (0.1, -0.1 + off, 0.74))


@pytest.mark.parametrize(("name", "put_so", "limit"), [
    ("place_empty_cup", place_cup, 0.035),
    ("stack_blocks_two", stack_green, 0.025),
    ("blocks_ranking_rgb", line_up, 0.13),
    ("blocks_ranking_rgb", line_up_in_depth, 0.03),
])  # fmt: skip
@pytest.mark.parametrize("robot", robots.list_robots())
def test_a_real_scene_is_solved_up_to_the_threshold(name: str, put_so: PutSo, limit: float, robot: str) -> None:
    copy = Copy(tasks.load_task(name), robots.load_robot(robot), 0)
    assert not solved(copy)
    put_so(copy, limit - MARGIN)
    assert solved(copy)
    put_so(copy, limit + MARGIN)
    assert not solved(copy)
    put_so(copy, limit - MARGIN)
    copy.command(np.zeros(len(copy.action)))  # grippers shut
    assert not solved(copy)


def test_a_real_row_must_be_in_order() -> None:
    copy = Copy(tasks.load_task("blocks_ranking_rgb"), robots.load_robot("panda"), 0)
    for off, right in ((MARGIN, True), (-MARGIN, False)):
        line_up(copy, off)
        assert solved(copy) is right
