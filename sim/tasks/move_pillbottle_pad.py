"""Stand a pill bottle on a blue pad."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="move_pillbottle_pad",
    suite="robotwin50",
    instructions=(
        "stand {bottle} on {pad}",
        "move {bottle} onto {pad}",
        "pick {bottle} up with {a} and put it on {pad}",
        "use {a} to bring {bottle} to {pad}",
        "{bottle} belongs on {pad}",
        "take {bottle} and set it upright on {pad}",
    ),
    unseen=(
        "with {a}, shift {bottle} across to {pad}",
        "grab {bottle} and let it stand on {pad}",
    ),
    objects=(
        TaskObject(
            "bottle",
            variants=find_specs("pill_bottle"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.1, 0.1), min_abs_x=0.05),
        ),
        TaskObject(
            "pad",
            variants=(
                ObjectSpec("mat", {"size": (0.08, 0.08)}, "mat", "blue", ("pad", "mat", "square"), ("sheet of paper",)),
            ),
            spawn=Spawn(x=(0.05, 0.25), y=(-0.2, 0.1), z=0.0, mirror="bottle", apart=(("bottle", 0.1),)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:bottle"),),
    success=(
        Predicate("near", {"a": "bottle.bottom", "b": "pad.top", "x": 0.03, "y": 0.03}),
        Predicate("within", {"point": "bottle.bottom", "z": (-0.004, 0.006)}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "bottle", "grasp": "side", "pre": 0.06, "lift": 0.05}),
        Skill("place", {"arm": "a", "obj": "bottle", "on": "pad.bottom"}),
    ),
    horizon=400,
)
