"""Press a stamp on a coloured square."""

from sim.catalogue import find_specs
from sim.objects.palette import MAT_COLOURS
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="stamp_seal",
    suite="robotwin50",
    instructions=(
        "stamp {pad} with {seal}",
        "press {seal} on {pad}",
        "use {a} to put {seal} right on the {pad.colour} square",
        "take {seal} with {a} and stamp the middle of {pad}",
        "set {seal} down on {pad}",
        "the {pad.colour} square is still clean; mark it with {seal}",
    ),
    unseen=(
        "with {a}, mark {pad} using {seal}",
        "bring {seal} over {pad} and press",
    ),
    objects=(
        TaskObject(
            "seal",
            variants=find_specs("seal"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.05, 0.05), min_abs_x=0.05),
        ),
        TaskObject(
            "pad",
            variants=(ObjectSpec("mat", {"size": (0.07, 0.07)}, "mat", nouns=("square", "mat", "sheet")),),
            spawn=Spawn(x=(0.05, 0.25), y=(-0.05, 0.05), z=0.0, mirror="seal", apart=(("seal", 0.1),)),
            colours=MAT_COLOURS,
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:seal"),),
    success=(
        Predicate("near", {"a": "seal.bottom", "b": "pad.top", "x": 0.01, "y": 0.01}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "seal", "grasp": "top", "pre": 0.1, "lift": 0.05}),
        Skill("place", {"arm": "a", "obj": "seal", "on": "pad.bottom", "pre": 0.08}),
    ),
    horizon=400,
)
