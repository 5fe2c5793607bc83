"""Each rule of a thing in hand (strike, pour, shake), just inside and just outside, on streams made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from event_film import BODIES, Film, carry

from sim.episodes import tool_events as rules
from sim.episodes.contact_history import find_turning_points
from sim.episodes.gripper_events import MIN_REST_STEPS
from sim.geometry import compose, make_pose, quat_from_axis_angle, transform_points

BLOCK = {"cup": "free", "tray": "fixed", "coaster": "free"}
PAN = {"cup": "free", "pan": "free"}
LOAD = {"pan": "free", "ball": "free", "marble": "free", "tray": "fixed"}


def kinds_and_steps(film: Film) -> list[tuple[str, int, str]]:
    """Return (kind, step, carrier) of every event after the picks."""
    return [(kind, step, carrier) for kind, step, _, carrier in film.found() if kind != "pick"]


def wield(steps: int = 200, last: int = 200) -> Film:
    """Return a film in which the left arm takes the cup at 20 and holds it, 10 cm up from 45 on, until `last`."""
    film = Film(steps, BLOCK)
    film.grasp("left", range(20, last + 1))
    film.move(["cup", "left/hand"], 25, 45, (0, 0, 0.1))
    film.touch("cup", "table", range(26))
    return film


def drop(film: Film, released: int, support: str) -> None:
    """Let the cup fall 5 cm after `released` onto `support`."""
    film.move(["cup"], released, released + 5, (0, 0, -0.05))
    film.touch("cup", support, range(released + 4, film.steps + 1))


def test_a_hammer_strikes_the_block_at_the_first_touch() -> None:
    film = wield()
    film.put("tray", (0, 0, 0.05))
    film.touch("cup", "tray", [80, 81, 82], (0.03, 0, 0.1))
    film.touch("tray", "cup", range(83, 201), (0.2, 0, 0.1))  # it stays there, but the first touch is meant
    _, strike = film.events()
    assert (strike.kind, strike.step, strike.arm, strike.reference_body, strike.channel) == (
        "strike",
        80,
        "left",
        "tray",
        2,
    )
    np.testing.assert_allclose(strike.points, [[0.03, 0, 0.05]], atol=1e-6)


@pytest.mark.parametrize("block", ["tray", "coaster"])
def test_fixed_and_free_things_are_struck(block: str) -> None:
    film = wield()
    film.touch("cup", block, [80])
    assert kinds_and_steps(film) == [("strike", 80, block)]


def test_table_and_grippers_are_not_struck() -> None:
    film = wield()
    film.touch("cup", "table", range(80, 90))
    film.touch("cup", "right/finger0", range(80, 90))
    assert kinds_and_steps(film) == []


def test_only_what_is_held_and_carried_strikes() -> None:
    film = wield()
    film.touch("cup", "tray", [15, 22])  # before the pick, and before it has left its place
    film.touch("coaster", "tray", [80])
    assert kinds_and_steps(film) == []


def test_leaving_a_support_is_no_strike() -> None:
    film = wield()
    film.touch("cup", "coaster", [*range(18), *range(30, 40)])  # it scrapes along what it stood on
    assert kinds_and_steps(film) == []


@pytest.mark.parametrize(("gap", "blows"), [(rules.MAX_STRIKE_GAP_STEPS, 1), (rules.MAX_STRIKE_GAP_STEPS + 1, 2)])
def test_a_bounce_is_one_blow(gap: int, blows: int) -> None:
    film = wield()
    film.touch("cup", "tray", [80, 81 + gap])
    assert kinds_and_steps(film) == [("strike", 80, "tray"), ("strike", 81 + gap, "tray")][:blows]


def test_placing_is_no_strike() -> None:
    film = wield(last=100)
    film.touch("cup", "tray", range(85, 101))
    drop(film, 100, "tray")
    assert kinds_and_steps(film) == [("place", 105, "tray")]


def test_feeling_for_a_hook_is_no_strike() -> None:
    film = wield(steps=400, last=300)
    film.touch("cup", "tray", [100, 150, 220])
    drop(film, 300, "tray")
    assert kinds_and_steps(film) == [("place", 305, "tray")]


@pytest.mark.parametrize(
    ("early", "struck"), [(rules.SET_DOWN_WINDOW_STEPS, False), (rules.SET_DOWN_WINDOW_STEPS + 1, True)]
)
def test_brushing_a_neighbour_while_setting_down_is_no_strike(early: int, struck: bool) -> None:
    film = wield(last=150)
    film.touch("cup", "coaster", [150 - early])
    drop(film, 150, "table")
    assert kinds_and_steps(film) == [("strike", 150 - early, "coaster")] * struck + [("place", 155, "table")]


def test_a_touch_that_lasts_into_the_set_down_is_no_strike() -> None:
    film = wield(last=150)
    window_start = 150 - rules.SET_DOWN_WINDOW_STEPS
    film.touch("cup", "coaster", range(window_start - 10, window_start + 1))
    drop(film, 150, "table")
    assert kinds_and_steps(film) == [("place", 155, "table")]


def test_a_hammer_may_be_taken_again_and_be_laid_on_what_it_struck() -> None:
    film = wield(steps=400, last=150)
    film.touch("cup", "tray", [80])
    drop(film, 150, "table")
    film.rows = [row for row in film.rows if row[0] < 230 or "table" not in (BODIES[row[1]], BODIES[row[2]])]
    carry(film, "left", 220, 300, (0, 0, 0.1))
    film.touch("cup", "tray", range(301, 401))
    assert kinds_and_steps(film) == [("strike", 80, "tray"), ("place", 155, "table"), ("place", 301, "tray")]


@pytest.mark.parametrize("lands", [78, 103])
def test_bread_laid_in_a_held_pan_is_a_place(lands: int) -> None:
    film = Film(steps=200, kinds=PAN)  # the bread is the cup
    film.put("pan", (0, 0, -0.05))
    film.grasp("right", range(20, 201), body="pan")
    film.move(["pan", "right/hand"], 25, 70, (0, 0, 0.1))
    carry(film, "left", 20, 100, (0, 0, 0.1))
    film.touch("cup", "pan", range(lands, 201))  # before it is let go, or after it has fallen
    assert kinds_and_steps(film) == [("place", max(lands, 101), "pan")]


def test_two_things_in_two_hands_strike_each_other() -> None:
    film = Film(kinds=PAN)
    carry(film, "right", 20, 100, body="pan")
    carry(film, "left", 20, 100)
    film.touch("cup", "pan", [70])
    assert [e for e in film.found() if e[0] == "strike"] == [
        ("strike", 70, "left", "pan"),
        ("strike", 70, "right", "cup"),
    ]


def load(tilt: float, at: int = 100, hands: tuple[str, ...] = ("left",)) -> Film:
    """Return a film of a pan, lifted until 95 and tilted evenly in [at, at + 50]; ball and marble lie in it."""
    film = Film(steps=300, kinds=LOAD)
    held = ["pan", *(f"{arm}/hand" for arm in hands)]
    for arm in hands:
        film.grasp(arm, range(20, 301), body="pan")
    film.move([*held, "ball", "marble"], 25, 95, (0, 0, 0.2))
    film.tilt(held, at, at + 50, tilt)
    film.touch("ball", "pan", range(130))
    film.touch("ball", "marble", range(125))
    film.touch("marble", "pan", range(60, 140))  # at first it lies on the ball
    return film


def test_pouring_is_carried_by_where_things_land() -> None:
    film = load(tilt=2.0)
    film.put("tray", (0, 0, -0.3))
    film.touch("ball", "tray", range(160, 300), (0.1, 0, -0.3))
    film.touch("marble", "ball", range(161, 163))  # one poured thing on the other is not there yet
    film.touch("marble", "tray", range(165, 300), (0.2, 0, -0.3))
    (pour,) = [e for e in film.events() if e.kind != "pick"]
    assert (pour.kind, pour.step, pour.arm, pour.reference_body, pour.channel) == ("pour", 130, "left", "tray", 2)
    np.testing.assert_allclose(pour.points, [[0.1, 0, 0], [0.2, 0, 0]], atol=1e-6)


def test_what_a_load_touched_before_it_was_poured_is_not_where_it_landed() -> None:
    film = load(tilt=2.0)
    film.touch("ball", "tray", range(0, 100))
    film.touch("ball", "table", range(160, 300))
    assert kinds_and_steps(film) == [("pour", 130, "table")]


@pytest.mark.parametrize(
    ("tilt", "poured"), [(rules.MIN_POUR_TILT_RAD - 0.01, False), (rules.MIN_POUR_TILT_RAD + 0.01, True)]
)
@pytest.mark.parametrize("axis", [(1, 0, 0), (0.6, 0.8, 0)])
def test_pouring_needs_a_tilt(tilt: float, poured: bool, axis: tuple[float, float, float]) -> None:
    film = load(0.0)
    film.tilt(["pan", "left/hand"], 100, 120, tilt, axis)
    film.touch("ball", "table", range(160, 300))
    assert kinds_and_steps(film) == [("pour", 130, "table")] * poured


def test_yaw_is_no_tilt() -> None:
    film = load(0.0)
    film.tilt(["pan", "left/hand"], 100, 120, 2.0, (0, 0, 1))
    film.touch("ball", "table", range(160, 300))
    assert kinds_and_steps(film) == []


def test_what_lands_nowhere_or_stays_is_not_poured() -> None:
    assert kinds_and_steps(load(2.0)) == []
    film = load(2.0)
    film.touch("ball", "pan", range(130, 301))
    film.touch("marble", "pan", range(140, 301))
    film.touch("ball", "table", range(160, 300))
    assert kinds_and_steps(film) == []


def test_what_another_hand_takes_out_is_not_poured() -> None:
    film = load(2.0)
    carry(film, "right", 125, 180, (0, 0, 0.1), body="ball")
    film.touch("ball", "table", range(240, 300))
    assert [e[0] for e in kinds_and_steps(film)] == ["place"]


def test_most_of_what_is_poured_decides() -> None:
    film = load(2.0)
    film.kinds = {**LOAD, "cup": "free"}
    film.touch("cup", "pan", range(128))
    film.touch("ball", "table", range(150, 300))
    for thing in ("cup", "marble"):
        film.touch(thing, "tray", range(160, 300))
    assert kinds_and_steps(film) == [("pour", 128, "tray")]


def test_two_arms_pour_together() -> None:
    film = load(2.0, hands=("left", "right"))
    film.touch("ball", "table", range(160, 300))
    pours = [e for e in film.found() if e[0] == "pour"]
    assert pours == [("pour", 130, "left", "table"), ("pour", 130, "right", "table")]


def test_what_was_put_into_a_held_pan_can_be_poured_out_of_it() -> None:
    film = Film(steps=300, kinds=PAN)
    film.put("cup", (0, 0, 0.05))
    carry(film, "right", 20, 300, (0, 0, 0.1), body="pan")
    carry(film, "left", 20, 60, (0, 0, 0.1))
    film.touch("cup", "pan", range(62, 150))
    film.tilt(["pan", "right/hand"], 100, 150, 2.0)
    film.touch("cup", "table", range(170, 300))
    assert kinds_and_steps(film) == [("place", 62, "pan"), ("pour", 150, "table")]


def test_a_rattling_load_is_not_struck() -> None:
    film = load(0.0)
    film.touch("marble", "pan", range(200, 210))
    assert kinds_and_steps(film) == []


@pytest.mark.parametrize(("before", "struck"), [(3, False), (MIN_REST_STEPS, False), (MIN_REST_STEPS + 1, True)])
def test_what_lay_in_the_pan_shortly_before_it_was_taken_is_its_load(before: int, struck: bool) -> None:
    """The contact of a ball that rolls in the pan flickers; at the first step of the grasp there is none."""
    film = Film(steps=300, kinds={"pan": "free", "ball": "free"})
    film.grasp("left", range(20, 301), body="pan")
    film.move(["pan", "left/hand", "ball"], 25, 95, (0, 0, 0.2))
    film.touch("ball", "pan", [20 - before, *range(200, 210)])
    assert kinds_and_steps(film) == [("strike", 200, "ball")] * struck


def shake(ways: int, swing: float = 0.05, beat: int = 20, by: tuple[float, float, float] = (0, 0, 1)) -> Film:
    """Return a film of the cup in hand that goes to and fro `ways` times by `swing` from step 100 on."""
    film = wield(steps=100 + ways * beat + 50, last=100 + ways * beat + 50)
    for i in range(ways):
        start = 100 + i * beat
        film.move(["cup", "left/hand"], start, start + beat, tuple(swing * (-1.0) ** i * c for c in by))
    return film


def test_a_shake_is_at_its_first_turn_and_on_its_grip() -> None:
    film = shake(6)
    film.grasp("left", range(120, film.steps + 1), (0, 0.03, 0.15))
    film.rows = [row for row in film.rows if row[0] < 120 or row[3][1] == np.float64(0.03)]
    _, event = film.events()
    assert (event.kind, event.step, event.arm, event.reference_body, event.channel) == ("shake", 120, "left", "cup", 2)
    np.testing.assert_allclose(sorted(event.points[:, 0]), [-0.02, 0.02], atol=1e-6)


@pytest.mark.parametrize("by", [(1, 0, 0), (0, -1, 0), (0.6, 0.8, 0), (0, 0.8, 0.6)])
def test_a_shake_has_any_direction(by: tuple[float, float, float]) -> None:
    assert kinds_and_steps(shake(6, by=by)) == [("shake", 120, "cup")]


@pytest.mark.parametrize(("ways", "found"), [(rules.MIN_SHAKE_REVERSALS, False), (rules.MIN_SHAKE_REVERSALS + 1, True)])
def test_a_shake_turns_back_several_times(ways: int, found: bool) -> None:
    assert bool(kinds_and_steps(shake(ways, by=(1, 0, 0)))) == found


@pytest.mark.parametrize(
    ("swing", "found"), [(rules.MIN_SHAKE_STROKE_M - 0.001, False), (rules.MIN_SHAKE_STROKE_M + 0.001, True)]
)
def test_a_shake_is_wider_than_a_tremble(swing: float, found: bool) -> None:
    assert bool(kinds_and_steps(shake(6, swing, by=(1, 0, 0)))) == found


@pytest.mark.parametrize(
    ("beat", "found"),
    [(rules.MAX_SHAKE_REVERSAL_INTERVAL_STEPS, True), (rules.MAX_SHAKE_REVERSAL_INTERVAL_STEPS + 1, False)],
)
def test_a_shake_is_quick(beat: int, found: bool) -> None:
    assert bool(kinds_and_steps(shake(6, beat=beat))) == found


@pytest.mark.parametrize(("aside", "found"), [(0.02, True), (0.1, False)])
def test_a_zigzag_is_no_shake(aside: float, found: bool) -> None:
    film = shake(8, by=(1, 0, 0))
    film.move(["cup", "left/hand"], 100, 260, (0, 8 * aside, 0))
    assert bool(kinds_and_steps(film)) == found


def test_what_touches_something_is_wiped_not_shaken() -> None:
    film = shake(6)
    film.touch("cup", "table", range(100, 221))
    assert kinds_and_steps(film) == []


def test_to_hold_a_thing_before_another_gives_nothing() -> None:
    film = Film(kinds=PAN)
    carry(film, "left")
    carry(film, "right", body="pan")
    assert [e[0] for e in film.found()] == ["pick", "pick"]


def test_the_world_may_be_turned_and_shifted() -> None:
    film = load(tilt=2.0)
    film.put("tray", (0, 0, -0.3))
    film.touch("ball", "tray", range(160, 300), (0.1, 0, -0.3))
    film.touch("pan", "tray", [250], (0.3, 0.1, 0))
    before = film.events()
    frame = make_pose((0.3, -0.2, 0.7), quat_from_axis_angle((0, 0, 1), 0.8))
    film.pose = compose(frame, film.pose).astype(np.float32)
    film.rows = [(s, a, b, tuple(transform_points(frame, at)), f) for s, a, b, at, f in film.rows]
    after = film.events()
    assert [e.kind for e in before] == ["pick", "pour", "strike"]
    for e, f in zip(before, after, strict=True):
        assert (e.kind, e.step, e.arm, e.reference_body) == (f.kind, f.step, f.arm, f.reference_body)
        np.testing.assert_allclose(f.points, e.points, atol=1e-6)


def test_turning_points_are_those_of_a_sine() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(1000)
    track = np.sin(time / 50) + 0.01 * rng.normal(size=1000)
    peaks = 50 * np.pi * (np.arange(6) + 0.5)
    assert np.abs(np.array(find_turning_points(track, 0.5)) - peaks).max() < 15
    assert find_turning_points(track, 2.5) == []
    assert find_turning_points(np.abs(time - 400.0), 100.0) == [400]
    assert find_turning_points(np.zeros(5), 0.1) == []
    assert find_turning_points(np.zeros(1), 0.1) == []
