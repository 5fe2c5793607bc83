"""The same, and both shoes stand level on the box's floor, out of the hands."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_dual_shoes import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_dual_shoes_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        *(
            term
            for shoe, slot in (("left", "box.front"), ("right", "box.back"))
            for term in (
                Predicate("near", {"a": f"{shoe}.bottom", "b": slot, "z": 0.005}),
                Predicate("pointing", {"point": f"{shoe}.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.05}),
                Predicate("gripper_not_touching", {"arm": "all", "obj": shoe}),
            )
        ),
    ),
)
