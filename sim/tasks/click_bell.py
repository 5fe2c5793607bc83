"""Press the button of a desk bell with a closed gripper."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="click_bell",
    suite="robotwin50",
    instructions=(
        "press the top of {bell}",
        "ring {bell}",
        "click {bell} with {a}",
        "use {a} to push the button on {bell}",
        "tap {bell} once",
    ),
    unseen=(
        "make {bell} ring by pushing it down",
        "with {a} touch the top of {bell}",
    ),
    objects=(
        TaskObject(
            "bell",
            variants=find_specs("bell"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.2, 0.0), min_abs_x=0.05),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:bell"),),
    success=(Predicate("pressed", {"arm": "a", "point": "bell.top", "xy": 0.025, "z": 0.03}, latch=True),),
    plan=(Skill("press", {"arm": "a", "point": "bell.top", "pre": 0.1}),),
    horizon=400,
)
