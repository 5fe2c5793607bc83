"""Stack a green cube on a red one at the centre."""

from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

CUBE = ObjectSpec("block", {"size": (0.05, 0.05, 0.05)}, category="cube", nouns=("block", "cube"), unseen=("brick",))

TASK = Task(
    name="stack_blocks_two",
    suite="robotwin50",
    instructions=(
        "put {green} on top of {red} at the centre",
        "stack {green} on {red}",
        "use {a} for {red}, then {b} to stack {green} on it",
        "build a tower of {red} below and {green} above",
        "bring {red} to the middle and set {green} on it",
    ),
    unseen=(
        "make a pile of {red} and {green}, {green} being on top",
        "with {b} lift {green} onto {red}, which {a} brings to the middle",
    ),
    objects=tuple(
        TaskObject(
            name,
            variants=(CUBE,),
            spawn=Spawn(
                x=(-0.28, 0.28),
                y=(-0.08, 0.05),
                yaw=(-0.75, 0.75),
                min_abs_x=0.05,
                behind=0.15,
                clear=((0.0, -0.1, 0.15),),
                apart=tuple((other, 0.1) for other in before),
            ),
            colours=(name,),
        )
        for name, before in (
            ("red", ()),
            ("green", ("red",)),
        )
    ),
    arms=(ArmRole("a", "side:red"), ArmRole("b", "side:green")),
    success=(
        Predicate(
            "above_by", {"a": "green.bottom", "b": "red.bottom", "height": 0.05, "x": 0.025, "y": 0.025, "z": 0.012}
        ),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "red", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "a", "obj": "red", "to": (0.0, -0.13, 0.0), "retreat": 0.07}),
        Skill("pick", {"arm": "b", "obj": "green", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "b", "obj": "green", "on": "red.top", "retreat": 0.07}),
    ),
    horizon=800,
)
