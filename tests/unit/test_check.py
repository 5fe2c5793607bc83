"""Files of tasks with one mistake each: the message names the line, what is wrong and what would be right."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sim import tasks
from sim.expert.skills import SKILLS
from sim.objects import FAMILIES
from sim.objects.palette import PALETTE
from sim.task.predicates import PREDICATES
from sim.task.spec import SpecError, Task, to_json
from sim.task.validate import parse_task_json, validate_task
from sim.task.vocabulary import list_parameters
from sim.types import UserError

SOUND = """\
from sim.task.spec import ArmRole, TaskObject, ObjectOrder, ObjectSpec, Skill, Spawn, Task, Predicate

TASK = Task(
    name="tidy",
    instructions=(
        "put {cup} on {pad}",
        "use {a} to set {cup} on the {pad.colour} pad",
    ),
    unseen=(
        "{pad} is where {cup} belongs",
    ),
    objects=(
        TaskObject(
            "cup",
            variants=(
                ObjectSpec("bottle", {"radius": 0.03, "height": 0.2}, colour="blue"),
                ObjectSpec("can", {"radius": 0.03, "height": 0.09}),
            ),
            spawn=Spawn(x=(0.1, 0.3), y=(-0.2, 0.0), mirror="coin"),
        ),
        TaskObject(
            "pad",
            variants=(ObjectSpec("disc", {"radius": 0.05, "height": 0.01}),),
            spawn=Spawn(
                x=(-0.1, 0.1),
                y=(-0.2, 0.0),
                mirror="cup",
                apart=(("cup", 0.12),),
            ),
            colours=("red", "green"),
        ),
        TaskObject(
            "door",
            variants=(ObjectSpec("microwave"),),
            spawn=Spawn(x=(0.0, 0.0), y=(0.2, 0.2)),
            fixed=True,
        ),
    ),
    arms=(
        ArmRole("a", "side:cup"),
        ArmRole("b", "other:a"),
    ),
    success=(
        Predicate("near", {"a": "cup.bottom", "b": "pad.top", "xy": 0.03}),
        Predicate("gripper_open", {"arm": "all"}),
        Predicate("in_contact", {"a": "cup", "b": "table"}),
        Predicate("opened", {"joint": "door.door", "fraction": 0.5}),
        Predicate("within", {"point": "cup", "x": (0.0, 1.0), "mirror": "a"}),
    ),
    plan=(
        Skill("turn", {"arm": "b", "joint": "door.door", "grasp": "handle", "to": 0.5}),
        Skill("pick", {"arm": "a", "obj": "cup", "grasp": "side"}),
        Skill("place", {"arm": "a", "obj": "cup", "point": "bottom", "on": "pad.top"}, when="a!=b"),
        Skill("place", {"arm": "a", "obj": "cup", "to": (0.0, 0.0, 0.0)}, alongside=(Skill("home", {"arm": "b"}),)),
        Skill("press", {"arm": "a", "point": "pad.top"}),
    ),
    order=(ObjectOrder(("cup", "pad"), "side"),),
    horizon=500,
)
"""
POINTS = "cup.bottom, cup.centre, cup.top, pad.bottom, pad.centre, pad.top"
HORIZON = "a whole number a multiple of 4 and at least 4 and at most 100000"
DOOR = "door.bottom, door.top, door.handle, door.edge"


def read(text: str) -> Task:
    """Return the task that a module's text makes."""
    space: dict[str, object] = {}
    exec(compile(text, "tidy.py", "exec"), space)
    task = space["TASK"]
    assert isinstance(task, Task)
    return task


def test_the_sound_file_is_sound() -> None:
    validate_task(read(SOUND), SOUND, "tidy.py")


