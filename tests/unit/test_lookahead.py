"""What a grasp costs for what the plan does next, on an arm whose joints are the place of its tool."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.expert.lookahead import JOINT_LIMIT_MARGIN_RAD, JOINT_LIMIT_PENALTY_RAD, compute_lookahead_cost
from sim.geometry import make_pose

REACH = 2.0
Floats = NDArray[np.float64]


class SlidingChain:
    """Three sliding joints, one along each axis of the world."""

    lower_limits, upper_limits = np.full(3, -REACH), np.full(3, REACH)
    start_postures = np.zeros((1, 3))

    def solve_ik(self, goals: Floats, starts: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return where the tool must be, and whether it can."""
        return goals[:, :3].copy(), np.all(np.abs(goals[:, :3]) <= REACH, axis=1)


def cost_of(*ways: tuple[float, ...]) -> float:
    """Return the cost of bringing an object along x from 0 to one of several places, one after the other."""
    context: Any = SimpleNamespace(world=SimpleNamespace(body_pose=lambda name: make_pose((0.0, 0.0, 0.0))))
    controller: Any = SimpleNamespace(chain=SlidingChain())
    subgoals = [(np.stack([make_pose((x, 0.0, 0.0)) for x in places]), []) for places in ways]
    hand, q = make_pose((0.0, 0.0, 0.1))[None], np.array([[0.0, 0.0, 0.1]])
    return float(compute_lookahead_cost(context, controller, "cup", subgoals, hand, q)[0])


def test_all_moves_that_follow_count_each_from_where_the_one_before_ends() -> None:
    assert cost_of((0.5,), (-0.2,)) == pytest.approx(0.5 + 0.7)
    assert cost_of((0.5, 0.1), (0.6,)) == pytest.approx(0.1 + 0.5)  # the nearer of two places is taken


def test_one_move_out_of_reach_makes_all_impossible() -> None:
    assert cost_of((REACH + 0.1,), (0.1,)) == np.inf == cost_of((0.1,), (REACH + 0.1,))
    assert cost_of((REACH + 0.1, 0.3), (0.1,)) == pytest.approx(0.3 + 0.2)


def test_the_end_of_a_joints_range_is_shunned() -> None:
    at_limit = REACH - JOINT_LIMIT_MARGIN_RAD / 2
    assert cost_of((at_limit,)) == pytest.approx(at_limit + JOINT_LIMIT_PENALTY_RAD) == cost_of((-at_limit,))
    assert cost_of((REACH - 1.5 * JOINT_LIMIT_MARGIN_RAD,)) == pytest.approx(REACH - 1.5 * JOINT_LIMIT_MARGIN_RAD)
    assert cost_of((at_limit, -1.9 + JOINT_LIMIT_MARGIN_RAD)) == pytest.approx(1.9 - JOINT_LIMIT_MARGIN_RAD)
