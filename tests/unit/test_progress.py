"""Stages of a plan, each with a grade that leads on: what is graded, from where, and out of how much."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scenes import CLOSED, GRIP, make_grip_task

from sim.task.condition import Evaluation
from sim.task.predicates import PredicateView
from sim.task.progress import PlanProgress, measure_carry, measure_pick, measure_place, measure_press, measure_turn
from sim.task.spec import Skill

FAR_AWAY = np.array((9.0, 9.0, 9.0))
LID = {"arm": GRIP, "joint": "laptop.hinge"}


def make_view(**answers: object) -> PredicateView:
    """Return a view that knows no more than these answers."""
    return cast("PredicateView", SimpleNamespace(**answers))


def see_joint(start: float, *now: float) -> PredicateView:
    """Return a view of worlds in which a joint began at one fraction of its range and stands at others."""
    n, corner = len(now), np.zeros((len(now), 3))
    return make_view(
        initial_joint_fraction=lambda name: np.full(n, start),
        joint_fraction=lambda name: np.array(now),
        part_of_joint=lambda name: "laptop.lid",
        bounds=lambda body: (corner, corner),
        pose=lambda body: np.tile((0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0), (n, 1)),
        tool_positions=lambda arm: np.tile(FAR_AWAY, (n, 1, 1)),
    )


@pytest.mark.parametrize(
    ("start", "to", "now"),
    [(0.8, 0.0, (0.8, 0.4, 0.05)), (0.0, 0.5, (0.0, 0.25, 0.46)), (0.6, 0.2, (0.9, 0.4, 0.21))],
    ids=["shut", "open", "half shut"],
)
def test_a_turn_is_graded_by_the_way_from_where_the_joint_stood(
    start: float, to: float, now: tuple[float, float, float]
) -> None:
    measure = measure_turn(see_joint(start, *now), {**LID, "to": to})
    reach = measure.grade[0]  # all that there is before the joint moves
    assert measure.done.tolist() == [False, False, True] and 0.0 < reach < 0.01
    assert measure.grade[1] == pytest.approx(0.5, abs=1e-6) and measure.grade[2] > 0.9


def test_turning_back_to_where_a_joint_stood_counts_once_it_is_there() -> None:
    """A stage that returns a joint to its place at reset is not done as long as the joint is elsewhere."""
    measure = measure_turn(see_joint(0.2, 0.9, 0.2), {**LID, "to": 0.2})
    assert measure.done.tolist() == [False, True]
    assert measure.grade[0] < measure.grade[1]


def test_a_joint_that_stands_where_it_is_wanted_is_turned() -> None:
    assert measure_turn(see_joint(0.5, 0.5), {**LID, "to": 0.5}).done.all()


@pytest.mark.parametrize("measure", [measure_place, measure_carry])
@pytest.mark.parametrize("place", [{"on": "tray"}, {"to": (0.2, 0.1, 0.0)}], ids=["on", "to"])
def test_a_place_is_mirrored_whole_where_the_role_acts_on_the_left(
    measure: Callable[..., Any], place: dict[str, Any]
) -> None:
    """Both worlds have the cup where the plan wants it, the second on the left; a third has it where the first has."""
    sides, offset = np.array((1.0, -1.0, -1.0)), np.array((0.1, 0.02, 0.03))
    tray = np.array([(0.3 * side, 0.0, 0.74) for side in sides])
    goal = tray if "on" in place else np.array([(0.2 * side, 0.1, 0.74) for side in sides])
    cup = goal + np.array([offset * (side, 1, 1) for side in (1.0, -1.0, 1.0)])
    view = SimpleNamespace(
        side_sign=lambda role: sides,
        table_origin=lambda: np.tile((0.0, 0.0, 0.74), (3, 1)),
        position=lambda name: cup if name.startswith("cup") else tray,
        pose=lambda name: np.concatenate([cup, np.tile((1.0, 0.0, 0.0, 0.0), (3, 1))], axis=1),
        bounds=lambda body: (np.zeros((3, 3)), np.zeros((3, 3))),
        tool_positions=lambda arm: np.tile(FAR_AWAY, (3, 1, 1)),
        gripper_contacts=lambda arm, obj: (np.arange(3), np.zeros(3, int), cup),
    )
    found = measure(view, {"arm": GRIP, "obj": "cup", "mirror": GRIP, "offset": tuple(offset), "hold": True, **place})
    assert found.done.tolist() == [True, True, False]


def test_the_potential_is_out_of_the_stages_that_are_for_the_scene() -> None:
    """Where one of two stages is about an object that is absent, the other is worth as much as the end."""
    plan = PlanProgress(make_grip_task(CLOSED))
    plan.stages = ((Skill("release", {"arm": GRIP}),),) * 2
    applies = np.array([[True, True], [True, False], [False, True]])
    evaluation = Evaluation(np.full((3, 1), -1.0), np.zeros((3, 1), bool))
    end = float(evaluation.scores[0, 0])

    def see(opening: float) -> PredicateView:
        return make_view(gripper_openings=lambda arm: np.full((3, 1), opening))

    stage, potential = plan.begin(see(0.3), applies, evaluation)
    np.testing.assert_allclose(potential, [0.3 / 3, 0.3 / 2, 0.3 / 2])
    stage, potential = plan.advance(see(1.0), applies, stage, evaluation)
    assert stage.tolist() == [1, 1, 1]
    np.testing.assert_allclose(potential, [(1 + 1.0) / 3, (1 + end) / 2, (1 + end) / 2])


def see_touch(*spots: tuple[float, float, float] | None, opening: float = 0.0, rise: float = 0.0) -> PredicateView:
    """Return a view of worlds whose gripper touches a thing, which stands at the origin, at a spot or not at all."""
    worlds = np.array([i for i, spot in enumerate(spots) if spot is not None], int)
    positions = np.array([spot for spot in spots if spot is not None], float).reshape(-1, 3)
    n = len(spots)
    pose = np.tile((0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0), (n, 1))
    return make_view(
        table_origin=lambda: np.zeros((n, 3)),
        bounds=lambda body: (np.zeros((n, 3)), np.zeros((n, 3))),
        pose=lambda name: pose,
        position=lambda name: pose[:, :3] + (0.0, 0.0, rise),
        initial_pose=lambda name: pose,
        tool_positions=lambda arm: np.zeros((n, 1, 3)),
        gripper_openings=lambda arm: np.full((n, 1), opening),
        gripper_contacts=lambda arm, obj: (worlds, np.zeros(len(worlds), int), positions),
    )


def test_a_press_takes_closed_fingers_on_the_spot() -> None:
    args, spots = {"arm": GRIP, "point": "bell.top"}, ((0.0, 0.0, 0.01), (0.0, 0.0, 0.1), None)
    assert measure_press(see_touch(*spots), args).done.tolist() == [True, False, False]
    assert not measure_press(see_touch(*spots, opening=1.0), args).done.any()


def test_a_pick_takes_a_hand_on_the_thing_and_height() -> None:
    args, spots = {"arm": GRIP, "obj": "cup", "lift": 0.1}, ((0.0, 0.0, 0.0), None)
    assert measure_pick(see_touch(*spots, rise=0.06), args).done.tolist() == [True, False]  # the other was tossed
    assert not measure_pick(see_touch(*spots, rise=0.04), args).done.any()
    assert measure_pick(see_touch(*spots), {**args, "lift": 0.0}).done.tolist() == [True, False]


def test_of_skills_at_once_those_about_an_absent_thing_do_not_count() -> None:
    plan = PlanProgress(make_grip_task(CLOSED))
    plan._optional = {"hat"}
    plan.stages = ((Skill("release", {"arm": "l"}), Skill("release", {"arm": "r", "obj": "hat"})),)
    view: Any = SimpleNamespace(
        present=lambda name: np.array([True, False]),
        table_origin=lambda: np.zeros((2, 3)),
        gripper_openings=lambda arm: np.full((2, 1), {"l": 1.0, "r": 0.2}[arm]),
    )
    evaluation = Evaluation(np.full((2, 1), -1.0), np.zeros((2, 1), bool))
    applies = plan.find_applicable(view)
    assert applies.tolist() == [[True], [True]]
    stage, _ = plan.begin(view, applies, evaluation)
    stage, potential = plan.advance(view, applies, stage, evaluation)
    assert stage.tolist() == [0, 1]
    np.testing.assert_allclose(potential, [(1.0 + 0.2) / 2 / 2, (1 + evaluation.scores[1, 0]) / 2])


def test_a_thing_is_carried_only_by_a_hand_that_touches_it() -> None:
    """It may lie where it is wanted: nobody carries it there."""
    held, lying = (0.0, 0.0, 0.0), None
    found = measure_carry(see_touch(held, lying), {"arm": GRIP, "obj": "cup", "to": (0.0, 0.0, 0.0)})
    assert found.done.tolist() == [True, False]
