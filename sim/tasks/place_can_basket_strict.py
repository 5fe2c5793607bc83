"""The same, and the can lies in the basket, which the other arm holds level off the table."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_can_basket import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_can_basket_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("near", {"a": "can.bottom", "b": "basket.floor", "x": 0.11, "y": 0.075, "z": 0.05}),
        Predicate("pointing", {"point": "basket.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.35}),
        Predicate("not_in_contact", {"a": "basket", "b": "table"}),
        Predicate("gripper_touching", {"arm": "b", "obj": "basket"}),
        Predicate("gripper_open", {"arm": "a"}),
        Predicate("gripper_not_touching", {"arm": "a", "obj": "can"}),
    ),
)
