"""Physics that tasks rely on."""

from __future__ import annotations

import numpy as np
import pytest

from sim import robots
from sim.catalogue import find_specs
from sim.envs.env import Env
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject


@pytest.mark.parametrize("beside", [0, 1, 3], ids="{} cans".format)
@pytest.mark.parametrize("start", [0.2, 0.45, 0.7])
def test_friction_holds_a_lid_whatever_else_stands_in_the_scene(start: float, beside: int) -> None:
    """A constraint solver that stops early lets a joint creep as soon as free bodies share its problem."""
    laptop = ObjectSpec("laptop", {"width": 0.19, "depth": 0.13, "start": start}, "laptop", "grey", ("laptop",))
    cans = [
        TaskObject(f"can{i}", find_specs("can")[:1], Spawn(x=(-0.3 + 0.15 * i, -0.299 + 0.15 * i), y=(-0.15, -0.149)))
        for i in range(beside)
    ]
    task = Task(
        name="lid",
        instructions=("shut {laptop}",),
        objects=(TaskObject("laptop", (laptop,), Spawn(x=(0.25, 0.251), y=(0.05, 0.051)), fixed=True), *cans),
        arms=(ArmRole("a", "side:laptop"),),
        success=(Predicate("shut", {"joint": "laptop.hinge"}),),
        plan=(Skill("turn", {"arm": "a", "joint": "laptop.hinge", "grasp": "edge", "to": 0.05}),),
        horizon=200,
    )
    env = Env(task, robots.load_robot("panda"), cameras=())
    env.reset([0])
    env.step(np.tile(np.array(env.robot.home_action), (1, 100, 1)))
    assert env.view.joint_fraction("laptop.hinge")[0] == pytest.approx(start, abs=0.005)
    env.close()
