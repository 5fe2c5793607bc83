"""Put a small thing on a display stand.

The stand keeps 0.18 m away from the thing: the longest of them would touch it at less.
"""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_object_stand",
    suite="robotwin50",
    instructions=(
        "put {thing} on {stand}",
        "set {thing} on top of {stand}",
        "use {a} to lift {thing} onto {stand}",
        "show {thing} on {stand}",
        "take {thing} with {a} and place it on {stand}",
        "move {thing} up onto {stand}",
    ),
    unseen=(
        "with {a}, exhibit {thing} on {stand}",
        "{stand} is there for {thing}; put it up",
    ),
    objects=(
        TaskObject(
            "thing",
            variants=find_specs("mouse", "stapler", "bell", "rubik", "toy_car", "remote"),
            spawn=Spawn(x=(0.2, 0.28), y=(-0.05, 0.05), yaw=(-1.05, 1.05), mirror="coin"),
        ),
        TaskObject(
            "stand",
            variants=find_specs("display_stand"),
            spawn=Spawn(x=(0.0, 0.05), y=(-0.15, -0.1), yaw=(-0.52, 0.52), mirror="thing", apart=(("thing", 0.18),)),
            mass=0.1,
        ),
    ),
    arms=(ArmRole("a", "side:thing"),),
    success=(
        Predicate("near", {"a": "thing.bottom", "b": "stand.bottom", "x": 0.03, "y": 0.03}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "thing", "grasp": "top", "pre": 0.1, "lift": 0.1}),
        Skill("place", {"arm": "a", "obj": "thing", "on": "stand.top", "pre": 0.07}),
    ),
    horizon=400,
)
