"""Pick a cup by its rim and set it down on a coaster."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_empty_cup",
    suite="robotwin50",
    instructions=(
        "put {cup} on {coaster}",
        "place the empty cup on {coaster}",
        "use {a} to set {cup} down on {coaster}",
        "pick {cup} up with {a} and rest it on {coaster}",
        "move {cup} onto {coaster}",
    ),
    unseen=(
        "{coaster} is where {cup} should stand",
        "with {a} bring {cup} to {coaster}",
    ),
    objects=(
        TaskObject(
            "cup",
            variants=find_specs("cup")[:1],
            spawn=Spawn(x=(0.15, 0.3), y=(-0.2, 0.05), mirror="coin"),
            mass=0.08,
        ),
        TaskObject(
            "coaster",
            variants=find_specs("coaster"),
            spawn=Spawn(x=(-0.05, 0.1), y=(-0.2, 0.05), mirror="cup", apart=(("cup", 0.13),)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:cup"),),
    success=(
        Predicate("near", {"a": "cup.bottom", "b": "coaster.top", "xy": 0.035, "z": 0.015}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "cup", "grasp": "rim", "pre": 0.1, "lift": 0.08}),
        Skill("place", {"arm": "a", "obj": "cup", "point": "bottom", "on": "coaster.top", "pre": 0.05}),
    ),
    horizon=500,
)
