"""Open the door of a microwave oven by its handle."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="open_microwave",
    suite="robotwin50",
    instructions=(
        "open {microwave}",
        "open the door of {microwave}",
        "open {microwave} with {a}",
        "use {a} to pull the door of {microwave} open",
        "take the handle of {microwave} and pull",
        "swing the door of {microwave} open",
    ),
    unseen=(
        "with {a}, get {microwave} open",
        "{microwave} is shut, pull its door",
    ),
    objects=(
        TaskObject(
            "microwave",
            variants=find_specs("microwave"),
            spawn=Spawn(x=(-0.12, -0.02), y=(0.15, 0.2)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "left"),),
    success=(Predicate("opened", {"joint": "microwave.door", "fraction": 0.6}),),
    plan=(Skill("turn", {"arm": "a", "joint": "microwave.door", "grasp": "handle", "pre": 0.08, "to": 0.68}),),
    horizon=1500,
)
