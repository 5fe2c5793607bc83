"""When and where a thing counts as placed, just inside and just outside, on small streams made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from event_film import BODIES, Film, carry, put_down

from sim.episodes import gripper_events as rules
from sim.geometry import rotate


def test_place_is_at_first_rest_in_the_frame_of_the_support() -> None:
    film = Film()
    film.pose[:, BODIES.index("coaster"), :3] = (0.1, 0, -0.11)
    put_down(film)
    pick, place = film.events()
    assert pick.kind == "pick"
    assert (place.kind, place.step, place.arm, place.reference_body, place.channel) == (
        "place",
        55,
        "left",
        "coaster",
        1,
    )
    np.testing.assert_allclose(place.points, [[0, 0.03, 0.01]], atol=1e-6)


def test_place_knows_every_foot_it_rocks_onto() -> None:
    film = Film()
    put_down(film)
    film.touch("cup", "coaster", range(56, 101), (0.1, -0.03, -0.1))
    late = 55 + rules.MIN_REST_STEPS
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


def test_what_slides_slowly_on_along_a_support_is_not_placed_yet() -> None:
    film = Film(155)
    put_down(film)
    film.touch("cup", "coaster", range(101, 156), (0.1, 0.03, -0.1))
    film.move(["cup"], 55, 155, (0.06, 0, 0))  # 30 mm/s, one way
    assert [event[0] for event in film.found()] == ["pick"]


@pytest.mark.parametrize(("length", "step"), [(rules.MIN_REST_STEPS, 60), (rules.MIN_REST_STEPS - 1, 76)])
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


@pytest.mark.parametrize(
    ("late", "arms"),
    [(rules.BIMANUAL_RELEASE_WINDOW_STEPS, ["left", "right"]), (rules.BIMANUAL_RELEASE_WINDOW_STEPS + 1, ["right"])],
)
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
