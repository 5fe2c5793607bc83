"""Stand a fan on a coloured mat, its front to the robot."""

from math import pi

from sim.catalogue import find_specs
from sim.objects.palette import MAT_COLOURS
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_fan",
    suite="robotwin50",
    instructions=(
        "put {fan} on {pad}, facing the robot",
        "stand {fan} on {pad} so that it blows at the robot",
        "use {a} to set {fan} on the {pad.colour} mat, front to the robot",
        "take {fan} with {a}, turn it to yourself and put it on {pad}",
        "move {fan} onto {pad} and let it face you",
        "{fan} goes on the {pad.colour} mat with its front towards you",
    ),
    unseen=(
        "with {a}, place {fan} on {pad} and point it at the robot",
        "{pad} is where {fan} should stand, blowing this way",
    ),
    objects=(
        TaskObject(
            "fan",
            variants=find_specs("fan"),
            spawn=Spawn(x=(-0.1, 0.1), y=(-0.15, -0.05), yaw=(-pi, pi)),
        ),
        TaskObject(
            "pad",
            variants=(ObjectSpec("mat", {"size": (0.1, 0.1, 0.002)}, "mat", nouns=("mat", "pad", "square")),),
            spawn=Spawn(x=(0.15, 0.25), y=(-0.15, -0.05), z=0.0, mirror="fan"),
            colours=MAT_COLOURS,
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:fan"),),
    success=(
        Predicate("oriented", {"a": "fan", "angle": 0.14}),
        Predicate("near", {"a": "fan.bottom", "b": "pad.top", "x": 0.04, "y": 0.04, "z": 0.04}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "fan", "grasp": "top", "pre": 0.05, "lift": 0.05}),
        Skill("place", {"arm": "a", "obj": "fan", "on": "pad.bottom", "yaw": (0.0,), "pre": 0.04}),
    ),
    horizon=400,
)
