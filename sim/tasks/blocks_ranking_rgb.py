"""Line up three cubes from left to right: red, green, blue."""

from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

CUBE_SIDES_M = (0.03, 0.035, 0.04, 0.045, 0.05)
EQUAL_CUBES = tuple(
    ObjectSpec("block", {"size": (s, s, s)}, category="cube", nouns=("block", "cube"), unseen=("brick",))
    for s in CUBE_SIDES_M
)

TASK = Task(
    name="blocks_ranking_rgb",
    suite="robotwin50",
    instructions=(
        "line up {red}, {green} and {blue} from left to right",
        "use {a} for {red}, {b} for {green} and {c} for {blue} to form a row in that order",
        "arrange the blocks in a row: red left, green in the middle, blue right",
        "make a row with {red} at the left, then {green}, then {blue}",
    ),
    unseen=(
        "from left to right there should be {red}, {green} and {blue}",
        "sort the three into a row, {red} leftmost and {blue} rightmost",
    ),
    objects=tuple(
        TaskObject(
            name,
            variants=EQUAL_CUBES,
            spawn=Spawn(
                x=(-0.28, 0.28),
                y=(-0.08, 0.05),
                yaw=(-0.75, 0.75),
                min_abs_x=0.05,
                behind=0.15,
                clear=((0.0, -0.1, 0.1),),
                apart=tuple((other, 0.1) for other in before),
            ),
            colours=(name,),
            like=before[0] if before else "",
        )
        for name, before in (
            ("red", ()),
            ("green", ("red",)),
            ("blue", ("red", "green")),
        )
    ),
    arms=(ArmRole("a", "side:red"), ArmRole("b", "side:green"), ArmRole("c", "side:blue")),
    success=(
        Predicate("near", {"a": "red.centre", "b": "green.centre", "x": 0.13, "y": 0.03}),
        Predicate("left_of", {"a": "red.centre", "b": "green.centre"}),
        Predicate("near", {"a": "green.centre", "b": "blue.centre", "x": 0.13, "y": 0.03}),
        Predicate("left_of", {"a": "green.centre", "b": "blue.centre"}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "red", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "a", "obj": "red", "to": (-0.085, -0.15, 0.0), "yaw": (0.0,), "pre": 0.09}),
        Skill("pick", {"arm": "b", "obj": "green", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "b", "obj": "green", "to": (0.0, -0.15, 0.0), "yaw": (0.0,), "pre": 0.09}),
        Skill("pick", {"arm": "c", "obj": "blue", "grasp": "top", "pre": 0.09, "lift": 0.07}),
        Skill("place", {"arm": "c", "obj": "blue", "to": (0.085, -0.15, 0.0), "yaw": (0.0,), "pre": 0.09}),
    ),
    horizon=1200,
)
