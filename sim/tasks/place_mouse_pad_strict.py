"""Put a computer mouse on a coloured mat; it must stand there, let go of."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_mouse_pad import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_mouse_pad_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("within", {"point": "mouse.bottom", "z": (-0.004, 0.006)}),
        Predicate("pointing", {"point": "mouse.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.1}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "mouse"}),
    ),
)
