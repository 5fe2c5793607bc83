"""Lift two bottles of any kind, one in each hand, and hold them side by side."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="pick_diverse_bottles",
    suite="robotwin50",
    instructions=(
        "pick up both bottles, one with each arm",
        "lift {left} with {a} and {right} with {b}",
        "raise {left} and {right} together",
        "take {left} in one hand and {right} in the other",
        "hold {left} and {right} up in front of you",
        "use both arms to lift the two bottles off the table",
    ),
    unseen=(
        "grasp {left} and {right} at the same time and bring them up",
        "with {a} on {left} and {b} on {right}, lift both",
    ),
    objects=(
        TaskObject(
            "left",
            variants=find_specs("bottle", "big_bottle"),
            spawn=Spawn(x=(-0.25, -0.05), y=(0.03, 0.23), yaw=(-1.0, 1.0)),
        ),
        TaskObject(
            "right",
            variants=find_specs("bottle", "big_bottle"),
            spawn=Spawn(x=(0.05, 0.25), y=(0.03, 0.23), yaw=(-1.0, 1.0), apart=(("left", 0.1),)),
        ),
    ),
    arms=(ArmRole("a", "left"), ArmRole("b", "right")),
    success=(
        Predicate("within", {"point": "left.bottom", "x": (-0.16, 0.04), "y": (-0.205, -0.005), "z": (0.15, 9.0)}),
        Predicate("within", {"point": "right.bottom", "x": (-0.04, 0.16), "y": (-0.205, -0.005), "z": (0.15, 9.0)}),
    ),
    plan=(
        Skill(
            "pick",
            {"arm": "a", "obj": "left", "grasp": "side", "pre": 0.08, "lift": 0.1},
            alongside=(Skill("pick", {"arm": "b", "obj": "right", "grasp": "side", "pre": 0.08, "lift": 0.1}),),
        ),
        Skill(
            "carry",
            {"arm": "a", "obj": "left", "to": (-0.06, -0.105, 0.26)},
            alongside=(Skill("carry", {"arm": "b", "obj": "right", "to": (0.06, -0.105, 0.26)}),),
        ),
    ),
    horizon=400,
)
