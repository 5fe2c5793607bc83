"""Lift a lying bottle and shake it level: in the hand, its cap must have been over its bottom and under it."""

import dataclasses

from sim.task.spec import Term
from sim.tasks.shake_bottle_horizontally import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="shake_bottle_horizontally_strict",
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Term("over", {"a": "bottle.top", "b": "bottle.bottom", "by": 0.03}, latch=True),
        Term("over", {"a": "bottle.bottom", "b": "bottle.top", "by": 0.03}, latch=True),
        Term("near", {"a": "bottle.top", "b": "bottle.bottom", "z": 0.05}),
        Term("held", {"arm": "a", "obj": "bottle"}),
    ),
)
