"""Line up three cubes by size, the largest at the left."""

from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

CUBE_SIDES_BY_SIZE_M = {"large": (0.06, 0.063, 0.066), "medium": (0.048, 0.051, 0.054), "small": (0.036, 0.039, 0.042)}
CUBES_BY_SIZE = {
    size: tuple(
        ObjectSpec(
            "block",
            {"size": (s, s, s)},
            category="cube",
            nouns=(f"{size} block", f"{size} cube"),
            unseen=(f"{size} brick",),
        )
        for s in sides
    )
    for size, sides in CUBE_SIDES_BY_SIZE_M.items()
}

TASK = Task(
    name="blocks_ranking_size",
    suite="robotwin50",
    instructions=(
        "sort {large}, {medium} and {small} by size, the biggest at the left",
        "bring {large} with {a}, {medium} with {b} and {small} with {c} to the middle in order",
        "line the blocks up from large to small, left to right",
        "make a row of {large}, {medium} and {small}",
    ),
    unseen=(
        "the row should start with {large} at the left and end with {small}",
        "rank the three by size, {small} at the right",
    ),
    objects=tuple(
        TaskObject(
            name,
            variants=CUBES_BY_SIZE[name],
            spawn=Spawn(
                x=(-0.28, 0.28),
                y=(-0.08, 0.05),
                yaw=(-0.75, 0.75),
                min_abs_x=0.05,
                behind=0.15,
                clear=((0.0, -0.1, 0.1),),
                apart=tuple((other, 0.1) for other in before),
            ),
            colours=("red", "green", "blue", "yellow", "orange", "purple", "cyan"),
        )
        for name, before in (
            ("large", ()),
            ("medium", ("large",)),
            ("small", ("large", "medium")),
        )
    ),
    arms=(ArmRole("a", "side:large"), ArmRole("b", "side:medium"), ArmRole("c", "side:small")),
    success=(
        Predicate("near", {"a": "large.centre", "b": "medium.centre", "x": 0.13, "y": 0.03}),
        Predicate("left_of", {"a": "large.centre", "b": "medium.centre"}),
        Predicate("near", {"a": "medium.centre", "b": "small.centre", "x": 0.13, "y": 0.03}),
        Predicate("left_of", {"a": "medium.centre", "b": "small.centre"}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "c", "obj": "small", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "c", "obj": "small", "to": (0.085, -0.15, 0.0), "yaw": (0.0,), "pre": 0.09}),
        Skill("pick", {"arm": "b", "obj": "medium", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "b", "obj": "medium", "to": (0.015, -0.15, 0.0), "yaw": (0.0,), "pre": 0.09}),
        Skill("pick", {"arm": "a", "obj": "large", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "a", "obj": "large", "to": (-0.095, -0.15, 0.0), "yaw": (0.0,), "pre": 0.09}),
    ),
    horizon=1200,
)
