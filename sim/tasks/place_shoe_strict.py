"""The same, and the shoe stands flat on the mat, out of the hand."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_shoe import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_shoe_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("near", {"a": "shoe.bottom", "b": "mat.top", "z": 0.005}),
        Predicate("pointing", {"point": "shoe.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.05}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "shoe"}),
    ),
)
