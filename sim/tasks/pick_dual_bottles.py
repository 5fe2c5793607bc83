"""Lift two bottles of known kinds, one in each hand, and hold them side by side."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

GREEN, MILK = find_specs("bottle")[0], find_specs("bottle")[6]

TASK = Task(
    name="pick_dual_bottles",
    suite="robotwin50",
    instructions=(
        "pick up both bottles with both arms",
        "raise {left} and {right} at once",
        "grab {left} with {a} and {right} with {b}",
        "lift {left} and {right} together, one in each hand",
        "let {a} take {left} while {b} takes {right}",
        "hold the two bottles up next to each other",
    ),
    unseen=(
        "bring {left} and {right} up off the table simultaneously",
        "both arms are needed: {a} lifts {left}, {b} lifts {right}",
    ),
    objects=(
        TaskObject(
            "left",
            variants=(GREEN,),
            spawn=Spawn(x=(-0.25, -0.05), y=(0.03, 0.23), yaw=(-1.0, 1.0)),
        ),
        TaskObject(
            "right",
            variants=(MILK,),
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
