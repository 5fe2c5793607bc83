"""Lift a lying bottle to the outside of the table and hold it the right way up."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

BOTTLES = find_specs("bottle")

TASK = Task(
    name="adjust_bottle",
    suite="robotwin50",
    instructions=(
        "pick {bottle} up and hold it the right way up",
        "with {a}, lift {bottle} so that its cap points upward",
        "{bottle} is lying down; raise it upright with {a}",
        "take {bottle} off the table, cap up",
        "use {a} to bring {bottle} upright",
        "stand {bottle} up in the air",
    ),
    unseen=(
        "hold {bottle} so that nothing would flow out of it",
        "{a} should turn {bottle} upright and keep it raised",
    ),
    objects=(
        TaskObject(
            "bottle",
            variants=(BOTTLES[0], BOTTLES[2]),
            spawn=Spawn(x=(0.08, 0.12), y=(-0.13, -0.08), yaw=(-0.4, 0.4), tilt=(0.0, -pi / 2, 0.0), mirror="coin"),
        ),
    ),
    arms=(ArmRole("a", "side:bottle"),),
    success=(Predicate("within", {"point": "bottle.bottom", "x": (0.15, 9.0), "z": (0.16, 9.0), "mirror": "a"}),),
    plan=(
        Skill("pick", {"arm": "a", "obj": "bottle", "grasp": "side", "pre": 0.1, "lift": 0.1}),
        Skill("carry", {"arm": "a", "obj": "bottle", "to": (0.25, -0.12, 0.21), "mirror": "a"}),
    ),
    horizon=400,
)
