"""Each rule of the gripper, just inside and just outside, on small streams made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from event_film import BODIES, Film, carry
from numpy.typing import NDArray

from sim import event_rules as rules
from sim.event_facts import GAP, spans
from sim.events import find_events
from sim.geometry import rotate
from sim.types import CONTACT, UserError


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
    assert (pick.kind, pick.step, pick.arm, pick.carrier, pick.channel) == ("pick", 20, "left", "cup", 0)
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


@pytest.mark.parametrize(("length", "picked"), [(rules.HOLD - 1, False), (rules.HOLD, True)])
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


def test_a_pick_survives_turning_with_the_hand() -> None:
    film = Film()
    carry(film)
    for name in ("cup", "left/hand"):
        film.pose[25:, BODIES.index(name), 3:] = (np.cos(0.5), np.sin(0.5), 0, 0)
    assert [e[0] for e in film.found()] == ["pick"]


@pytest.mark.parametrize(("gap", "step"), [(GAP, 20), (GAP + 1, 23 + GAP)])
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


def put_down(film: Film, support: str = "coaster", rest: int = 55) -> None:
    """Carry the cup, let go after step 50, let it fall until `rest` and lie on `support` from there."""
    carry(film, by=(0.1, 0, 0))
    film.move(["cup"], 46, rest, (0, 0, -0.1))
    film.move(["left/hand"], 46, 50, (0, 0, -0.1))
    film.touch("cup", support, range(rest - 2, 101), (0.1, 0.03, -0.1))


def test_place_is_at_first_rest_in_the_frame_of_the_support() -> None:
    film = Film()
    film.pose[:, BODIES.index("coaster"), :3] = (0.1, 0, -0.11)
    put_down(film)
    pick, place = film.events()
    assert pick.kind == "pick"
    assert (place.kind, place.step, place.arm, place.carrier, place.channel) == ("place", 55, "left", "coaster", 1)
    np.testing.assert_allclose(place.points, [[0, 0.03, 0.01]], atol=1e-6)


def test_place_knows_every_foot_it_rocks_onto() -> None:
    film = Film()
    put_down(film)
    film.touch("cup", "coaster", range(56, 101), (0.1, -0.03, -0.1))
    late = 55 + rules.REST
    film.touch("cup", "coaster", range(late, 101), (0.1, 0.2, -0.1))
    film.touch("cup", "tray", range(late, 101), (0.1, 0, -0.1))
    _, place = film.events()
    assert place.step == 55 and sorted(place.points[:, 1].round(3).tolist()) == pytest.approx([-0.03, 0.03])


def test_what_was_never_picked_is_never_placed() -> None:
    film = Film()
    film.touch("cup", "table", range(101))
    film.touch("left/finger0", "cup", range(20, 30))
    assert film.found() == []


@pytest.mark.parametrize(("speed", "placed"), [(0.019, True), (0.021, False)])
def test_place_needs_rest(speed: float, placed: bool) -> None:
    film = Film()
    put_down(film)
    film.move(["cup"], 50, 100, (speed, 0, 0))  # 50 steps are one second
    assert ("place" in [e[0] for e in film.found()]) == placed


def test_what_swings_to_and_fro_on_a_support_is_placed_where_it_begins_to() -> None:
    film = Film(155)
    put_down(film)
    film.touch("cup", "coaster", range(101, 156), (0.1, 0.03, -0.1))
    for k in range(10):  # there and back, 20 mm in a fifth of a second
        film.move(["cup"], 55 + 10 * k, 65 + 10 * k, (0.02 * (-1) ** k, 0, 0))
    assert [(kind, step) for kind, step, *_ in film.found() if kind == "place"] == [("place", 53)]


@pytest.mark.parametrize(("length", "step"), [(rules.REST, 60), (rules.REST - 1, 76)])
def test_rest_lasts_a_tenth_of_a_second(length: int, step: int) -> None:
    film = Film()
    put_down(film, rest=55)
    film.move(["cup"], 55, 60, (0.01, 0, 0))  # slides on at 0.1 m/s, rests, slides again until 76
    film.move(["cup"], 60 + length, 76, (0.04, 0, 0))
    assert film.found()[1] == ("place", step, "left", "coaster")


def test_rest_without_a_support_is_no_place() -> None:
    film = Film()
    carry(film)
    assert [e[0] for e in film.found()] == ["pick"]


def test_place_waits_for_the_last_gripper_contact() -> None:
    film = Film()
    put_down(film)
    film.touch("left/finger1", "cup", range(51, 71))  # one finger lingers
    assert film.found()[1] == ("place", 71, "left", "coaster")


def test_rest_under_a_nudge_is_not_released() -> None:
    film = Film()
    put_down(film)
    film.move(["cup"], 55, 70, (0.05, 0, 0))  # slides on until 70, stopped by a finger that stays until 80
    film.touch("right/finger0", "cup", range(60, 81))
    assert film.found()[1:] == [("place", 81, "left", "coaster")]


def test_a_later_nudge_is_no_second_place() -> None:
    film = Film()
    put_down(film)
    film.touch("right/finger1", "cup", range(80, 85))
    assert [e[0] for e in film.found()] == ["pick", "place"]


def test_one_event_for_each_support() -> None:
    film = Film()
    put_down(film)
    film.touch("cup", "tray", range(50, 101), (0.1, -0.03, -0.1))
    assert [e[3] for e in film.found()] == ["cup", "coaster", "tray"]


def test_an_object_does_not_support_itself() -> None:
    film = Film()
    put_down(film, support="laptop")
    kinds = {"laptop": "free"}  # swap the roles of cup and laptop: contacts with its own lid do not count
    cup, laptop, lid = (BODIES.index(n) for n in ("cup", "laptop", "laptop.lid"))
    swap = {cup: laptop, laptop: lid}
    film.rows = [(s, swap.get(a, a), swap.get(b, b), p, f) for s, a, b, p, f in film.rows]
    film.pose[:, laptop] = film.pose[:, cup]
    assert [e.kind for e in film.events(kinds)] == ["pick"]


def test_hand_over_is_two_picks_and_one_place() -> None:
    film = Film(steps=200)
    carry(film, "left", 20, 90, (0.1, 0, 0))
    film.grasp("right", range(80, 131))
    film.move(["cup", "right/hand"], 95, 125, (0.1, 0, 0))
    film.touch("cup", "coaster", range(128, 201))
    assert film.found() == [
        ("pick", 20, "left", "cup"),
        ("pick", 80, "right", "cup"),
        ("place", 131, "right", "coaster"),
    ]


@pytest.mark.parametrize(("late", "arms"), [(rules.TOGETHER, ["left", "right"]), (rules.TOGETHER + 1, ["right"])])
def test_two_arms_that_let_go_together_place_together(late: int, arms: list[str]) -> None:
    film = Film()
    film.grasp("left", range(20, 51))
    film.grasp("right", range(20, 51 + late))
    film.move(["cup", "left/hand", "right/hand"], 25, 45, (0.1, 0, 0))
    film.touch("cup", "coaster", range(46, 101))
    assert [e[2] for e in film.found() if e[0] == "place"] == arms


def test_picking_again_places_again() -> None:
    film = Film(steps=200)
    put_down(film)
    film.grasp("left", range(100, 131))
    film.move(["cup", "left/hand"], 105, 125, (0.1, 0, 0))
    film.touch("cup", "table", range(120, 201))
    assert [e[:2] for e in film.found()] == [("pick", 20), ("place", 55), ("pick", 100), ("place", 131)]


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
    assert (event.kind, event.step, event.arm, event.carrier, event.channel) == ("turn", 40, "left", "laptop.lid", 2)
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
    contacts = np.array([(3, 1, 4, (0, 0, 0), 1.0)], CONTACT)
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
    assert spans(mask, 2) == [(0, 3), (7, 8)]
    assert spans(mask, 3) == [(0, 8)]
    assert spans(mask, 0) == [(0, 0), (3, 3), (7, 8)]
    assert spans(np.zeros(4, bool), 3) == []


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
    assert [(e.step, e.arm, e.carrier) for e in film.events() if e.kind == "turn"] == expected
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


def test_a_mug_hung_on_a_rack_is_placed_on_it() -> None:
    film = Film(kinds={"cup": "free", "tray": "fixed"})
    put_down(film, support="tray")
    film.touch("cup", "tray", range(30, 36), (0.1, 0, 0.02))  # the peg is felt for
    film.put("tray", (0.1, 0, 0.05))  # the rack's middle is higher than the mug
    assert film.found()[1:] == [("place", 55, "left", "tray")]


@pytest.mark.parametrize(("lower", "supports"), [(0.01, ["coaster"]), (0.0, []), (-0.05, [])])
def test_of_two_free_things_the_lower_one_bears_the_other(lower: float, supports: list[str]) -> None:
    film = Film(kinds={"cup": "free", "coaster": "free"})
    put_down(film)
    film.touch("cup", "table", range(53, 101), (0.1, 0, -0.1))
    film.put("coaster", (0, 0, -0.1 - lower))  # the cup comes to rest 10 cm down
    film.put("cup", (0, 0, 0.1))
    film.put("coaster", (0, 0, 0.1))
    assert [e[3] for e in film.found() if e[0] == "place"] == [*supports, "table"]


@pytest.mark.parametrize(("side", "supports"), [(-1, ["pan"]), (1, [])])
def test_bread_in_a_pan_that_hangs_askew_is_on_the_pan(side: int, supports: list[str]) -> None:
    film = Film(kinds={"cup": "free", "pan": "free"})
    put_down(film, support="pan")
    film.tilt(["cup", "pan"], 0, 1, 0.4)
    # 5 mm over the pan's bottom, yet lower than its middle in the world; then the same with exchanged roles
    way = rotate(film.pose[50, BODIES.index("pan"), 3:], (0.0, -0.05, 0.005))
    film.put("pan", tuple(side * way + (0.1, 0, -0.1)))
    heights = film.pose[55, :, 2]
    assert heights[BODIES.index("cup")] * side > heights[BODIES.index("pan")] * side
    assert [e[3] for e in film.found() if e[0] == "place"] == supports


def test_what_is_dropped_into_a_box_is_placed_in_it_and_stays_out_of_what_follows() -> None:
    film = Film(steps=200, kinds={"cup": "free", "pan": "free"})
    film.put("cup", (0, 0, 0.15))
    put_down(film, support="pan")  # falls from 5 to 55, rests 5 cm above the base of the pan
    film.touch("cup", "pan", range(101, 201), (0.1, 0.03, -0.1))
    carry(film, "right", 80, 150, (0, 0, 0.1), body="pan")  # now the pan is carried off with the cup in it
    film.move(["cup"], 85, 145, (0, 0, 0.1))
    film.touch("pan", "table", range(149, 201), (0.1, 0, 0))
    assert film.found() == [
        ("pick", 20, "left", "cup"),
        ("place", 55, "left", "pan"),
        ("pick", 80, "right", "pan"),
        ("place", 151, "right", "table"),
    ]


def test_rest_is_seen_from_the_support() -> None:
    film = Film(kinds={"cup": "free", "pan": "free"})
    film.put("pan", (0, 0, -0.2))
    put_down(film, support="pan")
    film.move(["cup", "pan"], 50, 100, (0.2, 0, 0))  # both are carried along, ten times faster than rest allows
    assert film.found()[1:] == [("place", 55, "left", "pan")]
    film.move(["pan"], 50, 100, (0.1, 0, 0))
    assert len(film.found()) == 1
