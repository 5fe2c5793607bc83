"""Pull a drawer open with one arm and put a small thing inside with the other."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="put_object_cabinet",
    suite="robotwin50",
    instructions=(
        "put {thing} into the drawer of {cabinet}",
        "open the drawer of {cabinet} and put {thing} inside",
        "{b} pulls the drawer of {cabinet}, {a} puts {thing} in it",
        "pull the lowest drawer of {cabinet} with {b} and drop {thing} into it with {a}",
        "store {thing} in {cabinet}",
        "with {a} place {thing} in the drawer that {b} opens",
    ),
    unseen=(
        "tidy {thing} away in {cabinet}",
        "let {b} open {cabinet} for {a} to put {thing} in",
    ),
    objects=(
        TaskObject(
            "thing",
            variants=find_specs(
                "mouse", "stapler", "toy_car", "rubik", "bread", "phone", "card_box", "tea_box", "coffee_box", "soap"
            ),
            spawn=Spawn(x=(0.2, 0.32), y=(-0.2, -0.1), yaw=(-1.05, 1.05), mirror="coin"),
        ),
        TaskObject(
            "cabinet",
            variants=find_specs("cabinet"),
            spawn=Spawn(x=(-0.05, 0.05), y=(0.155, 0.155)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:thing"), ArmRole("b", "other:a")),
    success=(
        Predicate("near", {"a": "thing.bottom", "b": "cabinet.inside", "x": 0.05, "y": 0.05}),
        Predicate("raised", {"obj": "thing", "low": 0.007, "high": 0.12}),
        Predicate("gripper_open", {"arm": "a"}),
    ),
    plan=(
        Skill(
            "pick",
            {"arm": "a", "obj": "thing", "grasp": "top", "pre": 0.08, "lift": 0.15},
            alongside=(
                Skill("turn", {"arm": "b", "joint": "cabinet.drawer", "grasp": "handle", "pre": 0.06, "to": 0.9}),
            ),
        ),
        Skill("place", {"arm": "a", "obj": "thing", "on": "cabinet.out", "pre": 0.12, "stop": 0.05}),
    ),
    horizon=700,
)
