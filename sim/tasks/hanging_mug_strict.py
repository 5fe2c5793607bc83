"""The mug must hang by itself: on the rack, off the table, in no hand."""

import dataclasses

from sim.task.spec import Term
from sim.tasks.hanging_mug import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="hanging_mug_strict",
    suite="robotwin50_strict",
    success=(
        Term("near", {"a": "mug.handle", "b": "rack.hang", "x": 0.05, "y": 0.05}),
        Term("within", {"point": "mug.handle", "z": (0.12, 9.0)}),
        Term("touching", {"a": "mug", "b": "rack"}),
        Term("clear", {"a": "mug", "b": "table"}),
        Term("loose", {"arm": "all", "obj": "mug"}),
        Term("open", {"arm": "all"}),
    ),
)
