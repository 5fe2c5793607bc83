"""Lift a lying bottle; it must be upright and in the hand."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.adjust_bottle import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="adjust_bottle_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("pointing", {"point": "bottle.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.26}),
        Predicate("gripper_touching", {"arm": "a", "obj": "bottle"}),
    ),
)
