"""Both things must be lifted and held, and the bottom of the box must face the scanner."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.scan_object import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="scan_object_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate(
            "along_axis", {"a": "box.bottom", "b": "scanner.beam", "low": -0.07, "high": 0.0, "x": 0.025, "y": 0.025}
        ),
        *(
            term
            for arm, obj in (("a", "scanner"), ("b", "box"))
            for term in (
                Predicate("gripper_touching", {"arm": arm, "obj": obj}),
                Predicate("raised", {"obj": obj, "low": 0.05}),
                Predicate("not_in_contact", {"a": obj, "b": "table"}),
            )
        ),
    ),
)
