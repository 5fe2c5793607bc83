"""The same, and the cans stand upright on the box's floor, out of the hands."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_cans_plasticbox import SLOTS
from sim.tasks.place_cans_plasticbox import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_cans_plasticbox_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        *(
            term
            for can in ("left", "right")
            for term in (
                Predicate("near", {"a": f"{can}.bottom", "b": SLOTS, "xy": 0.04, "z": 0.01}),
                Predicate("pointing", {"point": f"{can}.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.2}),
                Predicate("gripper_not_touching", {"arm": "all", "obj": can}),
            )
        ),
    ),
)
