"""The thing must lie in the drawer, out of the hand."""

import dataclasses

from sim.task.spec import Term
from sim.tasks.put_object_cabinet import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="put_object_cabinet_strict",
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Term("touching", {"a": "thing", "b": "cabinet"}),
        Term("clear", {"a": "thing", "b": "table"}),
        Term("loose", {"arm": "all", "obj": "thing"}),
        Term("near", {"a": "thing.bottom", "b": "cabinet.inside", "z": 0.05}),
    ),
)
