"""Lift the lid of a laptop by its front edge."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="open_laptop",
    suite="robotwin50",
    instructions=(
        "open {laptop}",
        "open {laptop} with {a}",
        "lift the lid of {laptop}",
        "use {a} to raise the screen of {laptop}",
        "raise the lid of {laptop}",
    ),
    unseen=(
        "{laptop} is nearly shut: open it",
        "with {a} take the edge of the lid of {laptop} and swing it up",
    ),
    objects=(
        TaskObject(
            "laptop",
            variants=find_specs("laptop"),
            spawn=Spawn(x=(-0.05, 0.05), y=(-0.1, 0.05), yaw=(-1.05, 1.05)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "facing:laptop"),),
    success=(
        Predicate("opened", {"joint": "laptop.hinge", "fraction": 0.4}),
        Predicate("tool_near", {"arm": "a", "point": "laptop.edge", "distance": 0.1}),
    ),
    plan=(Skill("turn", {"arm": "a", "joint": "laptop.hinge", "grasp": "edge", "pre": 0.08, "to": 0.47}),),
    horizon=700,
)
