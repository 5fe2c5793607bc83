"""Stack three cubes at the centre: red, green, blue."""

from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

CUBE = ObjectSpec("block", {"size": (0.05, 0.05, 0.05)}, category="cube", nouns=("block", "cube"), unseen=("brick",))

TASK = Task(
    name="stack_blocks_three",
    suite="robotwin50",
    instructions=(
        "stack {red}, then {green}, then {blue} in the centre",
        "build a tower with {red} at the bottom, {green} in the middle and {blue} on top",
        "{a} sets {red}, {b} puts {green} on it and {c} tops it with {blue}",
        "pile {blue} on {green} and {green} on {red}",
    ),
    unseen=(
        "make a pile in the middle, {red} lowest, {blue} highest, {green} between",
        "raise a tower of {red}, {green}, {blue} from below, using {a}, {b} and {c}",
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
            ("blue", ("red", "green")),
        )
    ),
    arms=(ArmRole("a", "side:red"), ArmRole("b", "side:green"), ArmRole("c", "side:blue")),
    success=(
        Predicate(
            "above_by", {"a": "green.bottom", "b": "red.bottom", "height": 0.05, "x": 0.025, "y": 0.025, "z": 0.012}
        ),
        Predicate(
            "above_by", {"a": "blue.bottom", "b": "green.bottom", "height": 0.05, "x": 0.025, "y": 0.025, "z": 0.012}
        ),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "red", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "a", "obj": "red", "to": (0.0, -0.13, 0.0), "retreat": 0.07}),
        Skill("pick", {"arm": "b", "obj": "green", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "b", "obj": "green", "on": "red.top", "retreat": 0.07}),
        Skill("pick", {"arm": "c", "obj": "blue", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "c", "obj": "blue", "on": "green.top", "retreat": 0.07}),
    ),
    horizon=1200,
)
