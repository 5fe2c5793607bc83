"""Stand two cans in a plastic box, an arm for each."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

SLOTS = ("box.near", "box.far")

TASK = Task(
    name="place_cans_plasticbox",
    suite="robotwin50",
    instructions=(
        "put {left} and {right} into {box}",
        "use both arms to place {left} and {right} in {box}",
        "stand the two cans in {box}",
        "{a} takes {left}, {b} takes {right}: both go into {box}",
        "pick up the cans on either side and set them in {box}",
        "store {left} and {right} in {box}, one after the other",
    ),
    unseen=(
        "both cans belong in {box}",
        "fill {box} with {left} using {a} and {right} using {b}",
    ),
    objects=(
        TaskObject("box", variants=find_specs("plastic_box"), spawn=Spawn(x=(0.0, 0.0), y=(-0.15, -0.1)), mass=0.1),
        TaskObject("left", variants=find_specs("can"), spawn=Spawn(x=(-0.25, -0.15), y=(-0.15, -0.07))),
        TaskObject("right", variants=find_specs("can"), spawn=Spawn(x=(0.15, 0.25), y=(-0.15, -0.07))),
    ),
    arms=(ArmRole("a", "left"), ArmRole("b", "right")),
    success=(
        Predicate("near", {"a": "left.bottom", "b": SLOTS, "xy": 0.04}),
        Predicate("near", {"a": "right.bottom", "b": SLOTS, "xy": 0.04}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill(
            "pick",
            {"arm": "a", "obj": "left", "grasp": "top", "pre": 0.1, "lift": 0.18},
            alongside=(Skill("pick", {"arm": "b", "obj": "right", "grasp": "top", "pre": 0.1, "lift": 0.18}),),
        ),
        Skill(
            "place",
            {"arm": "a", "obj": "left", "on": "box.near", "pre": 0.12, "opening": 0.076, "retreat": 0.12},
        ),
        Skill(
            "place",
            {"arm": "b", "obj": "right", "on": "box.far", "pre": 0.12, "opening": 0.076, "retreat": 0.12},
        ),
    ),
    horizon=800,
)
