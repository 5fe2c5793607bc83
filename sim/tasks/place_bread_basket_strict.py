"""The same, and the breads lie in the basket, which still stands level, out of the hands."""

import dataclasses

from sim.task.spec import Predicate
from sim.tasks.place_bread_basket import BREADS
from sim.tasks.place_bread_basket import TASK as WEAK

TASK = dataclasses.replace(
    WEAK,
    name="place_bread_basket_strict",
    scene_id=WEAK.name,
    suite="robotwin50_strict",
    success=(
        *WEAK.success,
        *(
            term
            for bread in BREADS
            for term in (
                Predicate("near", {"a": f"{bread}.bottom", "b": "basket.floor", "z": 0.04}),
                Predicate("not_in_contact", {"a": bread, "b": "table"}),
                Predicate("gripper_not_touching", {"arm": "all", "obj": bread}),
            )
        ),
        Predicate("pointing", {"point": "basket.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.1}),
    ),
)
