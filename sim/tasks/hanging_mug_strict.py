"""The mug must hang by itself: on the rack, off the table, in no hand."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.hanging_mug import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="hanging_mug_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        Predicate("near", {"a": "mug.handle", "b": "rack.hang", "x": 0.05, "y": 0.05}),
        Predicate("within", {"point": "mug.handle", "z": (0.12, 9.0)}),
        Predicate("in_contact", {"a": "mug", "b": "rack"}),
        Predicate("not_in_contact", {"a": "mug", "b": "table"}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "mug"}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
)
