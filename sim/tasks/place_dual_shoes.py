"""Pack a pair of shoes in a shoe box, both toes to the left, an arm for each.

Shoes keep 0.24 m away from the box, which a shoe that points at it would otherwise reach into.
"""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, TablePlacement, Task, TaskObject

TO_LEFT = -pi / 2  # the yaw of a toe that points to -x

TASK = Task(
    name="place_dual_shoes",
    suite="robotwin50",
    instructions=(
        "put both shoes into {box}, toes to the left",
        "pack the pair of shoes in {box} pointing left",
        "use both arms to place {left} and {right} in {box}, toes leftward",
        "{a} puts one shoe in {box} and {b} the other, both pointing left",
        "store the two shoes side by side in {box} with their toes to the left",
        "pick the pair up and lay it in {box}, heels to the right",
    ),
    unseen=(
        "the shoes go back into {box}, tips to the left",
        "with {a} and {b}, box up the pair so that it points left",
    ),
    objects=(
        TaskObject("box", variants=find_specs("shoe_box"), spawn=Spawn(x=(0.0, 0.0), y=(-0.13, -0.13)), fixed=True),
        *(
            TaskObject(
                name,
                variants=find_specs("shoe"),
                spawn=Spawn(
                    x=span,
                    y=(-0.1, 0.05),
                    yaw=(-pi, pi),
                    clear=((0.0, 0.0, 0.15),),
                    apart=(("box", 0.24),),
                ),
                mass=0.1,
                like=like,
            )
            for name, span, like in (("left", (-0.3, -0.2), ""), ("right", (0.2, 0.3), "left"))
        ),
    ),
    arms=(ArmRole("a", "left"), ArmRole("b", "right")),
    success=(
        *(
            term
            for shoe, slot in (("left", "box.front"), ("right", "box.back"))
            for term in (
                Predicate("near", {"a": f"{shoe}.bottom", "b": slot, "x": 0.05, "y": 0.05, "z": 0.03}),
                Predicate("oriented", {"a": shoe, "yaw": TO_LEFT, "angle": 0.26}),
            )
        ),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill(
            "pick",
            {"arm": "a", "obj": "left", "grasp": "top", "pre": 0.07, "lift": 0.09},
            alongside=(Skill("pick", {"arm": "b", "obj": "right", "grasp": "top", "pre": 0.07, "lift": 0.09}),),
        ),
        Skill(
            "place",
            {"arm": "a", "obj": "left", "on": "box.front", "yaw": (TO_LEFT,), "pre": 0.07},
            alongside=(Skill("carry", {"arm": "b", "obj": "right", "to": (0.28, -0.1, 0.1), "yaw": (TO_LEFT,)}),),
        ),
        Skill("place", {"arm": "b", "obj": "right", "on": "box.back", "yaw": (TO_LEFT,), "pre": 0.07}),
    ),
    table=TablePlacement(top=0.64),
    horizon=600,
)
