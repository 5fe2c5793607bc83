"""What the plan does next with a thing, what is behind it, and what a grasp costs for it; arms made by hand."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.expert import skills
from sim.expert.executor import _find_pick_index
from sim.expert.lookahead import (
    JOINT_LIMIT_MARGIN_RAD,
    JOINT_LIMIT_PENALTY_RAD,
    build_move_offset,
    build_shake_offsets,
    compute_lookahead_cost,
    find_remaining_uses,
)
from sim.geometry import make_pose, quat_to_rotation_vector
from sim.task.spec import Skill

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


def test_a_shake_swings_to_either_side_of_the_rolled_hand() -> None:
    tool = make_pose((0.1, 0.2, 0.3))
    ends = [offset(tool) for offset in build_shake_offsets(0.05, 0.4, 1.0)]
    np.testing.assert_allclose([end[:3] for end in ends], tool[:3] + np.outer([0, 0, 0.05, -0.05], (0, 0, 1)))
    np.testing.assert_allclose([quat_to_rotation_vector(end[3:])[2] for end in ends], [0.5, 1.0, 1.4, 0.6])


@pytest.mark.parametrize(("side", "mirror", "sign"), [(1.0, "a", 1), (-1.0, "a", -1), (-1.0, "", 1)])
def test_a_way_is_mirrored_across_the_table_where_a_role_is_named_that_acts_on_the_left(
    side: float, mirror: str, sign: int
) -> None:
    context: Any = SimpleNamespace(world=SimpleNamespace(side_sign=lambda role: side))
    tool = make_pose((0.1, 0.2, 0.3), (0.0, 1.0, 0.0, 0.0))
    moved = build_move_offset(context, (0.05, 0.07, -0.02), mirror)(tool)
    np.testing.assert_allclose(moved, [0.1 + sign * 0.05, 0.27, 0.28, *tool[3:]])


CARRY, PLACE = Skill("carry", {"arm": "a", "obj": "cup"}), Skill("place", {"arm": "a", "obj": "cup", "on": "tray.top"})
OTHER, TRAY = Skill("pick", {"arm": "b", "obj": "cup"}), Skill("place", {"arm": "b", "obj": "tray"})
LET_GO, BACK = Skill("release", {"arm": "a"}), Skill("home", {"arm": "b"})


@pytest.mark.parametrize(
    ("plan", "uses"),
    [
        ((CARRY, PLACE, CARRY), [CARRY, PLACE]),  # set down is set down
        ((CARRY, OTHER, PLACE), [CARRY]),  # the other hand takes it
        ((CARRY, LET_GO, PLACE), [CARRY]),
        ((CARRY, BACK, PLACE), [CARRY, PLACE]),  # what the other arm does is no matter
        ((TRAY, CARRY, PLACE), [CARRY]),  # nobody knows yet where the tray will be
        ((dataclasses.replace(TRAY, alongside=(CARRY,)), PLACE), [CARRY]),
    ],
)
def test_what_a_hand_will_do_with_a_thing_ends_where_it_lets_go(plan: tuple[Skill, ...], uses: list[Skill]) -> None:
    context: Any = SimpleNamespace(upcoming_skills=plan, find_controller=lambda role: role)
    assert find_remaining_uses(context, "a", "cup") == uses


def test_a_dropped_thing_is_picked_where_it_was_picked_last() -> None:
    pick = Skill("pick", {"arm": "a", "obj": "cup"})
    plan = (pick, PLACE, Skill("pick", {"arm": "a", "obj": "tray"}), pick, CARRY, PLACE)
    assert [_find_pick_index(plan, k) for k in range(6)] == [0, 0, 2, 0, 3, 3]


@pytest.mark.parametrize(("held", "done"), [("cup", False), ("tray", True), ("", True)])
def test_what_is_still_in_a_hand_is_not_placed(held: str, done: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skills, "build_goal", lambda skill: SimpleNamespace(is_reached=lambda context: True))
    hands = {"left": SimpleNamespace(held_body=held)}
    context: Any = SimpleNamespace(controllers=hands, object_predicates_hold=lambda obj: True)
    assert skills.is_skill_achieved(PLACE, context) == done
