"""Set a shoe on a mat, its toe to the left."""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject

TO_LEFT = -pi / 2  # the yaw of a toe that points to -x

TASK = Task(
    name="place_shoe",
    suite="robotwin50",
    instructions=(
        "put {shoe} on {mat}, toe to the left",
        "set {shoe} down on {mat} pointing left",
        "use {a} to place {shoe} on {mat} with its toe to the left",
        "move {shoe} onto {mat} so that it points left",
        "with {a}, park {shoe} on {mat}, heel to the right",
        "lay {shoe} along {mat}, its tip leftward",
    ),
    unseen=(
        "{shoe} belongs on {mat}, facing left",
        "take {shoe} with {a}, turn it to the left and leave it on {mat}",
    ),
    objects=(
        TaskObject(
            "mat",
            variants=(ObjectSpec("mat", {"size": (0.26, 0.1)}, "mat", "blue", ("mat", "shoe mat", "pad"), ("rug",)),),
            spawn=Spawn(x=(0.0, 0.0), y=(-0.08, -0.08), z=0.0),
            fixed=True,
        ),
        TaskObject(
            "shoe",
            variants=find_specs("shoe"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.1, 0.05), yaw=(-pi, pi), behind=0.15, clear=((0.0, 0.0, 0.15),)),
            mass=0.1,
        ),
    ),
    arms=(ArmRole("a", "side:shoe"),),
    success=(
        Predicate("near", {"a": "shoe.bottom", "b": "mat.top", "x": 0.05, "y": 0.02}),
        Predicate("oriented", {"a": "shoe", "yaw": TO_LEFT, "angle": 0.26}),
        Predicate("gripper_open", {"arm": "all"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "shoe", "grasp": "top", "pre": 0.1, "lift": 0.07}),
        Skill("place", {"arm": "a", "obj": "shoe", "on": "mat.bottom", "yaw": (TO_LEFT,), "pre": 0.08}),
    ),
    horizon=500,
)
