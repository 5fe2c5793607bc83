"""The same, and both lie flat on the tray's floor, out of the hands."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_burger_fries import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_burger_fries_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        *(
            term
            for obj, slot in (("burger", "tray.left"), ("fries", "tray.right"))
            for term in (
                Predicate("near", {"a": f"{obj}.bottom", "b": slot, "x": 0.06, "y": 0.05, "z": 0.008}),
                Predicate("pointing", {"point": f"{obj}.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.2}),
                Predicate("not_in_contact", {"a": obj, "b": "table"}),
                Predicate("gripper_not_touching", {"arm": "all", "obj": obj}),
            )
        ),
    ),
)
