"""The phone must lean on the stand by itself, in its ledge and along its plate, in no hand."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_phone_stand import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_phone_stand_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        Predicate("near", {"a": "phone.bottom_edge", "b": "stand.ledge", "x": 0.03, "y": 0.02, "z": 0.015}),
        Predicate("oriented", {"a": "phone.bottom_edge", "b": "stand.ledge", "angle": 0.26}),
        Predicate("in_contact", {"a": "phone", "b": "stand"}),
        Predicate("not_in_contact", {"a": "phone", "b": "table"}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "phone"}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
)
