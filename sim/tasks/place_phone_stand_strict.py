"""The phone must lean on the stand by itself, in its ledge and along its plate, in no hand."""

import dataclasses

from sim.task.spec import Term
from sim.tasks.place_phone_stand import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_phone_stand_strict",
    suite="robotwin50_strict",
    success=(
        Term("near", {"a": "phone.bottom_edge", "b": "stand.ledge", "x": 0.03, "y": 0.02, "z": 0.015}),
        Term("turned", {"a": "phone.bottom_edge", "b": "stand.ledge", "angle": 0.26}),
        Term("touching", {"a": "phone", "b": "stand"}),
        Term("clear", {"a": "phone", "b": "table"}),
        Term("loose", {"arm": "all", "obj": "phone"}),
        Term("open", {"arm": "all"}),
    ),
)
