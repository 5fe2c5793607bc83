"""Drop a card box or a toy car into a basket and lift the basket by its handle with the other arm."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_object_basket",
    suite="robotwin50",
    instructions=(
        "put {thing} into {basket} and move {basket} aside",
        "drop {thing} in {basket}, then lift {basket} by its handle",
        "{a} drops {thing} into {basket} and {b} lifts it",
        "place {thing} inside {basket} with {a} and take {basket} away with {b}",
        "pack {thing} in {basket}, then pick {basket} up",
        "first {thing} goes into {basket}, then {basket} is carried outward",
    ),
    unseen=(
        "take {basket} away with {thing} in it",
        "tidy {thing} into {basket} using {a}; {b} holds {basket} up afterwards",
    ),
    objects=(
        TaskObject(
            "thing",
            variants=find_specs("card_box", "toy_car"),
            spawn=Spawn(x=(0.2, 0.25), y=(-0.1, 0.1), yaw=(-0.52, 0.52), mirror="coin"),
        ),
        TaskObject(
            "basket",
            variants=find_specs("handled_basket"),
            spawn=Spawn(x=(0.02, 0.02), y=(-0.08, -0.05), mirror="-thing"),
            mass=0.3,
        ),
    ),
    arms=(ArmRole("a", "side:thing"), ArmRole("b", "other:a")),
    success=(
        Predicate("raised", {"obj": "basket", "low": 0.02}),
        Predicate("raised", {"obj": "thing", "low": 0.02}),
        Predicate("pointing", {"point": "basket.bottom", "along": (0.0, 0.0, 1.0), "angle": 1.047}),
        Predicate("near", {"a": "thing.bottom", "b": "basket.bottom", "total": 0.15}),
        Predicate("in_contact", {"a": "thing", "b": "basket"}),
        Predicate("not_in_contact", {"a": "thing", "b": "table"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "thing", "grasp": "top", "pre": 0.06, "lift": 0.07}),
        Skill(
            "place",
            {
                "arm": "a",
                "obj": "thing",
                "on": "basket.floor",
                "offset": (0.055, 0.0, 0.0),
                "mirror": "a",
                "yaw": (0.0, pi / 2, pi, -pi / 2),
                "pre": 0.12,
                "stop": 0.02,
                "retreat": 0.1,
            },
        ),
        Skill("pick", {"arm": "b", "obj": "basket", "grasp": "handle", "pre": 0.08, "lift": 0.05}),
        Skill("move", {"arm": "b", "by": (0.05, 0.0, 0.05), "mirror": "b"}),
    ),
    horizon=700,
)
