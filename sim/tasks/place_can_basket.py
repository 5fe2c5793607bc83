"""Drop a can into a basket and lift the basket by its handle with the other arm."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_can_basket",
    suite="robotwin50",
    instructions=(
        "put {can} into {basket} and lift {basket}",
        "drop {can} in {basket}, then pick {basket} up by its handle",
        "{a} puts {can} in {basket} and {b} lifts it",
        "with {a} place {can} inside {basket}, then raise {basket} with {b}",
        "load {can} into {basket} and carry {basket} off the table",
        "first {can} goes into {basket}, then {basket} goes up",
    ),
    unseen=(
        "take {basket} away with {can} in it",
        "let {a} shop {can} into {basket} and {b} hold {basket} up",
    ),
    objects=(
        TaskObject(
            "can",
            variants=find_specs("can"),
            spawn=Spawn(x=(0.2, 0.25), y=(0.0, 0.1), mirror="coin"),
        ),
        TaskObject(
            "basket",
            variants=find_specs("handled_basket"),
            spawn=Spawn(x=(0.02, 0.02), y=(-0.08, -0.05), mirror="-can"),
            mass=0.3,
        ),
    ),
    arms=(ArmRole("a", "side:can"), ArmRole("b", "other:a")),
    success=(
        Predicate("raised", {"obj": "basket", "low": 0.02}),
        Predicate("raised", {"obj": "can", "low": 0.02}),
        Predicate("pointing", {"point": "basket.bottom", "along": (0.0, 0.0, 1.0), "angle": 1.047}),
        Predicate("near", {"a": "can.bottom", "b": "basket.bottom", "total": 0.15}),
        Predicate("in_contact", {"a": "can", "b": "basket"}),
        Predicate("not_in_contact", {"a": "can", "b": "table"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "can", "grasp": "top", "pre": 0.05, "lift": 0.15}),
        Skill(
            "place",
            {
                "arm": "a",
                "obj": "can",
                "on": "basket.floor",
                "offset": (0.055, 0.0, 0.0),
                "mirror": "a",
                "pre": 0.12,
                "stop": 0.01,
                "retreat": 0.12,
            },
        ),
        Skill("pick", {"arm": "b", "obj": "basket", "grasp": "handle", "pre": 0.08, "lift": 0.05}),
        Skill("move", {"arm": "b", "by": (0.02, 0.0, 0.02), "mirror": "b"}),
    ),
    horizon=700,
)
