"""Hold a skillet up with one arm and lay a bread in it with the other."""

from sim.catalogue import kind
from sim.task.spec import Arm, Object, Skill, Spawn, Task, Term

TASK = Task(
    name="place_bread_skillet",
    suite="robotwin50",
    instructions=(
        "hold {skillet} up with {a} and lay {bread} in it",
        "put {bread} into {skillet}",
        "lift {skillet} with {a} while {b} drops {bread} in",
        "raise {skillet} and place {bread} in the middle of it",
        "with {b}, put {bread} into {skillet} that {a} holds",
        "take {skillet} in one hand and {bread} in the other, and put the one into the other",
    ),
    unseen=(
        "{b} serves {bread} into {skillet}, which {a} keeps in the air",
        "pick up {skillet}, then set {bread} in it",
    ),
    objects=(
        Object(
            "skillet",
            variants=kind("skillet"),
            spawn=Spawn(x=(0.15, 0.25), y=(-0.2, 0.05), yaw=(-0.52, 0.52), mirror="coin"),
            mass=0.05,
        ),
        Object(
            "bread",
            variants=kind("bread"),
            spawn=Spawn(x=(0.2, 0.28), y=(-0.2, 0.05), yaw=(-0.79, 0.79), mirror="-skillet"),
            mass=0.02,
        ),
    ),
    arms=(Arm("a", "side:skillet"), Arm("b", "other:a")),
    success=(
        Term("near", {"a": "bread.bottom", "b": "skillet.centre", "x": 0.035, "y": 0.035}),
        Term("within", {"point": "skillet.centre", "z": (0.02, 9.0)}),
        Term("within", {"point": "bread.bottom", "z": (0.02, 9.0)}),
    ),
    plan=(
        Skill(
            "pick",
            {"arm": "a", "obj": "skillet", "grasp": "handle", "pre": 0.07, "lift": 0.1},
            alongside=(Skill("pick", {"arm": "b", "obj": "bread", "grasp": "top", "pre": 0.07, "lift": 0.1}),),
        ),
        Skill("carry", {"arm": "a", "obj": "skillet", "to": (0.03, -0.03, 0.06), "mirror": "a"}),
        Skill("carry", {"arm": "b", "obj": "bread", "to": (0.03, -0.03, 0.16), "mirror": "a"}),
        Skill("place", {"arm": "b", "obj": "bread", "on": "skillet.centre", "pre": 0.06, "stop": 0.006}),
    ),
    horizon=500,
)
