"""Pick up a phone lying flat and lean it on a phone stand."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_phone_stand",
    suite="robotwin50",
    instructions=(
        "put {phone} on {stand}",
        "rest {phone} against {stand}",
        "use {a} to set {phone} on {stand}",
        "pick {phone} up with {a} and lean it on {stand}",
        "{phone} goes on {stand}, screen to the front",
        "lift {phone} off the table and stand it up on {stand}",
    ),
    unseen=(
        "with {a}, park {phone} on {stand}",
        "{stand} should hold {phone}",
    ),
    objects=(
        TaskObject(
            "phone",
            variants=find_specs("phone"),
            spawn=Spawn(x=(0.05, 0.25), y=(-0.2, 0.0), yaw=(-0.7, 0.7), mirror="coin"),
        ),
        TaskObject(
            "stand",
            variants=find_specs("phone_stand"),
            spawn=Spawn(x=(0.0, 0.15), y=(0.0, 0.2), mirror="phone", apart=(("phone", 0.15),)),
            fixed=True,
        ),
    ),
    arms=(ArmRole("a", "side:phone"),),
    success=(
        Predicate("near", {"a": "phone.bottom_edge", "b": "stand.ledge", "x": 0.045, "y": 0.04, "z": 0.04}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "phone", "grasp": "sides", "pre": 0.05, "lift": 0.1}),
        Skill(
            "place",
            {
                "arm": "a",
                "obj": "phone",
                "point": "bottom_edge",
                "on": "stand.ledge",
                "yaw": (0.0,),
                "pre": 0.13,
                "slow": 1.0,
            },
        ),
    ),
    horizon=400,
)
