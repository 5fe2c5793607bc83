"""Hold a rolling pin by both ends and lift it."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="grab_roller",
    suite="robotwin50",
    instructions=(
        "lift {roller} with both arms",
        "grip {roller} by its two ends and raise it",
        "hold {roller} with both hands and pick it up",
        "take {roller} at both ends",
        "{a} holds one end of {roller}, {b} the other; lift it together",
        "raise {roller} off the table using both arms",
    ),
    unseen=(
        "both grippers close on {roller} and bring it up",
        "with {a} on one side and {b} on the other, carry {roller} upward",
    ),
    objects=(
        TaskObject(
            "roller",
            variants=find_specs("roller"),
            spawn=Spawn(x=(-0.15, 0.15), y=(-0.25, -0.05), yaw=(-0.8, 0.8)),
            mass=0.1,
        ),
    ),
    arms=(ArmRole("a", "left"), ArmRole("b", "right")),
    success=(
        Predicate("within", {"point": "roller.bottom", "z": (0.06, 9.0)}),
        Predicate("gripper_closed", {"arm": "a"}),
        Predicate("gripper_closed", {"arm": "b"}),
    ),
    plan=(
        Skill(
            "pick",
            {"arm": "a", "obj": "roller", "grasp": "left_end", "pre": 0.08, "lift": 0.0},
            alongside=(Skill("pick", {"arm": "b", "obj": "roller", "grasp": "right_end", "pre": 0.08, "lift": 0.0}),),
        ),
        Skill("move", {"arms": ("a", "b"), "by": (0.0, 0.0, 0.11)}),
    ),
    horizon=400,
)
