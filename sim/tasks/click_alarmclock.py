"""Press the button on top of an alarm clock with a closed gripper."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="click_alarmclock",
    suite="robotwin50",
    instructions=(
        "press the button on top of {clock}",
        "switch {clock} off",
        "click {clock} with {a}",
        "use {a} to push the top button of {clock}",
        "{clock} is ringing, tap its button",
        "touch the button of {clock} from above with a closed gripper",
    ),
    unseen=(
        "silence {clock} with {a}",
        "give the knob on {clock} a push",
    ),
    objects=(
        TaskObject(
            "clock",
            variants=find_specs("alarm_clock"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.2, 0.0), yaw=(-pi, pi), min_abs_x=0.05),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:clock"),),
    success=(Predicate("pressed", {"arm": "a", "point": "clock.button", "xy": 0.03, "z": 0.03}, latch=True),),
    plan=(Skill("press", {"arm": "a", "point": "clock.button", "pre": 0.1}),),
    horizon=400,
)
