"""State view: what predicates, rewards and observations may read of n worlds, by the names that a task uses.

Names resolve to columns of `WorldState` and to frames of objects; every answer has one row a world, NaN where an
object is absent from a world's scene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.geometry import compose, rotate
from sim.scene.sample import SceneSample
from sim.world.protocol import Floats, Mask, World, WorldState
from sim.world.scene_table import SceneTable


class StateView:
    """The state of n worlds, read by the names of a task."""

    def __init__(
        self, table: SceneTable, state: WorldState, contacts: Callable[[Sequence[int] | None], NDArray[np.void]]
    ) -> None:
        self.table, self.state, self._contacts = table, state, contacts
        self._rows = np.arange(table.n)
        self._positions: dict[str, Floats] = {}

    def present(self, name: str) -> Mask:
        """Return in which worlds (n,) the object of a frame, body or joint stands."""
        return self.table.present(name)

    def pose(self, name: str) -> Floats:
        """Return world poses (n 7) of a named frame such as "cup.bottom", or of a body or its part ("laptop.lid")."""
        body, local = self.table.frames(name)
        poses = self.state.body_pose[self._rows, body]
        return np.where(np.isnan(local), np.nan, poses) if "." not in name else compose(poses, local)

    def position(self, name: str) -> Floats:
        """Return world positions (n 3) of a named frame, or of a body's base; not to be written to."""
        if name not in self._positions:
            self.prefetch((name,))
        return self._positions[name]

    def prefetch(self, names: tuple[str, ...]) -> None:
        """Compute the positions of several frames or bodies at once: many small array operations cost more."""
        if not names:
            return
        body, local = self.table.stack_frames(names)
        poses = self.state.body_pose[self._rows, body]
        found = poses[..., :3] + rotate(poses[..., 3:], local)
        self._positions.update(zip(names, found, strict=True))

    def initial_pose(self, name: str) -> Floats:
        """Return the world poses (n 7) that a body had when its scene had settled."""
        return self.table.initial_body_pose[:, self.table.body_index(name)]

    def table_origin(self) -> Floats:
        """Return where heights above the table are counted from (n 3): the world's x and y, the table's top."""
        return self.table.table_origin()

    def joint_fraction(self, name: str) -> Floats:
        """Return how far (n,) an object's joint is within its range, 0 to 1."""
        column, low, high = self.table.joint_range(name)
        return (self.state.joint[:, column] - low) / (high - low)

    def side_sign(self, role: str) -> Floats:
        """Return -1 (n,) where a role acts on the left, 1 on the right."""
        return self.table.side_sign(role)

    def initial_joint_fraction(self, name: str) -> Floats:
        """Return how far (n,) within its range a joint stood at reset."""
        column, low, high = self.table.joint_range(name)
        return (self.table.initial_joint[:, column] - low) / (high - low)

    def part_of_joint(self, name: str) -> str:
        """Return the body, such as "laptop.lid", that an object's joint moves."""
        return self.table.part_of_joint(name)

    def arm_of_role(self, role: str) -> NDArray[np.int64]:
        """Return the column (n,) of the arm that plays a role."""
        return self.table.arm_of_role(role)

    def tool_pose(self, role: str) -> Floats:
        """Return world_from_tool (n 7) of the arm that plays a role."""
        return self.state.ee_pose[self._rows, self.table.arm_of_role(role)]

    def tool_positions(self, arm: str) -> Floats:
        """Return tool positions (n a 3) of the arms that `arm` names: one for a role, every one for "all" and "any"."""
        return self._of_arms(arm, self.state.ee_pose[..., :3])

    def gripper_openings(self, arm: str) -> Floats:
        """Return commanded openings (n a) of the grippers that `arm` names, 0 closed to 1 open."""
        return self._of_arms(arm, self.state.command[:, self.table.gripper_entries])

    def gripper_contacts(self, arm: str, obj: str) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Return where the grippers that `arm` names touch an object.

        Worlds (c,), places among the arms named (c,), positions (c 3).
        """
        rows = self._contacts(None)
        gripper, part = self.table.arm_of_gripper_body, self.table.object_bodies(obj)
        a, b = gripper[rows["a"]], gripper[rows["b"]]
        hit = ((a >= 0) & part[rows["b"]]) | ((b >= 0) & part[rows["a"]])
        rows, touching = rows[hit], np.maximum(a, b)[hit]
        if arm not in ("all", "any"):
            own = touching == self.table.arm_of_role(arm)[rows["world"]]
            rows, touching = rows[own], np.zeros(int(own.sum()), int)
        return rows["world"], touching, rows["pos"]

    def _of_arms(self, arm: str, values: Floats) -> Floats:
        if arm in ("all", "any"):
            return values
        return values[self._rows, self.table.arm_of_role(arm)][:, None]

    def touching(self, a: str, b: str) -> Mask:
        """Return in which worlds (n,) two objects touch; "table" is one."""
        rows = self._contacts(None)
        one, other = self.table.object_bodies(a), self.table.object_bodies(b)
        hit = (one[rows["a"]] & other[rows["b"]]) | (one[rows["b"]] & other[rows["a"]])
        found = np.zeros(self.table.n, bool)
        found[rows["world"][hit]] = True
        return found

    def bounds(self, body: str) -> tuple[Floats, Floats]:
        """Return the bounding box of a body's collision geometry in its own frame: low and high corners (n 3)."""
        return self.table.bounds(body)


