"""Press a stamp on a coloured square; it must stand on it, let go of."""

import dataclasses

from sim.task.spec import Term
from sim.tasks.stamp_seal import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="stamp_seal_strict",
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Term("within", {"point": "seal.bottom", "z": (-0.004, 0.006)}),
        Term("pointing", {"point": "seal.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.1}),
        Term("loose", {"arm": "all", "obj": "seal"}),
    ),
)
