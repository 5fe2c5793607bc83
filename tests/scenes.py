"""One settled scene of a task, with MuJoCo's own model and data at hand for tests that put things where they want."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Embodiment
from sim.envs.env import Env
from sim.geometry import make_pose
from sim.task.condition import SuccessCondition
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Spawn, Task, TaskObject
from sim.world.mujoco import MujocoWorld


class SceneUnderTest:
    """The scene of a seed, at rest."""

    def __init__(self, task: Task, robot: Embodiment, seed: int = 0, variation: str = "clean") -> None:
        self.env = Env(task, robot, cameras=(), variation=variation)
        self.env.reset([seed])
        self.failure = self.env.failure[0]
        self.task = task
        if self.failure:
            return
        assert isinstance(self.env.world, MujocoWorld)
        self.model, self.data = self.env.world.mujoco_pair(0)
        self.view = self.env.world_view(0)
        self.redraws = self.view.scene.attempt

    def body_pose(self, name: str) -> NDArray[np.float64]:
        """Return world_from_body (7,)."""
        return self.view.body_pose(name)

    def frame_pose(self, name: str) -> NDArray[np.float64]:
        """Return the world pose (7,) of a named frame."""
        return self.view.frame_pose(name)

    def joint_values(self) -> NDArray[np.float64]:
        """Return the joints of objects."""
        return self.env.world.state().joint[0]

    def refresh(self) -> None:
        """Take over what was written into MuJoCo's data."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        assert isinstance(self.env.world, MujocoWorld)
        self.env.world.invalidate()

    def put(self, name: str, position: Sequence[float]) -> None:
        """Set a free body's base at a position (world frame), upright."""
        self.data.joint(f"{name}.free").qpos[:] = make_pose(position)
        self.refresh()

    def step(self, action: NDArray | None = None) -> None:
        """Advance a control period, under the command that is held if none is given."""
        now = self.env.world.state().command if action is None else np.asarray(action, float)[None]
        self.env.world.step(now, np.ones(1, bool))

    def solved(self) -> bool:
        """Tell whether the success predicates hold now."""
        return bool(SuccessCondition(self.task).evaluate(self.env.view).success[0])


GRIP = "a"  # the one role of the task below
CLOSED, OPENED = Predicate("gripper_closed", {"arm": GRIP}), Predicate("gripper_open", {"arm": GRIP})


def make_grip_task(*success: Predicate, drop: float = 0.0, sides: bool = False) -> Task:
    """Return a task whose success hangs on the gripper's command, so that a test has and loses it in one step.

    There is a block, drawn `drop` metres above the table and, with `sides`, on either side of it.
    """
    cube = ObjectSpec("block", {"size": (0.05, 0.05, 0.05)}, "cube")
    spawn = Spawn((0.1, 0.2), (-0.1, 0.0), z=drop, mirror="coin" if sides else "")
    return Task(
        name="grip", instructions=("close the gripper",), horizon=100, objects=(TaskObject("block", (cube,), spawn),),
        arms=(ArmRole(GRIP, "side:block"),), success=success, plan=(Skill("release", {"arm": GRIP}),),
    )  # fmt: skip


def gripper_actions(env: Env, *openings: float) -> NDArray[np.float64]:
    """Return actions (n 1 d) that hold the arms at home and command an opening of all grippers of each world."""
    actions = np.tile(np.array(env.robot.home_action, float), (env.n, 1, 1))
    actions[..., list(env.robot.is_gripper)] = np.array(openings)[:, None, None]
    return actions
