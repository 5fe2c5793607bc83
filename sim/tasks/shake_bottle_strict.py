"""Lift a lying bottle and shake it: raised and in the hand, it must have leant to either side."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.shake_bottle import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="shake_bottle_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("pointing", {"point": "bottle.bottom", "along": (0.39, 0.0, 0.92), "angle": 0.36}, latch=True),
        Predicate("pointing", {"point": "bottle.bottom", "along": (-0.39, 0.0, 0.92), "angle": 0.36}, latch=True),
        Predicate("pointing", {"point": "bottle.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.26}),
        Predicate("gripper_touching", {"arm": "a", "obj": "bottle"}),
    ),
)
