"""Lift a small bin and pour its balls into the large bin beside the table; from the right it comes over first.

The large bin stands 7 cm further left than the benchmark's, clear of the table's edge.
"""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, TablePlacement, Task, TaskObject

BALLS = tuple(f"ball{k}" for k in range(5))
SPOTS = ((0.0, 0.0), (0.025, 0.0), (-0.025, 0.0), (0.0, 0.025), (0.0, -0.025))

TASK = Task(
    name="dump_bin_bigbin",
    suite="robotwin50",
    instructions=(
        "empty {bin} into {bigbin}",
        "lift {bin} and tip its balls out into {bigbin}",
        "pour what is in {bin} into {bigbin} with {l}",
        "take {bin} with {a} and empty it into {bigbin}",
        "shake the balls of {bin} out over {bigbin}",
    ),
    unseen=(
        "the balls of {bin} belong in {bigbin}",
        "let {l} turn {bin} over above {bigbin}",
    ),
    table=TablePlacement(x=0.3),
    objects=(
        TaskObject(
            "bigbin",
            variants=find_specs("floor_bin"),
            spawn=Spawn(x=(-0.525, -0.525), y=(0.0, 0.0), z=0.0, floor=True),
            fixed=True,
        ),
        TaskObject(
            "bin",
            variants=find_specs("desk_bin"),
            spawn=Spawn(x=(-0.2, 0.2), y=(-0.2, -0.05), yaw=(0.415, 1.155), min_abs_x=0.05),
            mass=0.08,
        ),
        *(
            TaskObject(
                name,
                variants=find_specs("ball"),
                spawn=Spawn(x=(x, x), y=(y, y), z=0.02, within="bin"),
                mass=0.01,
            )
            for name, (x, y) in zip(BALLS, SPOTS, strict=True)
        ),
    ),
    arms=(ArmRole("l", "left"), ArmRole("a", "side:bin")),
    success=(
        Predicate("within", {"point": "bin", "z": (0.26, 9.0)}),
        *(Predicate("within", {"point": f"{name}.centre", "z": (-0.61, -0.49)}) for name in BALLS),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "bin", "grasp": "rim", "pre": 0.08}, when="a!=l"),
        Skill("place", {"arm": "a", "obj": "bin", "to": (-0.1, -0.12, 0.0), "pace": 1.0, "slow": 0.9}, when="a!=l"),
        Skill("pick", {"arm": "l", "obj": "bin", "grasp": "rim", "pre": 0.08}),
        Skill(
            "carry",
            {"arm": "l", "obj": "bin", "point": "top", "to": (-0.42, 0.06, 0.3), "straight": True, "pace": 1.6},
        ),
        Skill(
            "carry",
            {
                "arm": "l",
                "obj": "bin",
                "point": "top",
                "to": (-0.42, 0.08, 0.3),
                "up": (-0.7, -0.6, -0.3),
                "pace": 0.9,
            },
        ),
        Skill("shake", {"arm": "l", "obj": "bin", "times": 3, "height": 0.02, "angle": 0.1}),
    ),
    horizon=600,
)
