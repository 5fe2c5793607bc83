"""Spawn rules: where things come to stand, who plays which role, what is said of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from math import pi

import numpy as np
import pytest

from sim import robots
from sim.geometry import Array, rotate
from sim.scene.instructions import ObjectDescription, find_slots, sample_instruction
from sim.scene.sample import SceneSample, sample_scene
from sim.task.spec import ArmRole, ObjectOrder, ObjectSpec, Spawn, SpecError, TablePlacement, Task, TaskObject

CAN = ObjectSpec(
    "disc", {"radius": 0.03, "height": 0.1}, category="can", colour="red", nouns=("can", "tin"), unseen=("tube",)
)
BLOCK = ObjectSpec("block", {"size": (0.05, 0.05, 0.05)}, category="cube")
BOX = ObjectSpec("open_box", {"size": (0.3, 0.3, 0.1)}, category="box")
SEEDS = range(60)
ALOHA = robots.load_robot("aloha")
WIDE, DEEP = (-0.3, 0.3), (-0.2, 0.2)


def task(*objects: TaskObject, **more: object) -> Task:
    """Return a task of these objects and nothing to do."""
    says = {"instructions": ("go",), "arms": (ArmRole("a", "right"),), "success": (), "plan": (), "horizon": 1}
    return Task(name="spots", objects=objects, **(says | more))  # pyright: ignore[reportArgumentType]


def thing(name: str, x: tuple[float, float] = WIDE, y: tuple[float, float] = DEEP, **rules: object) -> TaskObject:
    """Return a can with spawn rules."""
    return TaskObject(name, (CAN,), Spawn(x, y, **rules))  # pyright: ignore[reportArgumentType]


def layouts(of: Task) -> list[SceneSample]:
    return [sample_scene(of, ALOHA, seed) for seed in SEEDS]


def spots(of: Task, name: str) -> Array:
    """Return the places (seeds 3) of an object over all seeds."""
    return np.stack([layout.poses[name][:3] for layout in layouts(of)])


def test_a_seed_is_a_layout() -> None:
    of = task(thing("one", yaw=(-pi, pi)), thing("two", apart=(("one", 0.1),)))
    for seed in range(5):
        one, other = sample_scene(of, ALOHA, seed), sample_scene(of, ALOHA, seed)
        assert all(np.array_equal(one.poses[name], other.poses[name]) for name in ("one", "two"))
        assert not np.array_equal(one.poses["one"], sample_scene(of, ALOHA, seed + 1).poses["one"])
        assert not np.array_equal(one.poses["one"], sample_scene(of, ALOHA, seed, attempt=1).poses["one"])


def test_the_layout_is_the_same_for_every_robot() -> None:
    of = task(thing("one"), arms=(ArmRole("a", "side:one"),))
    for seed in range(5):
        two, one = sample_scene(of, ALOHA, seed), sample_scene(of, robots.load_robot("panda"), seed)
        assert np.array_equal(one.poses["one"], two.poses["one"]) and one.role_sides == two.role_sides
        assert (
            one.role_arms["a"] == robots.load_robot("panda").arms[0].name and two.role_arms["a"] == two.role_sides["a"]
        )


def test_bases_lie_in_their_ranges_and_fill_them() -> None:
    at = spots(task(thing("one", (-0.1, 0.3), (-0.2, 0.0), z=0.01)), "one")
    for axis, (low, high) in enumerate(((-0.1, 0.3), (-0.2, 0.0))):
        assert (at[:, axis] >= low).all() and (at[:, axis] <= high).all()
        assert np.ptp(at[:, axis]) > 0.8 * (high - low)
    np.testing.assert_allclose(at[:, 2], 0.75)


RULES: dict[str, tuple[dict[str, object], Callable[[Array], Array]]] = {
    "min_abs_x": ({"min_abs_x": 0.2}, lambda at: np.abs(at[:, 0]) >= 0.2),
    "behind": ({"behind": 0.2}, lambda at: (np.abs(at[:, 0]) >= 0.2) | (at[:, 1] < 0)),
    "clear": ({"clear": ((0.1, 0.1, 0.15),)}, lambda at: np.hypot(at[:, 0] - 0.1, at[:, 1] - 0.1) >= 0.15),
}


@pytest.mark.parametrize("rule", RULES)
def test_no_draw_breaks_a_rule_that_blind_draws_would(rule: str) -> None:
    rules, holds = RULES[rule]
    assert holds(spots(task(thing("one", **rules)), "one")).all()
    assert not holds(spots(task(thing("one")), "one")).all()


PAIR_RULES: dict[str, tuple[dict[str, object], Callable[[Array, Array], Array]]] = {
    "apart": ({"apart": (("one", 0.2),)}, lambda one, two: np.hypot(*(two - one)[:, :2].T) >= 0.2),
    "apart_y": ({"apart_y": (("one", 0.1),)}, lambda one, two: np.abs((two - one)[:, 1]) >= 0.1),
    "mirror": ({"mirror": "one", "x": (0.1, 0.3)}, lambda one, two: two[:, 0] * one[:, 0] > 0),
    "-mirror": ({"mirror": "-one", "x": (0.1, 0.3)}, lambda one, two: two[:, 0] * one[:, 0] < 0),
    "when_right": (
        {"when_right": ("one", (0.25, 0.3)), "x": (-0.3, -0.25)},
        lambda one, two: two[:, 0] * one[:, 0] > 0,
    ),
}


@pytest.mark.parametrize("rule", PAIR_RULES)
def test_no_draw_breaks_a_rule_of_two(rule: str) -> None:
    rules, holds = PAIR_RULES[rule]
    of = task(thing("one"), thing("two", **rules))
    assert holds(spots(of, "one"), spots(of, "two")).all()
    free = task(thing("one"), thing("two", **{key: value for key, value in rules.items() if key == "x"}))
    assert not holds(spots(free, "one"), spots(free, "two")).all()


def test_a_coin_takes_either_side() -> None:
    at = spots(task(thing("one", (0.1, 0.3), mirror="coin")), "one")
    assert 15 < (at[:, 0] < 0).sum() < 45 and (np.abs(at[:, 0]) >= 0.1).all()


@pytest.mark.parametrize("tilt", [(0.0, -pi / 2, 0.0), (0.4, 0.0, 0.0), (0.0, 0.0, 0.5), (0.3, 0.2, -0.4)])
def test_what_a_coin_puts_on_the_left_is_the_mirror_image(tilt: tuple[float, float, float]) -> None:
    block = TaskObject("one", (BLOCK,), Spawn((0.1, 0.3), DEEP, z=0.0, tilt=tilt, mirror="coin"))
    turns = {layout.poses["one"][0] > 0: layout.poses["one"][3:] for layout in layouts(task(block))}
    for axis in np.eye(3):
        left, right = rotate(turns[False], axis), rotate(turns[True], axis * (-1, 1, 1))
        np.testing.assert_allclose(left, right * (-1, 1, 1), atol=1e-9)


def test_an_optional_thing_stays_away_where_it_is_crowded() -> None:
    of = task(thing("one"), thing("two", optional=True, apart=(("one", 0.25),)), thing("three"))
    seen = layouts(of)
    there = [layout for layout in seen if "two" in layout.poses]
    assert 0 < len(there) < len(seen) and all("three" in layout.poses for layout in seen)
    for layout in there:
        assert np.hypot(*(layout.poses["two"] - layout.poses["one"])[:2]) >= 0.25
    assert all(set(layout.poses) == set(layout.models) == set(layout.specs) == set(layout.colours) for layout in seen)


def test_inside_is_counted_from_the_base_of_the_other() -> None:
    box = TaskObject("box", (BOX,), Spawn((-0.2, 0.2), (0.0, 0.0), yaw=(-pi, pi)))
    of = task(box, thing("one", (0.1, 0.1), (0.0, 0.0), z=0.02, within="box"))
    for layout in layouts(of)[:10]:
        gap = layout.poses["one"][:3] - layout.poses["box"][:3]
        np.testing.assert_allclose(gap, rotate(layout.poses["box"][3:], (0.1, 0.0, 0.02)), atol=1e-12)


def test_heights_are_those_of_the_table_or_the_floor() -> None:
    of = task(thing("high", z=0.0), thing("low", z=0.0, floor=True), table=TablePlacement(top=0.6))
    layout = sample_scene(of, ALOHA, 0)
    assert layout.poses["high"][2] == pytest.approx(0.6) and layout.poses["low"][2] == pytest.approx(0.0)


def test_a_lowered_table_takes_down_what_stands_on_it() -> None:
    of = task(thing("one", z=0.0), table=TablePlacement(top=0.7))
    lowerings = []
    for seed in range(5):
        layout = sample_scene(of, ALOHA, seed, "random")
        lowerings.append(layout.visuals.table_lowering)
        assert layout.table.top == layout.poses["one"][2] == pytest.approx(0.7 - lowerings[-1])
        assert all(other.pose[2] == layout.table.top for other in layout.visuals.distractors)
    assert max(lowerings) > 0.005


def test_a_tilted_thing_lies_on_the_table() -> None:
    slab = TaskObject(
        "one", (ObjectSpec("block", {"size": (0.04, 0.06, 0.1)}),), Spawn(WIDE, DEEP, z=0.0, tilt=(pi / 2, 0, 0))
    )
    pose = sample_scene(task(slab), ALOHA, 0).poses["one"]
    np.testing.assert_allclose(rotate(pose[3:], (0.0, 0.0, 1.0)), (0.0, -1.0, 0.0), atol=1e-9)
    assert pose[2] == pytest.approx(0.74 + 0.03)  # half its thickness


def test_order_makes_the_first_the_nearest() -> None:
    names = ("one", "two", "three")
    of = task(*(thing(name) for name in names))
    by_y, by_side = (task(*of.objects, order=(ObjectOrder(names, by),)) for by in ("y", "side"))
    for free, near, side in zip(layouts(of), layouts(by_y), layouts(by_side), strict=True):
        assert sorted(near.poses[name][1] for name in names) == [near.poses[name][1] for name in names]
        keys = [(side.poses[name][0] >= 0, side.poses[name][1]) for name in names]
        assert sorted(keys) == keys
        places = [{tuple(layout.poses[name]) for name in names} for layout in (free, near, side)]
        assert places[0] == places[1] == places[2]


def test_like_shares_the_variant_and_unlike_does_not() -> None:
    spawn = Spawn(WIDE, DEEP)
    of = task(
        TaskObject("one", (CAN, BLOCK), spawn), TaskObject("two", (CAN, BLOCK), spawn, like="one"),
        TaskObject("three", (CAN, BLOCK), spawn, unlike="one"),
    )  # fmt: skip
    seen = [tuple(layout.specs[name].category for name in ("one", "two", "three")) for layout in layouts(of)]
    assert set(seen) == {("can", "can", "cube"), ("cube", "cube", "can")}


def test_unlike_among_several_categories_is_another_category() -> None:
    """Another colour of the same category is not unlike where there is another category."""
    spawn, green = Spawn(WIDE, DEEP), dataclasses.replace(CAN, colour="green")
    variants = (CAN, green, BLOCK)
    of = task(TaskObject("one", variants, spawn), TaskObject("two", variants, spawn, unlike="one"))
    for scene in layouts(of):
        assert scene.specs["one"].category != scene.specs["two"].category


def test_unlike_among_one_kind_is_another_variant() -> None:
    spawn, green = Spawn(WIDE, DEEP), dataclasses.replace(CAN, colour="green")
    of = task(TaskObject("one", (CAN, green), spawn), TaskObject("two", (CAN, green), spawn, unlike="one"))
    seen = [tuple(layout.specs[name].colour for name in ("one", "two")) for layout in layouts(of)]
    assert set(seen) == {("red", "green"), ("green", "red")}


def test_a_colour_is_drawn_where_there_is_a_choice() -> None:
    of = task(TaskObject("one", (CAN,), Spawn(WIDE, DEEP), colours=("blue", "green")), thing("two"))
    assert len({layout.colours["one"] for layout in layouts(of)}) == 2
    assert len({layout.colours["two"] for layout in layouts(of)}) == 1


def test_roles_take_the_sides_that_their_rules_say() -> None:
    arms = (
        ArmRole("l", "left"),
        ArmRole("r", "right"),
        ArmRole("s", "side:one"),
        ArmRole("o", "other:s"),
        ArmRole("f", "facing:one"),
    )
    seen = layouts(task(thing("one", yaw=(-pi, pi)), arms=arms))
    for layout in seen:
        place = layout.poses["one"]
        sides = layout.role_sides
        assert (sides["l"], sides["r"]) == ("left", "right")
        assert sides["s"] == ("left" if place[0] < 0 else "right") != sides["o"]
        assert sides["f"] == ("left" if rotate(place[3:], (0, -1, 0))[0] < 0 else "right")
        assert layout.role_arms == sides  # of a robot whose arms are called so
    assert len({layout.role_sides["s"] for layout in seen}) == len({layout.role_sides["f"] for layout in seen}) == 2


@pytest.mark.parametrize(("of", "says"), [
    (task(thing("one", min_abs_x=0.5)), "no layout in 2000 draws"),
    (task(thing("one"), order=(ObjectOrder(("one",), "z"),)), "unknown order 'z'; valid: side, y"),
    (task(thing("one"), arms=(ArmRole("a", "near:one"),)), "unknown arm rule 'near:one'; valid: left, right, "),
    (task(thing("one"), instructions=("take {two}",)), "unknown slot 'two' in 'take {two}'; valid: a, one, one.colour"),
])  # fmt: skip
def test_what_cannot_be_drawn_is_named(of: Task, says: str) -> None:
    with pytest.raises(SpecError, match=says.replace("{", r"\{")):
        sample_scene(of, ALOHA, 0)


def test_a_thing_is_called_by_its_nouns_and_a_telling_colour_is_always_said() -> None:
    assert ObjectDescription(CAN, "red", False).list_phrases(False) == (
        "the can",
        "the tin",
        "the red can",
        "the red tin",
    )
    assert ObjectDescription(CAN, "red", True).list_phrases(False) == ("the red can", "the red tin")
    assert ObjectDescription(CAN, "red", False).list_phrases(True) == ("the tube", "the red tube")
    assert ObjectDescription(BLOCK, "grey", False).list_phrases(True) == ("the cube", "the grey cube")  # no unseen noun
    assert ObjectDescription(ObjectSpec("disc"), "grey", True).list_phrases(False) == ("the grey disc",)


def test_slots_are_filled_with_things_colours_and_arms() -> None:
    of = task(thing("one"), instructions=("{a} takes {one}, the {one.colour} one",), unseen=("grab {one}",))
    named = {"one": ObjectDescription(CAN, "red", True)}
    rng = np.random.default_rng(0)
    said = {sample_instruction(of, named, {"a": "the left arm"}, "clean", rng) for _ in range(20)}
    assert said == {f"the left arm takes the red {noun}, the red one" for noun in ("can", "tin")}
    assert sample_instruction(of, named, {}, "random-eval", rng) == "grab the red tube"
    assert tuple(find_slots("{a} and {b.colour}")) == ("a", "b.colour")


def test_an_instruction_about_an_absent_thing_is_not_said() -> None:
    of = task(thing("one"), thing("two", optional=True), instructions=("take {two}", "take {one}"))
    named = {"one": ObjectDescription(CAN, "red", False)}
    rng = np.random.default_rng(0)
    said = {sample_instruction(of, named, {}, "clean", rng) for _ in range(40)}
    assert said == {f"take the {words}" for words in ("can", "tin", "red can", "red tin")}
    with pytest.raises(SpecError, match="every instruction names an absent object: two"):
        sample_instruction(task(*of.objects, instructions=("take {two}",)), named, {}, "clean", rng)


def test_random_variations_speak_as_they_should() -> None:
    of = task(thing("one"), instructions=("seen",), unseen=("unseen",))
    assert {kind: sample_scene(of, ALOHA, 1, kind).instruction for kind in ("clean", "random", "random-eval")} == {
        "clean": "seen", "random": "seen", "random-eval": "unseen",
    }  # fmt: skip
