"""The same, and the bread rests on the pan that one arm holds level, the other hand off it."""

import dataclasses

from sim.task.spec import Term
from sim.tasks.place_bread_skillet import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_bread_skillet_strict",
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Term("near", {"a": "bread.bottom", "b": "skillet.centre", "z": 0.02}),
        Term("touching", {"a": "bread", "b": "skillet"}),
        Term("loose", {"arm": "b", "obj": "bread"}),
        Term("open", {"arm": "b"}),
        Term("held", {"arm": "a", "obj": "skillet"}),
        Term("clear", {"a": "skillet", "b": "table"}),
        Term("pointing", {"point": "skillet.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.3}),
    ),
)
