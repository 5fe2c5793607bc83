"""The same, and the can lies in the basket, which the other arm holds level off the table."""

import dataclasses

from sim.task.spec import Term
from sim.tasks.place_can_basket import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_can_basket_strict",
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Term("near", {"a": "can.bottom", "b": "basket.floor", "x": 0.11, "y": 0.075, "z": 0.05}),
        Term("pointing", {"point": "basket.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.35}),
        Term("clear", {"a": "basket", "b": "table"}),
        Term("held", {"arm": "b", "obj": "basket"}),
        Term("open", {"arm": "a"}),
        Term("loose", {"arm": "a", "obj": "can"}),
    ),
)
