"""Set a can down beside a pot."""

from math import pi, radians

from sim.catalogue import kind
from sim.task.spec import Arm, Object, Skill, Spawn, Task, Term

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
        Object(
            "pot",
            variants=kind("pot"),
            spawn=Spawn(x=(0.0, 0.0), y=(0.0, 0.0), yaw=(pi / 2 - 0.39, pi / 2 + 0.39)),
            mass=0.3,
        ),
        Object(
            "can",
            variants=kind("sauce_can"),
            spawn=Spawn(
                x=(0.2, 0.3), y=(0.05, 0.15), yaw=(-0.79, 0.79), mirror="coin", apart=(("pot", 0.3),)
            ),
        ),
    ),
    arms=(Arm("a", "side:can"),),
    success=(
        Term("near", {"a": "can.bottom", "b": "pot.bottom", "x": 0.2, "y": 0.035}),
        Term("same_side", {"a": "can", "b": "pot"}),
        Term("pointing", {"point": "can.bottom", "along": (0.0, 0.0, 1.0), "angle": radians(15)}),
        Term("within", {"point": "can.bottom", "z": (-9.0, 0.002)}),
        Term("open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "can", "grasp": "top", "pre": 0.05, "lift": 0.08}),
        Skill("place", {"arm": "a", "obj": "can", "on": "pot.bottom", "offset": (0.18, 0.0, 0.0), "mirror": "a"}),
    ),
    horizon=400,
)
