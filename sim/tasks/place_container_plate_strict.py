"""Set a bowl or a cup on a plate; it must stand upright on it, let go of."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_container_plate import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_container_plate_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("near", {"a": "container.bottom", "b": "plate.top", "z": 0.006}),
        Predicate("pointing", {"point": "container.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.1}),
        Predicate("in_contact", {"a": "container", "b": "plate"}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "container"}),
    ),
)
