"""Slide a box of cards from the middle of the table outwards."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="move_playingcard_away",
    suite="robotwin50",
    instructions=(
        "slide {cards} away from the middle of the table",
        "move {cards} outwards",
        "use {a} to take {cards} away from the centre",
        "hold {cards} with {a} and pull it aside",
        "clear {cards} out of the middle",
        "push {cards} out to the side of the table",
    ),
    unseen=(
        "with {a}, get {cards} off the centre",
        "drag {cards} out to its own side",
    ),
    objects=(
        TaskObject(
            "cards",
            variants=find_specs("card_box"),
            spawn=Spawn(x=(0.05, 0.1), y=(-0.2, 0.05), yaw=(-pi, pi), mirror="coin"),
        ),
    ),
    arms=(ArmRole("a", "side:cards"),),
    success=(
        Predicate("outside", {"point": "cards.bottom", "x": 0.23}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "cards", "grasp": "top", "pre": 0.1, "lift": 0.0}),
        Skill("move", {"arm": "a", "by": (0.25, 0.0, 0.0), "mirror": "a"}),
        Skill("release", {"arm": "a"}),
    ),
    horizon=400,
)