MISTAKES = {
    # what to replace, by what, where it is said, the message
    "predicate": (
        'Predicate("gripper_open", {', 'Predicate("gripper_oben", {', 45,
        "unknown predicate 'gripper_oben'; did you mean 'gripper_open'? valid: {predicates}",
    ),
    "predicate's keyword": (
        '"xy": 0.03', '"xyz": 0.03', 44,
        "unknown keyword of predicate 'near': 'xyz'; did you mean 'xy'? valid: {near}",
    ),
    "predicate's missing keyword": (
        '{"a": "cup.bottom", "b": "pad.top", "xy": 0.03}', '{"a": "cup.bottom"}', 44,
        "predicate 'near' lacks b; valid: {near}",
    ),
    "second of equal names": (
        'Predicate("gripper_open", {"arm": "all"})', 'Predicate("near", {"a": "cup.bottom"})', 45,
        "predicate 'near' lacks b; valid: {near}",
    ),
    "predicate's point": (
        '"a": "cup.bottom"', '"a": "cup.botom"', 44,
        "unknown point 'cup.botom'; did you mean 'cup.bottom'? valid: cup, pad, door, {points}",
    ),
    "point that one variant lacks": (
        '"a": "cup.bottom"', '"a": "cup.shoulder"', 44,
        "unknown point 'cup.shoulder'; valid: cup, pad, door, {points}",
    ),
    "predicate's role": ('"arm": "all"', '"arm": "c"', 45, "unknown role 'c'; valid: a, b, all, any"),
    "predicate's object": (
        '"a": "cup", "b": "table"', '"a": "cup.top", "b": "table"', 46,
        "unknown object 'cup.top'; did you mean 'cup'? valid: cup, pad, door, table",
    ),
    "predicate's joint": ('"door.door", "fraction', '"door.hinge", "fraction', 47,
                     "unknown joint 'door.hinge'; valid: door.door"),
    "predicate's mirror": ('"mirror": "a"', '"mirror": "cup"', 48, "unknown role 'cup'; valid: a, b"),
    "skill": ('Skill("press"', 'Skill("pres"', 55, "unknown skill 'pres'; did you mean 'press'? valid: {skills}"),
    "skill alongside": (
        'Skill("home"', 'Skill("hone"', 54, "unknown skill 'hone'; did you mean 'home'? valid: {skills}"
    ),
    "skill's keyword": (
        '"grasp": "side"}', '"grasp": "side", "lifts": 0.1}', 52,
        "unknown keyword of skill 'pick': 'lifts'; did you mean 'lift'? valid: {pick}",
    ),
    "skill's missing keyword": (
        '"obj": "cup", "grasp": "side"}', '"obj": "cup"}', 52,
        "skill 'pick' lacks grasp; valid: {pick}",
    ),
    "skill without a place": (
        ', "to": (0.0, 0.0, 0.0)}', "}", 54, "skill 'place' lacks on or to; valid: {place}",
    ),
    "skill's object": ('"obj": "cup", "grasp"', '"obj": "cip", "grasp"', 52,
                       "unknown object 'cip'; did you mean 'cup'? valid: cup, pad, door"),
    "skill's own point": ('"point": "bottom"', '"point": "cup.bottom"', 53,
                          "unknown point 'cup.bottom'; did you mean 'bottom'? valid: bottom, centre, top"),
    "skill's place": ('"on": "pad.top"', '"on": "pad.hat"', 53,
                      "unknown point 'pad.hat'; did you mean 'pad.top'? valid: cup, pad, door, {points}"),
    "press of a body": ('"point": "pad.top"}', '"point": "pad"}', 55,
                        "unknown point 'pad'; did you mean 'pad.top'? valid: {points}"),
    "skill's role": ('Skill("press", {"arm": "a"', 'Skill("press", {"arm": "all"', 55,
                     "unknown role 'all'; valid: a, b"),
    "skill's grasp": ('"grasp": "side"', '"grasp": "rim"', 52, "unknown grasp 'rim'; valid: side, top"),
    "grasp of another part": ('"grasp": "handle"', '"grasp": "case"', 51, "unknown grasp 'case'; valid: handle"),
    "condition": ('when="a!=b"', 'when="a or b"', 53,
                  "condition 'a or b' of skill 'place'; valid: ROLE=ROLE, ROLE!=ROLE"),
    "condition's role": ('when="a!=b"', 'when="a!=c"', 53, "unknown role 'c'; valid: a, b"),
    "slot": ("set {cup} on the", "set {cap} on the", 7,
             "unknown slot 'cap'; did you mean 'cup'? "
             "valid: cup, pad, door, cup.colour, pad.colour, door.colour, a, b"),
    "unseen slot": ("where {cup} belongs", "where {cup.size} belongs", 10,
                    "unknown slot 'cup.size'; valid: cup, pad, door, cup.colour, pad.colour, door.colour, a, b"),
    "brace": ('"put {cup} on', '"put {cup on', 6, "a brace of 'put {cup on {pad}' is not closed or not opened"),
    "family": ('ObjectSpec("can"', 'ObjectSpec("tin"', 17, "unknown family 'tin'; valid: {families}"),
    "parameter": ('ObjectSpec("can", {"radius": 0.03', 'ObjectSpec("can", {"radios": 0.03', 17,
                  "unknown keyword of family 'can': 'radios'; did you mean 'radius'? "
                  "valid: {can}"),
    "missing parameter": (
     'ObjectSpec("can", {"radius": 0.03, "height": 0.09}', 'ObjectSpec("can", {"radius": 0.03}', 17,
                          "family 'can' lacks height; valid: {can}"),
    "impossible parameter": (
     'ObjectSpec("disc", {"radius": 0.05, "height": 0.01}', 'ObjectSpec("mat", {"size": (0.1,)}', 23,
                             "family 'mat' of object 'pad': tuple index out of range"),
    "no size": ('ObjectSpec("disc", {"radius": 0.05', 'ObjectSpec("disc", {"radius": -0.05', 23,
                "family 'disc' of object 'pad': its sizes are not all lengths above 0"),
    "no length": ('ObjectSpec("disc", {"radius": 0.05', 'ObjectSpec("disc", {"radius": "wide"', 23,
                  "radius of family 'disc' is 'wide'; valid: a number"),
    "colour": ('"red", "green"', '"red", "grean"', 30,
               "unknown colour 'grean'; did you mean 'green'? valid: {colours}"),
    "variant's colour": ('colour="blue"', 'colour="blu"', 16,
                         "unknown colour 'blu'; did you mean 'blue'? valid: {colours}"),
    "name used twice": ('            "door",', '            "pad",', 33, "object 'pad': the name is used twice"),
    "role used twice": ('ArmRole("b", "other:a")', 'ArmRole("a", "right")', 41, "role 'a': the name is used twice"),
    "role named as an object": ('ArmRole("b", "other:a")', 'ArmRole("pad", "right")', 41,
                                "role 'pad': the name is used twice"),
    "name that is taken": ('            "pad",', '            "table",', 22,
                           "object 'table': not a name; valid: any word but table, world, all, any, coin"),
    "mirror": ('mirror="cup"', 'mirror="-mug"', 27, "unknown object before 'pad' in mirror 'mug'; valid: cup"),
    "apart from a later one": ('apart=(("cup"', 'apart=(("door"', 28,
                               "unknown object before 'pad' in apart 'door'; valid: cup"),
    "inside a later one": ('y=(-0.2, 0.0),\n                mirror="cup"', 'y=(-0.2, 0.0), within="door"', 26,
                           "unknown object before 'pad' in within 'door'; valid: cup"),
    "like a later one": ('colours=("red", "green")', 'like="door"', 30,
                         "unknown object before 'pad' in like 'door'; valid: cup"),
    "unlike nothing": ('colours=("red", "green")', 'unlike="mug"', 30,
                       "unknown object before 'pad' in unlike 'mug'; valid: cup"),
    "like another number": ('colours=("red", "green")', 'like="cup"', 22,
                            "'pad' is like 'cup' and has not as many variants"),
    "order": ('"pad"), "side")', '"pad"), "x")', 57, "unknown order 'x'; valid: side, y"),
    "order's object": ('ObjectOrder(("cup", "pad")', 'ObjectOrder(("cup", "pat")', 57,
                       "unknown object 'pat'; did you mean 'pad'? valid: cup, pad, door"),
    "arm rule": ('"side:cup"', '"near:cup"', 40,
                 "unknown arm rule 'near:cup'; valid: left, right, side:OBJECT, facing:OBJECT, other:ROLE"),
    "arm rule's object": ('"side:cup"', '"facing:mug"', 40, "unknown object 'mug'; valid: cup, pad, door"),
    "arm rule's role": ('"other:a"', '"other:b"', 41, "unknown role before 'b' 'b'; valid: a"),
    "range": ("x=(-0.1, 0.1),", "x=(0.1, -0.1),", 25, "spawn.x of 'pad': 0.1 is more than -0.1"),
    "off the table": ("x=(-0.1, 0.1),", "x=(-0.1, 0.7),", 25,
                      "spawn.x of 'pad': -0.1 to 0.7 is off the table; valid: -0.6 to 0.6"),
    "behind the table": ("y=(0.2, 0.2)", "y=(0.2, 0.4)", 35,
                         "spawn.y of 'door': 0.2 to 0.4 is off the table; valid: -0.35 to 0.35"),
    "no room": ('("cup", 0.12)', '("cup", 0.9)', 12,
                "no layout in 2000 draws; its spawn regions leave no room"),
    "horizon": ("horizon=500", "horizon=0", 58, "horizon of task is 0; valid: {horizon}"),
    "type": ("horizon=500", 'horizon="long"', 58, "horizon of task is 'long'; valid: {horizon}"),
}  # fmt: skip


