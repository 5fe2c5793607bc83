"""Push the top of a stapler down."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="press_stapler",
    suite="robotwin50",
    instructions=(
        "press {stapler}",
        "push down on {stapler}",
        "press {stapler} with {a}",
        "use {a} to push the arm of {stapler} down",
        "staple once with {stapler}",
        "press the top of {stapler} with a closed gripper",
    ),
    unseen=(
        "with {a}, give {stapler} a push from above",
        "work {stapler} once",
    ),
    objects=(
        TaskObject(
            "stapler",
            variants=find_specs("stapler"),
            spawn=Spawn(x=(-0.2, 0.2), y=(-0.1, 0.05), yaw=(-pi, pi)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:stapler"),),
    success=(
        Predicate("gripper_touching_at", {"arm": "any", "point": "stapler.top", "xy": 0.03, "z": 0.03}, latch=True),
    ),
    plan=(Skill("press", {"arm": "a", "point": "stapler.top", "pre": 0.1}),),
    horizon=400,
)
