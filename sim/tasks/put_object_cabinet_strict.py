"""The thing must lie in the drawer, out of the hand."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.put_object_cabinet import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="put_object_cabinet_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("in_contact", {"a": "thing", "b": "cabinet"}),
        Predicate("not_in_contact", {"a": "thing", "b": "table"}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "thing"}),
        Predicate("near", {"a": "thing.bottom", "b": "cabinet.inside", "z": 0.05}),
    ),
)
