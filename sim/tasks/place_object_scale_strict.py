"""Weigh a small thing; it must stand on the platform, let go of."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_object_scale import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_object_scale_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("near", {"a": "thing.bottom", "b": "scale.top", "z": 0.006}),
        Predicate("pointing", {"point": "thing.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.1}),
        Predicate("in_contact", {"a": "thing", "b": "scale"}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "thing"}),
    ),
)
