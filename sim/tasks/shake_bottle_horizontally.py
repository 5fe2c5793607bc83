"""Lift a lying bottle and shake it held level."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="shake_bottle_horizontally",
    suite="robotwin50",
    instructions=(
        "shake {bottle} horizontally",
        "hold {bottle} level and shake it",
        "shake {bottle} sideways using {a}",
        "pick {bottle} up and shake it while it is level",
        "with {a}, shake {bottle} lying flat in the hand",
        "take {bottle} in {a} and shake it horizontally",
    ),
    unseen=(
        "rock {bottle} to and fro, kept on its side",
        "let {a} raise {bottle}, turn it level and shake it",
    ),
    objects=(
        TaskObject(
            "bottle",
            variants=find_specs("bottle", "big_bottle"),
            spawn=Spawn(x=(0.1, 0.15), y=(-0.15, -0.05), yaw=(-0.79, 0.79), tilt=(-pi / 2, 0.0, 0.0), mirror="coin"),
            mass=0.02,
        ),
    ),
    arms=(ArmRole("a", "side:bottle"),),
    success=(Predicate("within", {"point": "bottle.bottom", "z": (0.06, 9.0)}),),
    plan=(
        Skill("pick", {"arm": "a", "obj": "bottle", "grasp": "level", "pre": 0.1, "lift": 0.1}),
        Skill(
            "carry",
            {"arm": "a", "obj": "bottle", "to": (0.15, -0.1, 0.16), "mirror": "a", "facing": (0.0, 1.0, 0.0)},
        ),
        Skill("shake", {"arm": "a", "obj": "bottle", "times": 3, "roll": pi / 2}),
    ),
    horizon=700,
)
