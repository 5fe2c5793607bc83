"""Pick a cup by its rim and set it down on a coaster."""

from sim.spec import Arm, Object, Shape, Skill, Spawn, Task, Term

TASK = Task(
    name="place_empty_cup",
    suite="robotwin50",
    instructions=(
        "put the cup on the coaster",
        "place the empty cup on the coaster",
        "use {a} to set the cup down on the coaster",
        "pick the cup up with {a} and rest it on the coaster",
        "move the cup onto the coaster",
    ),
    objects=(
        Object(
            "cup",
            variants=(Shape("cup", {"radius": 0.0435, "height": 0.09}),),
            spawn=Spawn(x=(0.15, 0.3), y=(-0.2, 0.05), mirror="coin"),
            mass=0.08,
        ),
        Object(
            "coaster",
            variants=(Shape("disc", {"radius": 0.0745, "height": 0.008}),),
            spawn=Spawn(x=(-0.05, 0.1), y=(-0.2, 0.05), mirror="cup", apart=(("cup", 0.13),)),
            fixed=True,
        ),
    ),
    arms=(Arm("a", "side:cup"),),
    success=(
        Term("near", {"a": "cup.bottom", "b": "coaster.top", "xy": 0.035, "z": 0.015}),
        Term("open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "cup", "grasp": "rim", "pre": 0.1, "lift": 0.08}),
        Skill("place", {"arm": "a", "obj": "cup", "point": "bottom", "on": "coaster.top", "pre": 0.05}),
    ),
    horizon=500,
)
