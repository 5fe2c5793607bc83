"""Take a pot by its two handles and lift it."""

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="lift_pot",
    suite="robotwin50",
    instructions=(
        "lift {pot} with both arms",
        "take {pot} by its two handles and raise it",
        "{a} and {b} each take a handle of {pot} and lift",
        "pick {pot} up off the table",
        "use both hands to raise {pot}",
        "grab the handles of {pot} and lift it",
    ),
    unseen=(
        "bring {pot} up, one gripper on each handle",
        "hold {pot} on both sides with {a} and {b} and carry it upward",
    ),
    objects=(
        TaskObject(
            "pot",
            variants=find_specs("pot")[:2],
            spawn=Spawn(x=(-0.05, 0.05), y=(-0.05, 0.05), yaw=(-0.39, 0.39)),
            mass=0.1,
        ),
    ),
    arms=(ArmRole("a", "left"), ArmRole("b", "right")),
    success=(
        Predicate("within", {"point": "pot.bottom", "z": (0.023, 9.0)}),
        Predicate("tool_near", {"arm": "a", "point": "pot.left_handle", "distance": 0.03}),
        Predicate("tool_near", {"arm": "b", "point": "pot.right_handle", "distance": 0.03}),
        Predicate("pointing", {"point": "pot.bottom", "along": (0.0, 0.0, 1.0), "angle": 0.6435}),
    ),
    plan=(
        Skill(
            "pick",
            {"arm": "a", "obj": "pot", "grasp": "left_handle", "pre": 0.06, "lift": 0.0},
            alongside=(Skill("pick", {"arm": "b", "obj": "pot", "grasp": "right_handle", "pre": 0.06, "lift": 0.0}),),
        ),
        Skill("move", {"arms": ("a", "b"), "by": (0.0, 0.0, 0.08)}),
    ),
    horizon=400,
)
