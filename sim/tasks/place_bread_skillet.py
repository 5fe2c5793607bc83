"""Hold a skillet up with one arm and lay a bread in it with the other."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

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
        TaskObject(
            "skillet",
            variants=find_specs("skillet"),
            spawn=Spawn(x=(0.15, 0.25), y=(-0.2, 0.05), yaw=(-0.52, 0.52), mirror="coin"),
            mass=0.05,
        ),
        TaskObject(
            "bread",
            variants=find_specs("bread"),
            spawn=Spawn(x=(0.2, 0.28), y=(-0.2, 0.05), yaw=(-0.79, 0.79), mirror="-skillet"),
            mass=0.02,
        ),
    ),
    arms=(ArmRole("a", "side:skillet"), ArmRole("b", "other:a")),
    success=(
        Predicate("near", {"a": "bread.bottom", "b": "skillet.centre", "x": 0.035, "y": 0.035}),
        Predicate("within", {"point": "skillet.centre", "z": (0.02, 9.0)}),
        Predicate("within", {"point": "bread.bottom", "z": (0.02, 9.0)}),
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
