"""Turn a small sign round; it must stand at its place before the arm, let go of."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.rotate_qrcode import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="rotate_qrcode_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate(
            "within",
            {"point": "sign.bottom", "x": (0.17, 0.23), "y": (-0.18, -0.12), "z": (-0.004, 0.006), "mirror": "a"},
        ),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "sign"}),
    ),
)
