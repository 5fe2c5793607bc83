"""Values of a task are checked by type, length and range; what would always or never hold is refused."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

import pytest

from sim import tasks
from sim.expert.skills import SKILLS
from sim.objects import FAMILIES
from sim.task.predicates import PREDICATES
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, SpecError, TablePlacement, Task
from sim.task.validate import validate_task
from sim.task.values import (
    UNBOUNDED,
    Bound,
    Direction,
    Fraction,
    Interval,
    Length,
    MinItems,
    check_value,
    describe_hint,
    resolve_hints,
)
from sim.task.vocabulary import PREDICATE_KEYWORDS, SKILL_KEYWORDS, find_reference, list_parameters

CUP = tasks.load_unvalidated_task("place_empty_cup")
LAPTOP = tasks.load_unvalidated_task("open_laptop")

GOOD_VALUES = [
    (Length, 0.1), (Length, 1), (Fraction, 0), (Fraction, 1.0), (Direction, (0.0, 0.0, -1.0)), (bool, True),
    (tuple[float, float], (1, 2.0)), (tuple[float, ...], ()), (str | tuple[str, ...], ("a", "b")),
    (tuple[()] | tuple[float, float], ()), (Annotated[tuple[str, ...], MinItems(2)], ("a", "b")),
    (Annotated[tuple[float, float], Interval()], (-UNBOUNDED, 0.1)), (Annotated[int, Bound(multiple_of=4)], 8),
]  # fmt: skip
BAD_VALUES = [
    (Length, 0.0), (Length, -1.0), (Length, "4cm"), (Length, math.nan), (Length, math.inf), (Length, True),
    (Length, None), (Length, (0.1,)), (Length, UNBOUNDED), (Fraction, 1.01), (Direction, (0.0, 0.0, 0.0)),
    (Direction, (0.0, 1.0)), (float, 1e6), (float, "half"), (int, 2.0), (int, -1), (int, 10**9), (bool, 1), (str, 3),
    (str, ("a",)), (tuple[float, float], (1.0,)), (tuple[float, float], [1.0, 2.0]), (tuple[float, ...], (1.0, "a")),
    (tuple[()] | tuple[float, float], (1.0,)), (Annotated[tuple[str, ...], MinItems(2)], ("a", "a")),
    (Annotated[tuple[float, float], Interval()], (0.2, 0.1)), (Annotated[int, Bound(multiple_of=4)], 6),
    (Annotated[tuple[float, float], Interval()], (-UNBOUNDED, UNBOUNDED)), (dict[str, float], {"a": [1]}),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "value"), GOOD_VALUES)
def test_values_of_a_type_are_accepted(hint: Any, value: object) -> None:  # noqa: ANN401
    assert check_value(value, hint)


@pytest.mark.parametrize(("hint", "value"), BAD_VALUES)
def test_values_of_another_type_or_out_of_range_are_not(hint: Any, value: object) -> None:  # noqa: ANN401
    assert not check_value(value, hint)
    assert describe_hint(hint)


def predicates(*more: Predicate, task: Task = CUP) -> Task:
    return dataclasses.replace(task, success=(*task.success, *more))


def plan(*skills: Skill) -> Task:
    return dataclasses.replace(CUP, plan=skills)


PICK = Skill("pick", {"arm": "a", "obj": "cup", "grasp": "rim"})
PLACE = Skill("place", {"arm": "a", "obj": "cup", "on": "coaster.top"})


def cup_object(**fields: object) -> Task:
    return dataclasses.replace(CUP, objects=(dataclasses.replace(CUP.objects[0], **fields), *CUP.objects[1:]))


def spawn(**fields: object) -> Task:
    return cup_object(spawn=dataclasses.replace(CUP.objects[0].spawn, **fields))


REFUSED = {
    "a text for a number": (
        predicates(Predicate("near", {"a": "cup", "b": "coaster", "xy": "4cm"})),
        "xy of predicate 'near' is '4cm'; valid: a number above 0 and below 9",
    ),
    "a word for a fraction": (
        dataclasses.replace(LAPTOP, plan=(*LAPTOP.plan, Skill("turn", {
            "arm": "a", "joint": "laptop.hinge", "grasp": "lid", "to": "half"}))),
        "to of skill 'turn' is 'half'; valid: a number at least 0 and at most 1",
    ),
    "a tuple for a fraction": (
        predicates(Predicate("opened", {"joint": "laptop.hinge", "fraction": (0.0, 0.05)}), task=LAPTOP),
        "fraction of predicate 'opened' is (0.0, 0.05); valid: a number above 0 and at most 1",
    ),
    "a word for a distance": (
        plan(Skill("pick", {**PICK.args, "pre": "far"}), PLACE),
        "pre of skill 'pick' is 'far'; valid: a number at least 0 and at most 0.5",
    ),
    "a length of tuples": (
        plan(PICK, Skill("place", {"arm": "a", "obj": "cup", "to": (0.0, 0.1)})),
        "to of skill 'place' is (0.0, 0.1); valid: nothing () or a tuple of 3, each a number",
    ),
    "a direction without one": (
        predicates(Predicate("pointing", {"point": "cup.bottom", "along": (0.0, 0.0, 0.0), "angle": 0.1})),
        "along of predicate 'pointing' is (0.0, 0.0, 0.0); valid: a tuple of 3, each a number, not all 0",
    ),
    "opened by nothing": (
        predicates(Predicate("opened", {"joint": "laptop.hinge", "fraction": 0.0}), task=LAPTOP),
        "fraction of predicate 'opened' is 0.0; valid: a number above 0 and at most 1",
    ),
    "near without a limit": (
        predicates(Predicate("near", {"a": "cup", "b": "coaster"})),
        "predicate 'near' has no limit and would always hold; valid: one or more of x, y, z, xy, total",
    ),
    "within everything": (
        predicates(Predicate("within", {"point": "cup"})),
        "predicate 'within' has no limit and would always hold; valid: one or more of x, y, z",
    ),
    "within all numbers": (
        predicates(Predicate("within", {"point": "cup", "x": (-9.0, 9.0)})),
        "x of predicate 'within' is (-9.0, 9.0); valid: a tuple of 2, each a number, the first below the second, "
        "one of them within -9 to 9",
    ),
    "near itself": (
        predicates(Predicate("near", {"a": "cup", "b": ("coaster", "cup"), "xy": 0.1})),
        "predicate 'near' speaks of 'cup' as both a and b; valid: two different ones",
    ),
    "low above high": (
        predicates(Predicate("raised", {"obj": "cup", "low": 0.3, "high": 0.1})),
        "low 0.3 of predicate 'raised' is not below high 0.1",
    ),
    "one height for two": (
        predicates(Predicate("stacked", {"objs": ("cup", "coaster"), "x": 0.1, "y": 0.1, "heights": (0.1,)})),
        "heights of predicate 'stacked' are 1 for 2 objs; valid: one each",
    ),
    "mass 0": (cup_object(mass=0), "mass of task object is 0; valid: a number at least 0.001 and at most 20"),
    "mass -1": (cup_object(mass=-1.0), "mass of task object is -1.0; valid: a number at least 0.001 and at most 20"),
    "a table 5 m high": (
        dataclasses.replace(CUP, table=TablePlacement(top=5.0)),
        "top of table placement is 5.0; valid: a number at least 0.4 and at most 1.1",
    ),
    "half a picture": (
        dataclasses.replace(CUP, horizon=402),
        "horizon of task is 402; valid: a whole number a multiple of 4 and at least 4 and at most 100000",
    ),
    "no time for the plan": (
        dataclasses.replace(CUP, horizon=20),
        "horizon 20 is too short for 2 skills; valid: at least 40 control steps",
    ),
    "a spawn that is no range": (spawn(x=0.1), "x of spawn is 0.1; valid: a tuple of 2, each a number"),
    "a negative distance": (
        spawn(min_abs_x=-0.1), "min_abs_x of spawn is -0.1; valid: a number at least 0"
    ),
    "place before pick": (
        plan(PLACE), "skill 'place' of 'cup', which arm 'a' has not picked before; valid: none",
    ),
    "place twice": (
        plan(PICK, PLACE, PLACE), "skill 'place' of 'cup', which arm 'a' has not picked before; valid: none",
    ),
    "carry after release": (
        plan(PICK, Skill("release", {"arm": "a"}), Skill("carry", PLACE.args)),
        "skill 'carry' of 'cup', which arm 'a' has not picked before; valid: none",
    ),
    "shake of another": (
        plan(PICK, Skill("shake", {"arm": "a", "obj": "coaster"}), PLACE),
        "skill 'shake' of 'coaster', which arm 'a' has not picked before; valid: cup",
    ),
    "a place and a point": (
        plan(PICK, Skill("place", {**PLACE.args, "to": (0.0, 0.0, 0.0)})),
        "skill 'place' has both on and to; valid: one of them",
    ),
    "a role for nothing": (
        dataclasses.replace(CUP, arms=(*CUP.arms, ArmRole("c", "left"))),
        "role 'c' is not used; valid: in plan, success, instructions or another role's rule",
    ),
    "said twice": (
        dataclasses.replace(CUP, instructions=(*CUP.instructions, CUP.instructions[0])),
        f"{CUP.instructions[0]!r} is said twice",
    ),
    "a giant": (
        cup_object(variants=(ObjectSpec("cup", {"radius": 4.0, "height": 8.0}),)),
        "family 'cup' of object 'cup': its largest length is 4.001 m; valid: 0.001 to 2",
    ),
    "too many sides": (
        cup_object(variants=(ObjectSpec("cup", {"radius": 0.04, "height": 0.1, "sides": 10**9}),)),
        "sides of family 'cup' is 1000000000; valid: a whole number",
    ),
    "a list for a number": (
        cup_object(variants=(ObjectSpec("cup", {"radius": (0.04,), "height": 0.1}),)),
        "radius of family 'cup' is (0.04,); valid: a number",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused(case: str) -> None:
    task, says = REFUSED[case]
    with pytest.raises(SpecError) as caught:
        validate_task(task)
    assert str(caught.value) == f"task {task.name!r}: {says}"


def test_only_skills_that_every_scene_has_are_sure_to_take_time() -> None:
    """What has a condition may be left out, and what runs alongside takes no time of its own."""
    maybe, beside = dataclasses.replace(PLACE, when="a=a"), Skill("home", {"arm": "a"})
    plan = (PICK, *[maybe] * 3, dataclasses.replace(PLACE, alongside=(beside,)))
    validate_task(dataclasses.replace(CUP, plan=plan, horizon=40))
    with pytest.raises(SpecError, match="horizon 36 is too short for 5 skills; valid: at least 40 control steps"):
        validate_task(dataclasses.replace(CUP, plan=plan, horizon=36))


def test_a_handover_counts_as_a_pick() -> None:
    validate_task(tasks.load_unvalidated_task("handover_block"))
    task = tasks.load_unvalidated_task("handover_block")
    others = tuple(skill for skill in task.plan if not (skill.name == "pick" and skill.args["arm"] == "b"))
    assert len(others) == len(task.plan) - 1
    with pytest.raises(SpecError, match="which arm 'b' has not picked before"):
        validate_task(dataclasses.replace(task, plan=others))


WORDS = [
    pytest.param(kind, function, num_skipped, id=f"{kind} {name}")
    for kind, functions, num_skipped in (("predicate", PREDICATES, 1), ("skill", SKILLS, 1), ("family", FAMILIES, 0))
    for name, function in functions.items()
]


@pytest.mark.parametrize(("mirror", "is_refused"), [("", False), ("coin", True)])
def test_a_thing_that_a_coin_mirrors_must_fit_the_table_on_both_sides(mirror: str, is_refused: bool) -> None:
    """The table stands to the right: the same range is on it where it is given and off it where it is mirrored."""
    bell = tasks.load_unvalidated_task("click_bell")
    spawn = dataclasses.replace(bell.objects[0].spawn, x=(0.4, 0.7), mirror=mirror)
    task = dataclasses.replace(
        bell,
        objects=(dataclasses.replace(bell.objects[0], spawn=spawn),),
        table=dataclasses.replace(bell.table, x=0.3),
    )
    if is_refused:
        with pytest.raises(SpecError, match=r"0\.4 to 0\.7 is off the table; valid: -0\.3 to 0\.9"):
            validate_task(task)
    else:
        validate_task(task)


@pytest.mark.parametrize(("kind", "function", "num_skipped"), WORDS)
def test_every_word_can_be_checked(kind: str, function: Callable[..., Any], num_skipped: int) -> None:
    """A keyword has a type that is understood, a default of that type, and texts of tasks refer to something."""
    assert inspect.getdoc(function)
    hints = resolve_hints(function)
    for key, parameter in list_parameters(function, num_skipped).items():
        assert describe_hint(hints[key])
        default = parameter.default
        if default is not inspect.Parameter.empty and default != math.inf and default != (-UNBOUNDED, UNBOUNDED):
            assert check_value(default, hints[key]), f"default {default} of {key}"
        base = get_args(hints[key])[0] if get_origin(hints[key]) is Annotated else hints[key]
        if kind != "family" and "str" in str(base):
            references = PREDICATE_KEYWORDS if kind == "predicate" else SKILL_KEYWORDS
            assert find_reference(references, function.__name__, key), f"{key} may say anything"
