"""The same, and the bread rests on the pan that one arm holds level, the other hand off it."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_bread_skillet import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_bread_skillet_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("near", {"a": "bread.bottom", "b": "skillet.centre", "z": 0.02}),
        Predicate("in_contact", {"a": "bread", "b": "skillet"}),
        Predicate("gripper_not_touching", {"arm": "b", "obj": "bread"}),
        Predicate("gripper_open", {"arm": "b"}),
        Predicate("gripper_touching", {"arm": "a", "obj": "skillet"}),
        Predicate("not_in_contact", {"a": "skillet", "b": "table"}),
        Predicate("pointing", {"point": "skillet.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.3}),
    ),
)
