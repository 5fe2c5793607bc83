"""Press the button of a desk bell with a closed gripper."""

from sim.catalogue import kind
from sim.task.spec import Arm, Object, Skill, Spawn, Task, Term

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
        Object(
            "bell",
            variants=kind("bell"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.2, 0.0), min_abs_x=0.05),
            fixed=True,
        ),
    ),
    arms=(Arm("a", "side:bell"),),
    success=(Term("pressed", {"arm": "a", "point": "bell.top", "xy": 0.025, "z": 0.03}, latch=True),),
    plan=(Skill("press", {"arm": "a", "point": "bell.top", "pre": 0.1}),),
    horizon=400,
)
