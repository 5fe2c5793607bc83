"""Set a can down beside a pot."""

from math import pi, radians

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="move_can_pot",
    suite="robotwin50",
    instructions=(
        "put {can} next to {pot}",
        "set {can} beside {pot} with {a}",
        "move {can} over to {pot}",
        "use {a} to stand {can} at the side of {pot}",
        "{can} belongs beside {pot}",
        "bring {can} close to {pot}",
    ),
    unseen=(
        "let {a} shift {can} right next to {pot}",
        "place {can} alongside {pot}",
    ),
    objects=(
        TaskObject(
            "pot",
            variants=find_specs("pot"),
            spawn=Spawn(x=(0.0, 0.0), y=(0.0, 0.0), yaw=(pi / 2 - 0.39, pi / 2 + 0.39)),
            mass=0.3,
        ),
        TaskObject(
            "can",
            variants=find_specs("sauce_can"),
            spawn=Spawn(x=(0.2, 0.3), y=(0.05, 0.15), yaw=(-0.79, 0.79), mirror="coin", apart=(("pot", 0.3),)),
        ),
    ),
    arms=(ArmRole("a", "side:can"),),
    success=(
        Predicate("near", {"a": "can.bottom", "b": "pot.bottom", "x": 0.2, "y": 0.035}),
        Predicate("same_side", {"a": "can", "b": "pot"}),
        Predicate("pointing", {"point": "can.bottom", "along": (0.0, 0.0, 1.0), "angle": radians(15)}),
        Predicate("within", {"point": "can.bottom", "z": (-9.0, 0.002)}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "can", "grasp": "top", "pre": 0.05, "lift": 0.08}),
        Skill("place", {"arm": "a", "obj": "can", "on": "pot.bottom", "offset": (0.18, 0.0, 0.0), "mirror": "a"}),
    ),
    horizon=400,
)
