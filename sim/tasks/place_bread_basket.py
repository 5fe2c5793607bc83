"""Gather one or two breads in a basket.

Breads keep 0.18 m away from the basket, whose corners would reach under the nearest of them, and 0.13 m from each
other, so that a hand fits between: where the second would stand nearer there is only one.
"""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, ObjectOrder, Predicate, Skill, Spawn, Task, TaskObject

BREADS = ("first", "second")
HOW = {"grasp": "top", "pre": 0.06, "lift": 0.08}
BASKET_PLACE_ARGS = {"yaw": (0.0,), "pre": 0.09, "opening": 0.072}  # wider, and the fingers would push the other bread

TASK = Task(
    name="place_bread_basket",
    suite="robotwin50",
    instructions=(
        "put all the bread into {basket}",
        "gather whatever bread there is in {basket}",
        "clear the table of bread: it goes into {basket}",
        "put {first} and {second} into {basket}",
        "drop {first} into {basket} with {a}, then {second} with {b}",
        "fill {basket} with {first} and {second}",
    ),
    unseen=(
        "all that is baked belongs in {basket}",
        "let {a} lay {first} in {basket} and {b} add {second}",
    ),
    objects=(
        TaskObject(
            "basket",
            variants=find_specs("bread_basket"),
            spawn=Spawn(x=(0.0, 0.0), y=(-0.2, -0.2), yaw=(-pi, pi)),
            mass=0.1,
        ),
        *(
            TaskObject(
                name,
                variants=find_specs("bread"),
                spawn=Spawn(
                    x=(0.15, 0.27),
                    y=(-0.2, 0.05),
                    yaw=(-0.79, 0.79),
                    mirror="coin",
                    clear=((0.0, -0.2, 0.18),),
                    apart=tuple((other, 0.13) for other in before),
                    optional=bool(before),
                ),
            )
            for name, before in (("first", ()), ("second", ("first",)))
        ),
    ),
    order=(ObjectOrder(BREADS, "y"),),
    arms=(ArmRole("a", "side:first"), ArmRole("b", "side:second")),
    success=(
        *(
            term
            for bread in BREADS
            for term in (
                Predicate("near", {"a": f"{bread}.bottom", "b": "basket.bottom", "x": 0.05, "y": 0.05}),
                Predicate("within", {"point": f"{bread}.bottom", "z": (-0.01, 9.0)}),
            )
        ),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        # from both sides at once; what is held already is not picked again
        Skill(
            "pick",
            {"arm": "b", "obj": "second", **HOW},
            alongside=(Skill("pick", {"arm": "a", "obj": "first", **HOW}),),
            when="a!=b",
        ),
        Skill("pick", {"arm": "a", "obj": "first", **HOW}),
        Skill("place", {"arm": "a", "obj": "first", "on": "basket.left", **BASKET_PLACE_ARGS, "stop": 0.01}),
        Skill("pick", {"arm": "b", "obj": "second", **HOW}),
        Skill("place", {"arm": "b", "obj": "second", "on": "basket.right", **BASKET_PLACE_ARGS, "stop": 0.03}),
    ),
    horizon=700,
)
