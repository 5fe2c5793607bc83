"""Weigh a small thing on a scale.

The scale keeps 0.17 m away from the thing: the longest of them would touch it at less.
"""

from math import pi

from sim.catalogue import find_specs
from sim.task.spec import ArmRole, Predicate, Skill, Spawn, Task, TaskObject

TASK = Task(
    name="place_object_scale",
    suite="robotwin50",
    instructions=(
        "weigh {thing} on {scale}",
        "put {thing} on {scale}",
        "use {a} to set {thing} on {scale}",
        "pick {thing} up with {a} and lay it on the plate of {scale}",
        "how heavy is {thing}? put it on {scale}",
        "move {thing} onto {scale}",
    ),
    unseen=(
        "with {a}, let {scale} weigh {thing}",
        "find the weight of {thing} with {scale}",
    ),
    objects=(
        TaskObject(
            "thing",
            variants=find_specs("mouse", "stapler", "bell"),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.2, 0.05), yaw=(-pi, pi), min_abs_x=0.02),
        ),
        TaskObject(
            "scale",
            variants=find_specs("scale"),
            spawn=Spawn(x=(0.02, 0.25), y=(-0.2, 0.05), yaw=(-pi, pi), mirror="thing", apart=(("thing", 0.17),)),
        ),
    ),
    arms=(ArmRole("a", "side:thing"),),
    success=(
        Predicate("near", {"a": "thing.bottom", "b": "scale.top", "xy": 0.035}),
        Predicate("higher_than", {"a": "thing.bottom", "b": "scale.top", "by": -0.01}),
        Predicate("gripper_open", {"arm": "a"}),
    ),
    plan=(
        Skill("pick", {"arm": "a", "obj": "thing", "grasp": "top", "pre": 0.07, "lift": 0.08}),
        Skill("place", {"arm": "a", "obj": "thing", "on": "scale.top"}),
    ),
    horizon=400,
)
