"""The blow must come from the hammer's face, on the block's top, out of a hand that holds the hammer."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.beat_block_hammer import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="beat_block_hammer_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("near", {"a": "hammer.face", "b": "block.top", "z": 0.008}),
        Predicate("pointing", {"point": "hammer.face", "along": (0.0, 0.0, 1.0), "angle": 0.35}),
        Predicate("gripper_touching", {"arm": "a", "obj": "hammer"}),
        Predicate("not_in_contact", {"a": "hammer", "b": "table"}),
        Predicate("gripper_closed", {"arm": "a"}),
    ),
)
