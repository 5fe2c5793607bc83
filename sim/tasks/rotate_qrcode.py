"""Turn a small sign round, so that its code faces the robot."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="rotate_qrcode",
    suite="robotwin50",
    instructions=(
        "turn {sign} so that its code faces the robot",
        "rotate {sign} to show its front",
        "use {a} to turn {sign} round",
        "pick {sign} up with {a} and put it down facing you",
        "{sign} looks the wrong way; turn it towards you",
        "make the code of {sign} face this way",
    ),
    unseen=(
        "with {a}, spin {sign} until its code can be read from here",
        "let {sign} look at the robot",
    ),
    objects=(
        TaskObject(
            "sign",
            variants=find_specs("qr_sign"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.2, 0.0), yaw=(pi - 0.7, pi + 0.7), min_abs_x=0.05),
        ),
    ),
    arms=(ArmRole("a", "side:sign"),),
    success=(
        Predicate("oriented", {"a": "sign", "angle": 0.14}),
        Predicate("within", {"point": "sign.bottom", "z": (-0.01, 0.01)}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "sign", "grasp": "top", "pre": 0.05, "lift": 0.04}),
        Skill(
            "place",
            {
                "arm": "a",
                "obj": "sign",
                "to": (0.2, -0.15, 0.0),
                "mirror": "a",
                "yaw": (0.0,),
                "pre": 0.04,
                "pace": 1.0,
                "slow": 0.8,
            },
        ),
    ),
    horizon=400,
)
