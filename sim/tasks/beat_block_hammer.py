"""Take a hammer by its handle and hit a block with its face."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="beat_block_hammer",
    suite="robotwin50",
    instructions=(
        "hit the block with {hammer}",
        "take {hammer} and beat the red block",
        "pick {hammer} up with {a} and strike the block",
        "use {hammer} to knock on the block",
        "beat {block} with {hammer}",
        "with {a}, lift {hammer} and bring its head down on the block",
    ),
    unseen=(
        "give {block} a blow with {hammer}",
        "let {a} hammer on the block",
    ),
    objects=(
        TaskObject("hammer", variants=find_specs("hammer"), spawn=Spawn(x=(0.0, 0.0), y=(-0.06, -0.06))),
        TaskObject(
            "block",
            variants=(
                ObjectSpec("block", {"size": (0.05, 0.05, 0.05)}, "cube", "red", ("block", "cube"), ("square block",)),
            ),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.05, 0.15), yaw=(-0.5, 0.5), min_abs_x=0.05, clear=((0.0, 0.0, 0.032),)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:block"),),
    success=(
        Predicate("near", {"a": "hammer.face", "b": "block.top", "x": 0.02, "y": 0.02}),
        Predicate("in_contact", {"a": "hammer", "b": "block"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "hammer", "grasp": "handle", "pre": 0.1, "lift": 0.08}),
        Skill(
            "place",
            {
                "arm": "a",
                "obj": "hammer",
                "point": "face",
                "on": "block.top",
                "pre": 0.06,
                "stop": -0.008,
                "hold": True,
            },
        ),
    ),
    horizon=400,
)
