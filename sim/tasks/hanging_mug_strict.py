"""The mug must hang by itself: on the rack, off the table, in no hand."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.hanging_mug import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="hanging_mug_strict",
    suite="robotwin50_strict",
    success=(
        Predicate("near", {"a": "mug.handle", "b": "rack.hang", "x": 0.05, "y": 0.05}),
        Predicate("within", {"point": "mug.handle", "z": (0.12, 9.0)}),
        Predicate("touching", {"a": "mug", "b": "rack"}),
        Predicate("clear", {"a": "mug", "b": "table"}),
        Predicate("loose", {"arm": "all", "obj": "mug"}),
        Predicate("open", {"arm": "all"}),
    ),
)
