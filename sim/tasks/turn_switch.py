"""Flip a rocker switch by pushing the half of it that stands out."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="turn_switch",
    suite="robotwin50",
    instructions=(
        "flip {switch}",
        "press {switch}",
        "flip {switch} with {a}",
        "use {a} to push the rocker of {switch}",
        "turn {switch} over",
        "push the part of {switch} that stands out",
    ),
    unseen=(
        "operate {switch} with {a}",
        "change the position of {switch}",
    ),
    objects=(
        TaskObject(
            "switch",
            variants=find_specs("switch"),
            spawn=Spawn(x=(-0.25, 0.25), y=(0.0, 0.1), yaw=(-0.79, 0.79)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "facing:switch"),),
    success=(Predicate("opened", {"joint": "switch.rocker", "fraction": 0.907}),),
    plan=(Skill("press", {"arm": "a", "point": "switch.press", "pre": 0.06, "depth": 0.014}),),
    horizon=400,
)
