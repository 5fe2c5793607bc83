"""Hold a rolling pin by both ends and lift it level, each hand touching its end."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.grab_roller import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="grab_roller_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("gripper_touching_at", {"arm": "a", "point": "roller.left_end", "xy": 0.04, "z": 0.03}),
        Predicate("gripper_touching_at", {"arm": "b", "point": "roller.right_end", "xy": 0.04, "z": 0.03}),
        Predicate("near", {"a": "roller.left_end", "b": "roller.right_end", "z": 0.02}),
    ),
)
