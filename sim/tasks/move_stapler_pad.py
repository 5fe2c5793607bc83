"""Put a stapler on a coloured mat, along it."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="move_stapler_pad",
    suite="robotwin50",
    instructions=(
        "put {stapler} on {pad}, along it",
        "move {stapler} onto {pad}",
        "use {a} to carry {stapler} to the {pad.colour} mat",
        "take {stapler} with {a} and lay it straight on {pad}",
        "{stapler} goes on the {pad.colour} mat, lengthwise",
        "set {stapler} down on {pad} so that both point the same way",
    ),
    unseen=(
        "bring {stapler} over to {pad} and line it up",
        "with {a}, park {stapler} on the {pad.colour} rectangle",
    ),
    objects=(
        TaskObject(
            "stapler",
            variants=find_specs("stapler"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.2, 0.0), yaw=(-pi, pi), min_abs_x=0.05),
        ),
        TaskObject(
            "pad",
            variants=(ObjectSpec("mat", {"size": (0.11, 0.06)}, "mat", nouns=("mat", "pad", "rectangle")),),
            spawn=Spawn(x=(0.05, 0.25), y=(-0.2, 0.0), z=0.0, mirror="stapler", apart=(("stapler", 0.1),)),
            colours=("red", "green", "blue", "yellow", "cyan", "magenta", "black", "grey"),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:stapler"),),
    success=(
        Predicate("near", {"a": "stapler.bottom", "b": "pad.top", "x": 0.02, "y": 0.02, "z": 0.01}),
        Predicate("oriented", {"a": "stapler", "angle": 0.04, "turns": 2}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "stapler", "grasp": "top", "pre": 0.1, "lift": 0.1}),
        Skill("place", {"arm": "a", "obj": "stapler", "on": "pad.bottom", "yaw": (0.0, pi), "stop": 0.001}),
    ),
    horizon=400,
)