def message(text: str) -> str:
    """Return a message with the long lists of valid names filled in."""
    lists = {
        "predicates": PREDICATES, "skills": SKILLS, "families": FAMILIES, "colours": PALETTE, "points": (POINTS, DOOR),
        "near": list_parameters(PREDICATES["near"], 1), "place": list_parameters(SKILLS["place"], 1),
        "horizon": (HORIZON,), "fields": [field.name for field in dataclasses.fields(Task)],
        "pick": list_parameters(SKILLS["pick"], 1), "can": list_parameters(FAMILIES["can"], 0),
    }  # fmt: skip
    for name, valid in lists.items():
        text = text.replace(f"{{{name}}}", ", ".join(valid))
    return text


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_line(mistake: str) -> None:
    good, bad, line, says = MISTAKES[mistake]
    assert SOUND.count(good) == 1, "the mistake is made in one place"
    text = SOUND.replace(good, bad)
    with pytest.raises(SpecError) as caught:
        validate_task(read(text), text, "tidy.py")
    assert str(caught.value) == f"tidy.py:{line}: {message(says)}"


def test_json_is_read_like_a_module() -> None:
    task = read(SOUND)
    assert parse_task_json(to_json(task)) == task
    assert parse_task_json(json.dumps(json.loads(to_json(task)), indent=1)) == task


