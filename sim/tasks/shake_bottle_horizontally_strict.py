"""Lift a lying bottle and shake it level: in the hand, its cap must have been over its bottom and under it."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.shake_bottle_horizontally import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="shake_bottle_horizontally_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("higher_than", {"a": "bottle.top", "b": "bottle.bottom", "by": 0.03}, latch=True),
        Predicate("higher_than", {"a": "bottle.bottom", "b": "bottle.top", "by": 0.03}, latch=True),
        Predicate("near", {"a": "bottle.top", "b": "bottle.bottom", "z": 0.05}),
        Predicate("gripper_touching", {"arm": "a", "obj": "bottle"}),
    ),
)
