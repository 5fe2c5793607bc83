"""Put a small thing on a display stand; it must stand on top, let go of."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_object_stand import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_object_stand_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("near", {"a": "thing.bottom", "b": "stand.top", "z": 0.006}),
        Predicate("pointing", {"point": "thing.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.1}),
        Predicate("in_contact", {"a": "thing", "b": "stand"}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "thing"}),
    ),
)
