"""Set the cup of the named colour down on a coaster; another cup stands by, and only the words tell which is meant."""

import dataclasses

from sim.catalogue import find_specs
from sim.task.spec import Spawn, TaskObject
from sim.tasks.place_empty_cup import TASK as ALONE

CUPS = find_specs("cup")[:2]

TASK = dataclasses.replace(
    ALONE,
    name="place_named_cup",
    suite="aim",
    instructions=(
        "put the {cup.colour} cup on {coaster}",
        "place the {cup.colour} cup on {coaster}",
        "use {a} to set the {cup.colour} cup down on {coaster}",
        "move the {cup.colour} cup onto {coaster}",
    ),
    unseen=(
        "{coaster} is where the {cup.colour} cup should stand",
        "leave the other cup alone and bring the {cup.colour} cup to {coaster}",
    ),
    objects=(
        TaskObject(
            "cup",
            variants=CUPS,
            spawn=Spawn(x=(0.15, 0.3), y=(-0.2, 0.05), mirror="coin"),
            mass=0.08,
        ),
        TaskObject(
            "other",
            variants=CUPS,
            spawn=Spawn(x=(0.15, 0.3), y=(-0.2, 0.05), mirror="coin", apart=(("cup", 0.15),)),
            unlike="cup",
            mass=0.08,
        ),
        TaskObject(
            "coaster",
            variants=find_specs("coaster")[:1],
            spawn=Spawn(x=(-0.05, 0.1), y=(-0.2, 0.05), mirror="cup", apart=(("cup", 0.13), ("other", 0.13))),
            fixed=True,
        ),
    ),
)