class WorldView:
    """One world of a batch, read by the names of its task; what the expert sees of the simulator."""

    def __init__(self, table: SceneTable, world: World, index: int) -> None:
        self.table, self.index, self._world = table, index, world
        self.task, self.robot = table.task, table.robot

    @property
    def scene(self) -> SceneSample:
        """The scene that the world holds."""
        return self.table.scene(self.index)

    @property
    def view(self) -> StateView:
        """The batch that this world is part of."""
        return StateView(self.table, self._world.state(), self._world.contacts)

    @property
    def bodies(self) -> tuple[str, ...]:
        """The names of the columns of body poses."""
        return self.table.names.bodies

    @property
    def body_types(self) -> dict[str, str]:
        """Of every body of the objects: "free", "fixed" or "hinged:OBJECT.JOINT"."""
        return self.table.body_types(self.index)

    @property
    def proprio(self) -> Floats:
        """Measured joints and gripper openings (d,), in the order of an action."""
        return self._world.state().proprio[self.index]

    @property
    def tool_poses(self) -> Floats:
        """Measured world_from_tool (a 7) of every arm."""
        return self._world.state().ee_pose[self.index]

    @property
    def command(self) -> Floats:
        """The command (d,) that the robot holds."""
        return self._world.state().command[self.index]

    @property
    def table_origin(self) -> Floats:
        """Where heights above the table are counted from (3,): the world's x and y, the table's top."""
        return np.array([0.0, 0.0, self.scene.table.top])

    @property
    def body_poses(self) -> Floats:
        """World poses (b 7) of all bodies, NaN for absent ones."""
        return self._world.state().body_pose[self.index]

    def body_pose(self, name: str) -> Floats:
        """Return world_from_body (7,)."""
        return self._world.state().body_pose[self.index, self.table.body_index(name)].copy()

    def frame_pose(self, name: str) -> Floats:
        """Return the world pose (7,) of a named frame such as "cup.bottom", or of a body."""
        body, local = self.table.frame(self.index, name)
        pose = self._world.state().body_pose[self.index, body]
        return compose(pose, local) if "." in name else pose.copy()

    def body_velocity(self, name: str) -> Floats:
        """Return the linear velocity (3,) of a free body, m/s."""
        return self._world.state().body_velocity[self.index, self.table.body_index(name)]

    def joint_value(self, name: str) -> float:
        """Return the value of an object's joint, radians or metres."""
        return float(self._world.state().joint[self.index, self.table.joint_range(name)[0]])

    def joint_fraction(self, name: str) -> float:
        """Return how far an object's joint is within its range, 0 to 1."""
        _, low, high = self.table.joint_range(name)
        return (self.joint_value(name) - float(low[self.index])) / float(high[self.index] - low[self.index])

    def side_sign(self, role: str) -> float:
        """Return -1 where a role acts on the left of the table, 1 on the right."""
        return float(self.table.side_sign(role)[self.index])

    def contacts(self) -> NDArray[np.void]:
        """Return this world's contacts, rows of WORLD_CONTACT."""
        return self._world.contacts([self.index])
