"""Put one small thing to the left of another; it must stand on the table, let go of."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_a2b_left import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_a2b_left_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("within", {"point": "thing.bottom", "z": (-0.004, 0.006)}),
        Predicate("pointing", {"point": "thing.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.1}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "thing"}),
    ),
)
