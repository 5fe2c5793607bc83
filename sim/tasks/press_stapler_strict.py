"""The stapler must be pushed from above with the fingers of a closed gripper."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.press_stapler import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="press_stapler_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(Predicate("pressed", {"arm": "a", "point": "stapler.top", "xy": 0.02, "z": 0.01}, latch=True),),
)
