"""Hold a box and a scanner so that the scanner's beam meets the bottom of the box.

They stand 0.16 m apart: the longest of them would touch at less.
"""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="scan_object",
    suite="robotwin50",
    instructions=(
        "scan {box} with {scanner}",
        "read the code on {box} with {scanner}",
        "hold {box} in {b} and scan it with {scanner} in {a}",
        "take {scanner} with {a} and {box} with {b}, then scan it",
        "pick up {scanner} and {box} and point one at the bottom of the other",
        "lift both and let {scanner} read {box}",
    ),
    unseen=(
        "with {a} aim {scanner} at the underside of {box}",
        "check {box} in: read it with {scanner}",
    ),
    objects=(
        TaskObject(
            "scanner",
            variants=find_specs("scanner"),
            spawn=Spawn(x=(0.05, 0.25), y=(-0.15, -0.05), yaw=(-1.2, 1.2), mirror="coin"),
        ),
        TaskObject(
            "box",
            variants=find_specs("tea_box"),
            spawn=Spawn(x=(0.05, 0.25), y=(-0.2, 0.0), yaw=(-1.2, 1.2), mirror="-scanner", apart=(("scanner", 0.16),)),
        ),
    ),
    arms=(ArmRole("a", "side:scanner"), ArmRole("b", "other:a")),
    success=(
        Predicate(
            "along_axis", {"a": "scanner.beam", "b": "box.bottom", "low": 0.0, "high": 0.07, "x": 0.025, "y": 0.025}
        ),
        Predicate("gripper_closed", {"arm": "a"}),
        Predicate("gripper_closed", {"arm": "b"}),
    ),
    plan=(
        Skill(
            "pick",
            {"arm": "a", "obj": "scanner", "grasp": ("top", "handle"), "pre": 0.08, "lift": 0.1},
            alongside=(Skill("pick", {"arm": "b", "obj": "box", "grasp": "top", "pre": 0.08, "lift": 0.1}),),
        ),
        Skill(
            "carry",
            {"arm": "b", "obj": "box", "to": (0.03, -0.02, 0.2), "up": (1.0, 0.0, 0.0), "mirror": "b"},
            alongside=(
                Skill(
                    "carry",
                    {
                        "arm": "a",
                        "obj": "scanner",
                        "point": "beam",
                        "to": (-0.02, -0.02, 0.2),
                        "up": (1.0, 0.0, 0.0),
                        "mirror": "b",
                    },
                ),
            ),
        ),
    ),
    horizon=500,
)
