"""Serve a burger and fries on a tray, an arm for each.

The fries keep 0.22 m away from the tray's middle, so that a finger finds room between them.
"""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_burger_fries",
    suite="robotwin50",
    instructions=(
        "put {burger} and {fries} on {tray} with both arms",
        "serve {burger} and {fries} on {tray}",
        "set {burger} at the left of {tray} and {fries} at its right",
        "use {a} for {burger} and {b} for {fries}: both go on {tray}",
        "make a meal on {tray}: {burger} on the left, {fries} on the right",
        "pick up {burger} and {fries} together and place them on {tray}",
    ),
    unseen=(
        "lay the table: {tray} needs {burger} and {fries} side by side",
        "{a} brings {burger} to {tray} and {b} brings {fries}",
    ),
    objects=(
        TaskObject("tray", variants=find_specs("tray"), spawn=Spawn(x=(0.0, 0.0), y=(-0.15, -0.1)), fixed=True),
        TaskObject("burger", variants=find_specs("burger"), spawn=Spawn(x=(-0.3, -0.25), y=(-0.15, -0.07))),
        TaskObject(
            "fries", variants=find_specs("fries"), spawn=Spawn(x=(0.2, 0.3), y=(-0.15, -0.07), apart=(("tray", 0.22),))
        ),
    ),
    arms=(ArmRole("a", "left"), ArmRole("b", "right")),
    success=(
        Predicate("near", {"a": "burger.bottom", "b": "tray.left", "xy": 0.08}),
        Predicate("near", {"a": "fries.bottom", "b": "tray.right", "xy": 0.08}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill(
            "pick",
            {"arm": "a", "obj": "burger", "grasp": "top", "pre": 0.1, "lift": 0.1},
            alongside=(Skill("pick", {"arm": "b", "obj": "fries", "grasp": "top", "pre": 0.1, "lift": 0.1}),),
        ),
        Skill(
            "place",
            {"arm": "a", "obj": "burger", "on": "tray.left", "pre": 0.06},
            alongside=(Skill("carry", {"arm": "b", "obj": "fries", "to": (0.2, -0.13, 0.1)}),),
        ),
        Skill("place", {"arm": "b", "obj": "fries", "on": "tray.right", "pre": 0.06}),
    ),
    horizon=500,
)