JSON_MISTAKES = {
    "syntax": ('"horizon": 500', '"horizon": 500 500', "Expecting ',' delimiter"),
    "missing": ('"horizon"', '"horizons"', "not a task: unknown field 'horizons' of task; valid: {fields}"),
    "type": ('"horizon": 500', '"horizon": "500"', "horizon of task is '500'; valid: {horizon}"),
    "horizon": ('"horizon": 500', '"horizon": 0', "horizon of task is 0; valid: {horizon}"),
    "predicate": (
        '"name": "in_contact"',
        '"name": "in_contac"',
        "unknown predicate 'in_contac'; did you mean 'in_contact'? valid: {predicates}",
    ),
    "grasp": ('"grasp": "side"', '"grasp": "rim"', "unknown grasp 'rim'; valid: side, top"),
    "point": ('"point": "bottom"', '"point": "low"', "unknown point 'low'; valid: bottom, centre, top"),
    "spawn": ('"mirror": "coin"', '"mirror": "pad"', "unknown object before 'cup' in mirror 'pad'; valid: none"),
}


@pytest.mark.parametrize("mistake", JSON_MISTAKES)
def test_a_mistake_in_json_is_named_with_its_line(mistake: str, tmp_path: Path) -> None:
    good, bad, says = JSON_MISTAKES[mistake]
    text = json.dumps(json.loads(to_json(read(SOUND))), indent=1)
    assert text.count(good) == 1
    text = text.replace(good, bad)
    file = tmp_path / "tidy.json"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        tasks.load_task_file(file)
    line = next(k for k, line in enumerate(text.splitlines(), 1) if bad in line)
    found = str(caught.value).replace("not a task: Expecting", "Expecting").partition(": line")[0]
    assert found == f"{file}:{line}: {message(says)}"


@pytest.mark.parametrize("text", ["[]", "3", '"task"', "null", "{}", '{"objects": 3}', ""])
def test_what_is_no_task_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SpecError, match=r"^x\.json:1: not a task: [^\n]*$"):
        parse_task_json(text, "x.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file .*none\.json; files of "):
        tasks.load_task_file(tmp_path / "none.json")


def test_a_saved_task_loads_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "bell.json"
    file.write_text(to_json(tasks.load_task("click_bell")))
    assert tasks.load_task_file(file) == tasks.load_task("click_bell")


def test_without_a_source_the_task_is_named() -> None:
    task = dataclasses.replace(read(SOUND), horizon=0)
    with pytest.raises(SpecError, match=r"^task 'tidy': horizon of task is 0; valid: "):
        validate_task(task)


def test_what_may_be_absent_is_not_counted_on() -> None:
    task = read(SOUND.replace('mirror="coin"', 'optional=True, mirror="coin"'))
    with pytest.raises(SpecError, match=r"unknown object before 'pad' in mirror 'cup'; valid: none$"):
        validate_task(task)
    task = read(SOUND.replace('apart=(("cup", 0.12),),', "optional=True,"))
    with pytest.raises(SpecError, match="each of instructions names an object that may be absent: pad"):
        validate_task(task)


def test_every_suite_lists_its_tasks() -> None:
    assert "robotwin50" in tasks.list_suites()
    assert tasks.list_suite_tasks("all") == tasks.list_tasks()
    assert set(tasks.list_suite_tasks("robotwin50")) <= set(
        tasks.list_tasks()
    ) and "click_bell" in tasks.list_suite_tasks("robotwin50")
    assert tasks.load_task("click_bell").suite == "robotwin50"
    with pytest.raises(UserError, match=r"unknown suite 'robotwin5'; did you mean 'robotwin50'\? valid: all, "):
        tasks.list_suite_tasks("robotwin5")


def test_a_list_of_names_loads_neither_tasks_nor_physics() -> None:
    tell = "print(*(name in sys.modules for name in ('mujoco', 'sim.tasks.click_bell')))"
    code = f"import sys, sim.tasks; sim.tasks.list_tasks(); {tell}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
