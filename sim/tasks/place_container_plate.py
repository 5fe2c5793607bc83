"""Set a bowl or a cup on a plate.

The plate keeps 0.175 m away from the container, so that the widest of them do not meet.
"""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_container_plate",
    suite="robotwin50",
    instructions=(
        "put {container} on {plate}",
        "set {container} down on {plate}",
        "use {a} to place {container} on top of {plate}",
        "lift {container} with {a} and rest it on {plate}",
        "move {container} over onto {plate}",
        "{plate} waits for {container}; put it there",
    ),
    unseen=(
        "with {a}, serve {container} on {plate}",
        "take {container} by its rim and stand it on {plate}",
    ),
    objects=(
        TaskObject(
            "container",
            variants=find_specs("bowl", "cup"),
            spawn=Spawn(x=(0.2, 0.28), y=(-0.1, 0.05), mirror="coin"),
        ),
        TaskObject(
            "plate",
            variants=find_specs("plate"),
            spawn=Spawn(x=(0.02, 0.08), y=(-0.15, -0.1), mirror="container", apart=(("container", 0.175),)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:container"),),
    success=(
        Predicate("near", {"a": "container.bottom", "b": "plate.bottom", "x": 0.05, "y": 0.05, "z": 0.03}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "container", "grasp": "rim", "pre": 0.1, "lift": 0.1}),
        Skill("place", {"arm": "a", "obj": "container", "on": "plate.top", "pre": 0.08}),
    ),
    horizon=400,
)
