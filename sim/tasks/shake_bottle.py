"""Lift a lying bottle upright and shake it up and down."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="shake_bottle",
    suite="robotwin50",
    instructions=(
        "shake {bottle}",
        "pick {bottle} up and shake it",
        "grab {bottle} with {a} and shake it",
        "give {bottle} a shake",
        "take {bottle} in {a}, hold it upright and shake it",
        "use {a} to shake up what is in {bottle}",
    ),
    unseen=(
        "stir the contents of {bottle} by shaking",
        "with {a}, raise {bottle} and swing it up and down",
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
        Skill("shake", {"arm": "a", "obj": "bottle", "times": 3}),
    ),
    horizon=700,
)
