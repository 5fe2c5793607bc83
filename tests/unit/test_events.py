"""Each rule of the gripper, just inside and just outside, on small streams made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from event_film import BODIES, Film, carry, put_down
from numpy.typing import NDArray

from sim.episodes import gripper_events as rules
from sim.episodes.contact_history import MAX_CONTACT_GAP_STEPS, find_spans
from sim.episodes.events import find_events
from sim.types import CONTACT_DTYPE, UserError


def test_nothing_happens_in_an_empty_stream() -> None:
    assert Film().events() == ()


def test_pick_is_at_the_first_step_of_the_grasp_with_its_points() -> None:
    film = Film()
    film.pose[:, BODIES.index("cup"), :3] = (0.1, 0.2, 0.7)
    film.pose[:, BODIES.index("cup"), 3:] = (np.sqrt(0.5), 0, 0, np.sqrt(0.5))  # yaw 90 degrees
    film.grasp("left", range(20, 51), at=(0.1, 0.2, 0.75))
    film.touch("left/hand", "cup", range(20, 51), (0.1, 0.2, 0.9))  # the palm is no finger
    film.move(["cup", "left/hand"], 25, 45, (0, 0, 0.1))
    (pick,) = film.events()
    assert (pick.kind, pick.step, pick.arm, pick.reference_body, pick.channel) == ("pick", 20, "left", "cup", 0)
    assert pick.points.dtype == np.float32
    expected = np.array([[0, -0.02, 0.05], [0, 0.02, 0.05]])  # world x is the turned cup's -y
    np.testing.assert_allclose(sorted(pick.points.tolist(), key=lambda p: p[1]), expected, atol=1e-6)


def test_one_finger_is_no_pick() -> None:
    film = Film()
    film.touch("left/finger0", "cup", range(20, 51))
    film.move(["cup", "left/hand"], 25, 45, (0, 0, 0.1))
    assert film.found() == []


def test_two_fingers_of_different_arms_are_no_pick() -> None:
    film = Film()
    film.touch("left/finger0", "cup", range(20, 51))
    film.touch("right/finger1", "cup", range(20, 51))
    film.move(["cup", "left/hand", "right/hand"], 25, 45, (0, 0, 0.1))
    assert film.found() == []


@pytest.mark.parametrize(("height", "picked"), [(0.009, False), (0.011, True)])
def test_pick_needs_the_object_to_leave_its_place(height: float, picked: bool) -> None:
    film = Film()
    carry(film, by=(0, 0, height))
    assert bool(film.found()) == picked


@pytest.mark.parametrize(("length", "picked"), [(rules.MIN_GRASP_STEPS - 1, False), (rules.MIN_GRASP_STEPS, True)])
def test_pick_needs_a_tenth_of_a_second(length: int, picked: bool) -> None:
    film = Film()
    film.grasp("left", range(20, 20 + length + 1))
    film.move(["cup", "left/hand"], 20, 24, (0, 0, 0.1))
    assert [e[0] for e in film.found()] == ["pick"] * picked


@pytest.mark.parametrize(("hand", "picked"), [(0.04, False), (0.06, True)])
def test_pick_needs_the_object_to_stay_in_the_hand(hand: float, picked: bool) -> None:
    film = Film()
    film.grasp("left", range(20, 51))
    film.move(["cup"], 25, 45, (0.1, 0, 0))
    film.move(["left/hand"], 25, 45, (hand, 0, 0))
    assert bool(film.found()) == picked


@pytest.mark.parametrize(("angle", "picked"), [(0.0, True), (1.0, False)])
def test_a_tumbling_object_is_not_held(angle: float, picked: bool) -> None:
    film = Film()
    carry(film)
    film.pose[25:, BODIES.index("cup"), 3:] = (np.cos(angle / 2), np.sin(angle / 2), 0, 0)
    assert bool(film.found()) == picked


@pytest.mark.parametrize("hand_to_grip_m", [0.0, 0.1, 0.2])
def test_a_thing_that_swings_about_the_fingertips_is_carried(hand_to_grip_m: float) -> None:
    """Slip is how far the thing's origin moves in the hand's frame, however far the hand is from the grip."""
    film, swing, grip_to_origin_m = Film(), 0.4, 0.02
    film.grasp("left", range(20, 51))
    film.put("left/hand", (0, 0, hand_to_grip_m))
    film.move(["cup", "left/hand"], 25, 45, (0, 0, 0.03))
    film.tilt(["cup"], 25, 45, swing)
    angle = swing * np.clip((np.arange(film.steps + 1) - 25) / 20, 0, 1)
    film.pose[:, BODIES.index("cup"), 1] += grip_to_origin_m * np.sin(angle)
    film.pose[:, BODIES.index("cup"), 2] -= grip_to_origin_m * np.cos(angle)
    assert film.found() == [("pick", 20, "left", "cup")]


def test_a_pick_survives_turning_with_the_hand() -> None:
    film = Film()
    carry(film)
    for name in ("cup", "left/hand"):
        film.pose[25:, BODIES.index(name), 3:] = (np.cos(0.5), np.sin(0.5), 0, 0)
    assert [e[0] for e in film.found()] == ["pick"]


@pytest.mark.parametrize(
    ("gap", "step"), [(MAX_CONTACT_GAP_STEPS, 20), (MAX_CONTACT_GAP_STEPS + 1, 23 + MAX_CONTACT_GAP_STEPS)]
)
def test_short_gaps_do_not_end_a_grasp(gap: int, step: int) -> None:
    film = Film()
    film.grasp("left", [20, 21, *range(22 + gap, 51)])
    film.move(["cup", "left/hand"], 35, 45, (0, 0, 0.1))
    assert film.found() == [("pick", step, "left", "cup")]


def test_losing_one_finger_for_a_while_is_the_same_pick() -> None:
    film = Film()
    film.touch("left/finger0", "cup", range(20, 81))
    film.touch("left/finger1", "cup", [*range(20, 40), *range(50, 81)])
    film.move(["cup", "left/hand"], 25, 80, (0, 0, 0.3))
    assert film.found() == [("pick", 20, "left", "cup")]


def test_points_come_from_the_first_firm_steps_only_and_are_merged() -> None:
    film = Film()
    ways = {20: 0.0, 21: 0.001, 22: 0.01}
    for step in range(20, 51):
        film.grasp("left", [step], at=(0, ways.get(step, 0.05), 0))
    film.move(["cup", "left/hand"], 25, 45, (0, 0, 0.1))
    (pick,) = film.events()
    # which of two points that are one is kept depends on the stream's order
    np.testing.assert_allclose(sorted(pick.points[:, 1]), [0, 0, 0.01, 0.01], atol=0.0011)


def turn(film: Film, by: float) -> None:
    """Touch the lid during [20, 60] and turn it evenly by `by` from step 40 to 50."""
    film.touch("left/finger0", "laptop.lid", range(20, 61), (0.1, 0, 0))
    film.lid[:] += (by * np.clip((np.arange(film.steps + 1) - 40) / 10, 0, 1)).astype(np.float32)


@pytest.mark.parametrize("sign", [-1, 1])
def test_turn_is_where_the_motion_starts(sign: int) -> None:
    film = Film()
    film.lid[:] = 0.5 + 1e-4 * np.random.default_rng(0).normal(size=101)  # a joint at rest trembles
    film.pose[:, BODIES.index("laptop.lid"), :3] = (0, 0, -0.5)
    turn(film, 0.3 * sign)
    (event,) = film.events()
    assert (event.kind, event.step, event.arm, event.reference_body, event.channel) == (
        "turn",
        40,
        "left",
        "laptop.lid",
        2,
    )
    np.testing.assert_allclose(event.points, [[0.1, 0, 0.5]], atol=1e-6)


@pytest.mark.parametrize(("angle", "turned"), [(0.019, False), (0.021, True)])
def test_turn_needs_an_angle(angle: float, turned: bool) -> None:
    film = Film()
    turn(film, angle)
    assert bool(film.found()) == turned


def test_a_lid_that_moves_untouched_is_no_turn() -> None:
    film = Film()
    turn(film, 0.3)
    film.rows = [row for row in film.rows if row[0] < 40]
    assert film.found() == []


def test_a_finger_that_slips_is_still_at_the_same_turn() -> None:
    film = Film()
    turn(film, 0.3)
    film.rows = [row for row in film.rows if row[0] < 42 or row[0] > 46]
    assert film.found() == [("turn", 40, "left", "laptop.lid")]


def test_trembling_is_no_one_way_motion() -> None:
    film = Film()
    turn(film, 0.0)
    film.lid[:] = 0.009 * np.sin(np.arange(101))
    assert film.found() == []


@pytest.mark.parametrize(("command", "pressed"), [(0.19, True), (0.21, False)])
def test_press_needs_a_closed_gripper(command: float, pressed: bool) -> None:
    film = Film()
    film.command[:, 1] = command
    film.touch("right/finger0", "bell", [30])
    assert film.found() == [("press", 30, "right", "bell")] * pressed


def test_a_gripper_that_closes_on_a_fixed_object_presses_then() -> None:
    film = Film()
    film.command[40:, 0] = 0.0
    film.touch("left/finger0", "bell", range(30, 50), (0.3, 0, 0))
    film.touch("left/hand", "bell", range(50, 60))
    (event,) = film.events()
    assert (event.kind, event.step, event.channel) == ("press", 40, 2)
    np.testing.assert_allclose(event.points, [[0.3, 0, 0]], atol=1e-6)


def test_press_counts_at_the_last_state() -> None:
    film = Film()
    film.command[:] = 0.0
    film.touch("left/finger0", "bell", [100])
    assert film.found() == [("press", 100, "left", "bell")]


def test_events_come_in_the_order_of_their_steps() -> None:
    film = Film()
    put_down(film)
    turn(film, 0.3)
    film.command[:] = 0.0
    film.touch("right/finger0", "bell", [30])
    steps = [e.step for e in film.events()]
    assert len(steps) == 4 and steps == sorted(steps)


def test_one_armed_robots_have_an_arm_called_arm() -> None:
    bodies = ("world", "bell", "arm/hand", "arm/finger0", "arm/finger1")
    pose = np.tile(np.array([0, 0, 0, 1, 0, 0, 0], np.float32), (11, 5, 1))
    contacts = np.array([(3, 1, 4, (0, 0, 0), 1.0)], CONTACT_DTYPE)
    command = np.zeros((10, 1), np.float32)
    none: NDArray[np.float32] = np.zeros((11, 0), np.float32)
    (event,) = find_events(contacts, bodies, pose, (), none, command, ("arm",), {"bell": "fixed"})
    assert (event.kind, event.arm) == ("press", "arm")


def test_the_joint_may_be_named() -> None:
    film = Film()
    turn(film, 0.3)
    assert [e.kind for e in film.events({"laptop.lid": "hinged:laptop.hinge"})] == ["turn"]
    with pytest.raises(UserError, match=r"laptop\.hinge"):
        film.events({"laptop.lid": "hinged:laptop.screw"})
    with pytest.raises(UserError, match="free, fixed, hinged"):
        film.events({"cup": "loose"})


def test_spans_bridge_gaps() -> None:
    mask = np.array([1, 0, 0, 1, 0, 0, 0, 1, 1, 0], bool)
    assert find_spans(mask, 2) == [(0, 3), (7, 8)]
    assert find_spans(mask, 3) == [(0, 8)]
    assert find_spans(mask, 0) == [(0, 0), (3, 3), (7, 8)]
    assert find_spans(np.zeros(4, bool), 3) == []


def test_two_arms_that_lift_one_thing_are_two_picks() -> None:
    film = Film()
    film.grasp("left", range(20, 101), (-0.1, 0, 0))
    film.grasp("right", range(22, 101), (0.1, 0, 0))
    film.move(["cup", "left/hand", "right/hand"], 40, 80, (0, 0, 0.1))
    film.tilt(["cup", "left/hand", "right/hand"], 40, 80, 0.1)
    film.touch("cup", "table", range(42))
    assert film.found() == [("pick", 20, "left", "cup"), ("pick", 22, "right", "cup")]
    left, right = film.events()
    assert left.points[:, 0].max() < 0 < right.points[:, 0].min()


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(("way", "found"), [(-0.019, False), (-0.021, True), (-0.15, True)])
def test_a_drawer_turns_in_metres(way: float, found: bool, closed: bool) -> None:
    film = Film(kinds={"cabinet": "fixed", "cabinet.drawer": "hinged:cabinet.slide"})
    film.command[:] = 0.0 if closed else 1.0
    film.touch("right/finger0", "cabinet.drawer", range(20, 91), (0, 0.1, 0))
    film.touch("right/finger1", "cabinet", range(30, 40))  # it scrapes along the frame
    film.drawer[:] = way * np.clip((np.arange(101) - 40) / 40, 0, 1)
    expected = [(40 + int(0.002 / abs(way) * 40), "right", "cabinet.drawer")] if found else []
    assert [(e.step, e.arm, e.reference_body) for e in film.events() if e.kind == "turn"] == expected
    assert all(e.kind == "turn" for e in film.events())


def test_a_closed_gripper_that_pushes_a_door_turns_it() -> None:
    film = Film()
    turn(film, 0.5)
    film.command[:] = 0.0
    film.touch("left/hand", "laptop", range(45, 60))  # its base is no button
    assert [e.kind for e in film.events({"laptop": "fixed", "laptop.lid": "hinged"})] == ["turn"]


@pytest.mark.parametrize("full", [False, True])
def test_a_hand_that_holds_something_presses_nothing(full: bool) -> None:
    film = Film()
    film.command[:] = 0.0
    if full:
        carry(film)
    film.touch("left/finger0", "bell", range(30, 40))
    film.touch("right/finger0", "bell", [60])
    expected = [("pick", 20, "left")] if full else [("press", 30, "left")]
    assert [e[:3] for e in film.found()] == [*expected, ("press", 60, "right")]
