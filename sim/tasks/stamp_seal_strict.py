"""Press a stamp on a coloured square; it must stand on it, let go of."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.stamp_seal import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="stamp_seal_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("within", {"point": "seal.bottom", "z": (-0.004, 0.006)}),
        Predicate("pointing", {"point": "seal.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.1}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "seal"}),
    ),
)
