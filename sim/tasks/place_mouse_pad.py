"""Put a computer mouse on a coloured mat, along it."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_mouse_pad",
    suite="robotwin50",
    instructions=(
        "put {mouse} on {pad}",
        "set {mouse} down in the middle of {pad}",
        "use {a} to place {mouse} on the {pad.colour} mat",
        "pick {mouse} up with {a} and lay it along {pad}",
        "{mouse} belongs on the {pad.colour} mat",
        "move {mouse} onto {pad} and straighten it",
    ),
    unseen=(
        "with {a}, bring {mouse} home to {pad}",
        "centre {mouse} on {pad}",
    ),
    objects=(
        TaskObject(
            "mouse",
            variants=find_specs("mouse"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.2, 0.0), yaw=(-pi, pi), min_abs_x=0.05),
        ),
        TaskObject(
            "pad",
            variants=(ObjectSpec("mat", {"size": (0.07, 0.13)}, "mat", nouns=("mat", "pad", "mouse pad")),),
            spawn=Spawn(x=(0.05, 0.25), y=(-0.2, 0.0), z=0.0, mirror="mouse", apart=(("mouse", 0.1),)),
            colours=("red", "green", "blue", "yellow", "cyan", "magenta", "black", "grey"),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:mouse"),),
    success=(
        Predicate("near", {"a": "mouse.bottom", "b": "pad.top", "x": 0.015, "y": 0.012}),
        Predicate(
            "pointing",
            {"point": "mouse.bottom", "axis": (0.0, 1.0, 0.0), "along": (0.0, 1.0, 0.0), "angle": 0.45, "both": True},
        ),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "mouse", "grasp": "top", "pre": 0.08, "lift": 0.08}),
        Skill("place", {"arm": "a", "obj": "mouse", "on": "pad.bottom", "yaw": (0.0, pi), "pre": 0.07}),
    ),
    horizon=400,
)
