"""Pick up a microphone, hand it to the other arm, which takes it to its own side."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="handover_mic",
    suite="robotwin50",
    instructions=(
        "hand {mic} over to the other arm",
        "take {mic} with {a} and give it to {b}",
        "pick {mic} up and pass it across",
        "use {a} to lift {mic}, then let {b} take it",
        "pass {mic} from {a} to {b}",
        "{mic} should change hands",
    ),
    unseen=(
        "let {b} receive {mic} from {a}",
        "raise {mic} and transfer it from one gripper to the other",
    ),
    objects=(
        TaskObject(
            "mic",
            variants=find_specs("microphone"),
            spawn=Spawn(x=(0.15, 0.2), y=(-0.05, 0.0), mirror="coin"),
        ),
    ),
    arms=(ArmRole("a", "side:mic"), ArmRole("b", "other:a")),
    success=(
        Predicate("within", {"point": "mic.tail", "x": (0.0, 9.0), "z": (0.18, 9.0), "mirror": "b"}),
        Predicate("gripper_touching", {"arm": "any", "obj": "mic"}),
        Predicate("gripper_closed", {"arm": "b"}),
        Predicate("gripper_open", {"arm": "a"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "mic", "grasp": "tail", "pre": 0.1, "lift": 0.1}),
        Skill("carry", {"arm": "a", "obj": "mic", "point": "tail", "to": (0.0, -0.05, 0.24)}),
        Skill("pick", {"arm": "b", "obj": "mic", "grasp": "neck", "pre": 0.1, "lift": 0.0}),
        Skill("release", {"arm": "a", "retreat": 0.07}),
        Skill("move", {"arm": "b", "by": (0.05, 0.0, 0.0), "mirror": "b"}),
    ),
    horizon=600,
)
