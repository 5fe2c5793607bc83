"""Throw three bottles into a bin beside the table; what stands on the right is handed over first.

The bin stands 7 cm further left than the benchmark's, clear of the table's edge.
"""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, ObjectOrder, Predicate, Skill, Spawn, TablePlacement, Task, TaskObject

BOTTLE_NAMES = ("first", "second", "third")

TASK = Task(
    name="put_bottles_dustbin",
    suite="robotwin50",
    instructions=(
        "throw {first}, {second} and {third} into {bin}",
        "clear all bottles from the table into {bin}",
        "put the three bottles in {bin} beside the table",
        "with {l} over {bin}, drop {first}, {second} and {third} into it",
        "get rid of the bottles: they go into {bin}",
    ),
    unseen=(
        "no bottle should be left on the table, use {bin}",
        "tidy up by letting {first}, {second} and {third} fall into {bin}",
    ),
    table=TablePlacement(x=0.3),
    objects=(
        TaskObject(
            "bin",
            variants=find_specs("floor_bin"),
            spawn=Spawn(x=(-0.525, -0.525), y=(0.0, 0.0), z=0.0, floor=True),
            fixed=True,
        ),
        *(
            TaskObject(
                name,
                variants=find_specs("big_bottle"),
                spawn=Spawn(
                    x=(-0.25, 0.3), y=(0.03, 0.23), min_abs_x=0.05, apart=tuple((other, 0.13) for other in before)
                ),
                mass=0.05,
            )
            for name, before in (("first", ()), ("second", ("first",)), ("third", ("first", "second")))
        ),
    ),
    order=(ObjectOrder(BOTTLE_NAMES, "side"),),
    arms=(ArmRole("l", "left"), ArmRole("a", "side:first"), ArmRole("b", "side:second"), ArmRole("c", "side:third")),
    success=tuple(
        Predicate("near", {"a": f"{name}.bottom", "b": "bin.floor", "x": 0.221, "y": 0.325, "z": 0.495})
        for name in BOTTLE_NAMES
    ),
    plan=tuple(
        skill
        for role, name in zip("abc", BOTTLE_NAMES, strict=True)
        for skill in (
            Skill("pick", {"arm": role, "obj": name, "grasp": ("side", "top"), "lift": 0.1}),
            Skill("carry", {"arm": role, "obj": name, "to": (0.0, -0.1, 0.14)}, when=f"{role}!=l"),
            Skill("pick", {"arm": "l", "obj": name, "grasp": "side", "at": -0.06, "lift": 0.0}, when=f"{role}!=l"),
            Skill("release", {"arm": role, "retreat": 0.1}, when=f"{role}!=l"),
            Skill("place", {"arm": "l", "obj": name, "to": (-0.44, -0.08, 0.1), "pre": 0.08}),
        )
    ),
    horizon=1700,
)
