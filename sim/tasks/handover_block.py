"""Lift a block with one arm, hand it to the other, which sets it on a pad."""

from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="handover_block",
    suite="robotwin50",
    instructions=(
        "pass the red block to the right arm and put it on the blue pad",
        "hand the red block over and set it on the blue pad",
        "pick {block} with {a}, give it to {b} and place it on the blue pad",
        "let {a} hand {block} to {b}, which puts it on the pad",
        "move {block} from {a} to {b} and stand it on the blue pad",
    ),
    unseen=(
        "{block} goes from hand to hand and ends on the blue pad",
        "{b} should set {block} on the pad after taking it from {a}",
    ),
    objects=(
        TaskObject(
            "block",
            variants=(
                ObjectSpec(
                    "block", {"size": (0.06, 0.06, 0.2)}, "bar", nouns=("block", "bar", "tall block"), unseen=("post",)
                ),
            ),
            colours=("red",),
            spawn=Spawn(x=(-0.25, -0.05), y=(0.0, 0.25), yaw=(0.19, 0.59)),
            mass=0.1,
        ),
        TaskObject(
            "pad",
            variants=(ObjectSpec("block", {"size": (0.1, 0.1, 0.01)}, "pad", nouns=("pad",)),),
            colours=("blue",),
            spawn=Spawn(x=(0.1, 0.25), y=(0.15, 0.2)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "left"), ArmRole("b", "right")),
    success=(
        Predicate("near", {"a": "block.bottom", "b": "pad.top", "x": 0.03, "y": 0.03, "z": 0.01}),
        Predicate("gripper_open", {"arm": "b"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "block", "grasp": "side", "at": 0.07, "pre": 0.07, "lift": 0.1}),
        Skill("carry", {"arm": "a", "obj": "block", "point": "bottom", "to": (0.0, 0.0, 0.16)}),
        Skill("pick", {"arm": "b", "obj": "block", "grasp": "side", "at": -0.06, "pre": 0.07, "lift": 0.0}),
        Skill("release", {"arm": "a", "retreat": 0.1}),
        Skill(
            "place",
            {"arm": "b", "obj": "block", "point": "bottom", "on": "pad.top", "pre": 0.05, "retreat": 0.08},
            alongside=(Skill("home", {"arm": "a"}),),
        ),
    ),
    horizon=800,
)
