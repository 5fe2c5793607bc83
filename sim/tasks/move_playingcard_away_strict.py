"""Slide a box of cards outwards; it must lie flat on the table, let go of."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.move_playingcard_away import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="move_playingcard_away_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        Predicate("within", {"point": "cards.bottom", "z": (-0.004, 0.006)}),
        Predicate("pointing", {"point": "cards.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.1}),
        Predicate("gripper_not_touching", {"arm": "all", "obj": "cards"}),
    ),
)
