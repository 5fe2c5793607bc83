"""Nest two bowls at the centre, the nearest one at the bottom."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, ObjectOrder, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="stack_bowls_two",
    suite="robotwin50",
    instructions=(
        "nest the two bowls into one stack",
        "put one bowl into the other at the centre",
        "stack {second} on {first}",
        "take {first} with {a}, then {second} with {b}, and stack them",
        "set {first} in the middle and put {second} in it",
    ),
    unseen=(
        "make one pile out of both bowls",
        "the bowls belong inside one another: use {a} for the nearer, {b} for the other",
    ),
    objects=tuple(
        TaskObject(
            name,
            variants=find_specs("bowl"),
            spawn=Spawn(
                x=(-0.3, 0.3),
                y=(-0.15, 0.15),
                min_abs_x=0.09,
                behind=0.15,
                clear=((0.0, -0.1, 0.13),),
                apart=tuple((other, 0.15) for other in before),
            ),
            like=before[0] if before else "",
            mass=0.1,
        )
        for name, before in (("first", ()), ("second", ("first",)))
    ),
    order=(ObjectOrder(("first", "second"), "y"),),
    arms=(ArmRole("a", "side:first"), ArmRole("b", "side:second")),
    success=(
        Predicate("stacked", {"objs": ("first", "second"), "x": 0.04, "y": 0.04, "heights": (0.02, 0.05)}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "first", "grasp": "rim", "lift": 0.1}),
        Skill("place", {"arm": "a", "obj": "first", "to": (0.0, -0.1, 0.0), "pre": 0.09}),
        Skill("pick", {"arm": "b", "obj": "second", "grasp": "rim", "lift": 0.1}),
        Skill("place", {"arm": "b", "obj": "second", "on": "first.inside", "pre": 0.09}),
    ),
    horizon=900,
)
