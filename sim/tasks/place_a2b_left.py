"""Put one small thing to the left of another.

They begin 0.14 m apart or more, so that no two of them overlap whichever way they are turned.
"""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

THINGS = find_specs(
    "mouse",
    "stapler",
    "bell",
    "toy_car",
    "rubik",
    "bread",
    "phone",
    "card_box",
    "wood_block",
    "tea_box",
    "coffee_box",
    "soap",
)

TASK = Task(
    name="place_a2b_left",
    suite="robotwin50",
    instructions=(
        "put {thing} to the left of {landmark}",
        "set {thing} down on the left of {landmark}",
        "use {a} to place {thing} at the left side of {landmark}",
        "bring {thing} to {landmark} and leave it on its left",
        "{landmark} should have {thing} on its left",
        "with {a}, move {thing} so that it is left of {landmark}",
    ),
    unseen=(
        "pick {thing} up and lay it just left of {landmark}",
        "let {thing} be the left neighbour of {landmark}",
    ),
    objects=(
        TaskObject(
            "thing",
            variants=THINGS,
            spawn=Spawn(x=(-0.22, 0.22), y=(-0.2, 0.0), yaw=(-pi, pi)),
        ),
        TaskObject(
            "landmark",
            variants=THINGS,
            spawn=Spawn(
                x=(-0.1, 0.1),
                y=(-0.2, 0.0),
                yaw=(-pi, pi),
                when_right=("thing", (0.18, 0.23)),
                apart=(("thing", 0.14),),
                apart_y=(("thing", 0.1),),
            ),
            unlike="thing",
        ),
    ),
    arms=(ArmRole("a", "side:thing"),),
    success=(
        Predicate("apart", {"a": "thing.bottom", "b": "landmark.bottom", "low": 0.08, "high": 0.2}),
        Predicate("left_of", {"a": "thing.bottom", "b": "landmark.bottom"}),
        Predicate("near", {"a": "thing.bottom", "b": "landmark.bottom", "y": 0.05}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "thing", "grasp": "top", "pre": 0.1, "lift": 0.1}),
        Skill(
            "place",
            {"arm": "a", "obj": "thing", "on": "landmark.bottom", "offset": (-0.14, 0.0, 0.0), "pre": 0.1},
        ),
    ),
    horizon=400,
)
