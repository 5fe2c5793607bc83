"""Bring a mug to the middle with one arm, then hang it by its handle on a rack with the other."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="hanging_mug",
    suite="robotwin50",
    instructions=(
        "hang {mug} on {rack}",
        "move {mug} to the middle with {a}, then hang it on {rack} with {b}",
        "put the handle of {mug} over the peg of {rack}",
        "bring {mug} to the centre and hook it onto {rack}",
        "{a} sets {mug} down in the middle, {b} hangs it up on {rack}",
    ),
    unseen=(
        "{mug} belongs on {rack}, by its handle",
        "with {b} hook {mug} on {rack} after {a} has brought it over",
    ),
    objects=(
        TaskObject(
            "mug",
            variants=find_specs("mug"),
            spawn=Spawn(x=(-0.25, -0.1), y=(-0.05, 0.05), yaw=(-1.57, 1.57), behind=0.15),
            mass=0.06,
        ),
        TaskObject(
            "rack",
            variants=find_specs("rack"),
            spawn=Spawn(x=(0.1, 0.3), y=(0.13, 0.17), yaw=(-0.2, 0.2)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "left"), ArmRole("b", "right")),
    success=(
        Predicate("near", {"a": "mug.handle", "b": "rack.hang", "x": 0.02, "y": 0.02}),
        Predicate("within", {"point": "mug.handle", "z": (0.12, 9.0)}),
        Predicate("gripper_open", {"arm": "b"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "mug", "grasp": "rim", "pre": 0.05}),
        Skill("place", {"arm": "a", "obj": "mug", "to": (0.0, -0.15, 0.0), "retreat": 0.1}),
        Skill("pick", {"arm": "b", "obj": "mug", "grasp": "rim", "pre": 0.05, "lift": 0.1}),
        Skill(
            "place",
            {
                "arm": "b",
                "obj": "mug",
                "point": "handle",
                "on": "rack.peg",
                "yaw": (-pi / 2,),
                "pre": 0.06,
                "stop": -0.035,
            },
        ),
    ),
    horizon=900,
)
