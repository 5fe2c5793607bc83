"""Lift the lid of a laptop by its front edge."""

from sim.spec import Arm, Object, Shape, Skill, Spawn, Task, Term

TASK = Task(
    name="open_laptop",
    suite="robotwin50",
    instructions=(
        "open the laptop",
        "open the laptop with {a}",
        "lift the lid of the laptop",
        "use {a} to raise the laptop's screen",
    ),
    objects=(
        Object(
            "laptop",
            variants=(
                Shape("laptop", {"width": 0.19, "depth": 0.13}),
                Shape("laptop", {"width": 0.21, "depth": 0.14}),
                Shape("laptop", {"width": 0.17, "depth": 0.12}),
            ),
            spawn=Spawn(x=(-0.05, 0.05), y=(-0.1, 0.05), yaw=(-1.05, 1.05)),
            fixed=True,
        ),
    ),
    arms=(Arm("a", "facing:laptop"),),
    success=(
        Term("opened", {"joint": "laptop.hinge", "fraction": 0.4}),
        Term("at", {"arm": "a", "point": "laptop.edge", "distance": 0.1}),
    ),
    plan=(Skill("turn", {"arm": "a", "joint": "laptop.hinge", "grasp": "edge", "pre": 0.08, "to": 0.47}),),
    horizon=700,
)
