"""State view: what predicates, rewards and observations may read of n worlds, by the names that a task uses.

Names resolve to columns of `WorldState` and to frames of objects; every answer has one row a world, NaN where an
object is absent from a world's scene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.embodiment.model import Embodiment
from sim.geometry import compose, rotate
from sim.objects import build_object
from sim.objects.bounds import compute_bounding_box
from sim.scene.sample import SceneSample
from sim.task.spec import SpecError, Task
from sim.world.protocol import Floats, Mask, World, WorldNames, WorldState

Row = tuple[ArrayLike, ...]

NO_POSE = np.full(7, np.nan)
IDENTITY_POSE = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
GRIPPER_PARTS = ("hand", "finger0", "finger1")


def world_names(task: Task, robot: Embodiment) -> WorldNames:
    """Return the columns of every `WorldState` of a task: those of all variants, so that no seed changes them."""
    bodies, joints = ["world", "table"], []
    for thing in task.objects:
        parts = {part.name: part.joint for shape in thing.variants for part in build_object(shape).parts}
        bodies += [thing.name, *(f"{thing.name}.{part}" for part in parts)]
        joints += [f"{thing.name}.{joint}" for joint in parts.values()]
    bodies += [f"{arm.name}/{part}" for arm in robot.arms for part in GRIPPER_PARTS]
    return WorldNames(tuple(bodies), tuple(joints), tuple(arm.name for arm in robot.arms))


class SceneTable:
    """What the scenes of n worlds say about names: frames, joint ranges, arm roles. It changes at reset only."""

    def __init__(self, task: Task, robot: Embodiment, n: int) -> None:
        self.task, self.robot, self.n = task, robot, n
        self.names = world_names(task, robot)
        self.scenes: list[SceneSample | None] = [None] * n
        self.initial_body_pose = np.full((n, len(self.names.bodies), 7), np.nan)  # settled, before anyone acts
        self.initial_joint = np.full((n, len(self.names.joints)), np.nan)
        self._body_index = {name: i for i, name in enumerate(self.names.bodies)}
        self._joint_index = {name: i for i, name in enumerate(self.names.joints)}
        self._columns: dict[tuple[str, str], _SceneColumns] = {}
        self._bodies_of_object: dict[str, Mask] = {}
        self.gripper_entries = np.cumsum([len(arm.links) + 1 for arm in robot.arms]) - 1  # of an action
        arm_of_body = [name.partition("/")[0] if "/" in name else "" for name in self.names.bodies]
        self.arm_of_gripper_body = np.array([self.names.arms.index(arm) if arm else -1 for arm in arm_of_body])

    def set_scene(self, world: int, scene: SceneSample | None) -> None:
        """Put a scene into a world, None for a world without one."""
        self.scenes[world] = scene
        self.initial_body_pose[world] = np.nan
        self.initial_joint[world] = np.nan
        for columns in self._columns.values():
            columns.set_row(world, scene)

    def scene(self, world: int) -> SceneSample:
        """Return the scene of a world that has one."""
        scene = self.scenes[world]
        assert scene is not None, f"world {world} holds no scene"
        return scene

    def body_index(self, name: str) -> int:
        """Return the column of a body; `SpecError` names the bodies there are."""
        if name not in self._body_index:
            raise SpecError(f"task {self.task.name!r}: unknown body {name!r}; valid: {', '.join(self.names.bodies)}")
        return self._body_index[name]

    def present(self, name: str) -> Mask:
        """Return in which worlds (n,) the object of a frame, body or joint such as "cup.bottom" stands."""
        thing = name.partition(".")[0]
        return self._of_scenes("present", name, lambda scene: (scene is not None and thing in scene.models,))[0]

    def frames(self, name: str) -> tuple[NDArray[np.int64], Floats]:
        """Return of a named frame, a body or its part the columns of its bodies (n,) and its poses in them (n 7)."""
        body, local = self._of_scenes("frames", name, lambda scene: self._find_frame(scene, name))
        return body, local

    def stack_frames(self, names: tuple[str, ...]) -> tuple[NDArray[np.int64], Floats]:
        """Return of several frames or bodies the columns of their bodies (k n) and their positions in them (k n 3)."""

        def find(scene: SceneSample | None) -> tuple[NDArray, NDArray]:
            bodies, local = zip(*(self._find_frame(scene, name) for name in names), strict=True)
            return np.array(bodies), np.array(local)[:, :3]

        body, local = self._of_scenes("stacked", " ".join(names), find)
        return body.T, local.swapaxes(0, 1)

    def frame(self, world: int, name: str) -> tuple[int, Floats]:
        """Return the column of the body of a frame in one world, and the frame's pose (7,) in that body."""
        body, local = self.frames(name)
        return int(body[world]), local[world]

    def joint_range(self, name: str) -> tuple[int, Floats, Floats]:
        """Return the column of an object's joint, and its low and high ends (n,)."""
        if name not in self._joint_index:
            valid = ", ".join(self.names.joints) or "none"
            raise SpecError(f"task {self.task.name!r}: unknown joint {name!r}; valid: {valid}")
        low, high = self._of_scenes("range", name, lambda scene: _find_range(scene, name))
        return self._joint_index[name], low, high

    def part_of_joint(self, name: str) -> str:
        """Return the body, such as "laptop.lid", that an object's joint moves."""
        thing, _, joint = name.partition(".")
        for shape in self.task.find_object(thing).variants:
            for part in build_object(shape).parts:
                if part.joint == joint:
                    return f"{thing}.{part.name}"
        raise SpecError(f"task {self.task.name!r}: unknown joint {name!r}; valid: {', '.join(self.names.joints)}")

    def side_sign(self, role: str) -> Floats:
        """Return -1 (n,) where a role acts on the left of the table, 1 on the right."""
        self._require_role(role)
        signs = {"left": -1.0, "right": 1.0}
        return self._of_scenes("side", role, lambda s: (np.nan if s is None else signs[s.role_sides[role]],))[0]

    def arm_of_role(self, role: str) -> NDArray[np.int64]:
        """Return the column (n,) of the arm that plays a role."""
        self._require_role(role)
        arms = self.names.arms
        return self._of_scenes("arm", role, lambda s: (0 if s is None else arms.index(s.role_arms[role]),))[0]

    def table_origin(self) -> Floats:
        """Return where heights above the table are counted from (n 3): the world's x and y, the table's top."""
        return self._of_scenes(
            "table", "", lambda s: ((np.nan,) * 3 if s is None else (0.0, 0.0, s.table.top),)
        )[0]  # fmt: skip

    def object_bodies(self, name: str) -> Mask:
        """Return which columns are bodies of an object: its base and its parts; the table is one."""
        if name not in self._bodies_of_object:
            self._bodies_of_object[name] = np.array([body.partition(".")[0] == name for body in self.names.bodies])
        return self._bodies_of_object[name]

    def bounds(self, body: str) -> tuple[Floats, Floats]:
        """Return the bounding box of a body's collision geometry in its own frame: low and high corners (n 3)."""
        low, high = self._of_scenes("bounds", body, lambda scene: _find_bounds(scene, body))
        return low, high

    def body_types(self, world: int) -> dict[str, str]:
        """Return of every body of the objects in a world: "free", "fixed" or "hinged:OBJECT.JOINT"."""
        types, scene = {}, self.scene(world)
        for thing in self.task.objects:
            if thing.name in scene.models:
                types[thing.name] = "fixed" if thing.fixed else "free"
                for part in scene.models[thing.name].parts:
                    types[f"{thing.name}.{part.name}"] = f"hinged:{thing.name}.{part.joint}"
        return types

    def _require_role(self, role: str) -> None:
        roles = [arm.role for arm in self.task.arms]
        if role not in roles:
            raise SpecError(f"task {self.task.name!r}: unknown arm {role!r}; valid: {', '.join([*roles, 'all'])}")

    def _of_scenes(self, kind: str, name: str, find: Callable[[SceneSample | None], Row]) -> tuple[NDArray, ...]:
        """Return what `find` says of every world's scene, one array (n ...) a value; each scene is asked once."""
        key = (kind, name)
        if key not in self._columns:
            self._columns[key] = _SceneColumns(find, self.scenes)
        return self._columns[key].arrays

    def _find_frame(self, scene: SceneSample | None, name: str) -> tuple[int, Floats]:
        """Return the column of the body of a frame in a scene, and the frame's pose (7,) in that body."""
        thing, _, frame = name.partition(".")
        objects = [one.name for one in self.task.objects]
        if thing not in objects:
            raise SpecError(f"task {self.task.name!r}: unknown point {name!r}; objects: {', '.join(objects)}")
        if scene is None or thing not in scene.models:
            return 0, NO_POSE
        frames = {part.name: (part.name, IDENTITY_POSE) for part in scene.models[thing].parts}
        frames |= {"": ("", IDENTITY_POSE), **scene.models[thing].frames}
        if frame not in frames:
            valid = ", ".join(f"{thing}.{point}" for point in frames if point)
            raise SpecError(f"task {self.task.name!r}: unknown point {name!r}; valid: {valid}")
        part, pose = frames[frame]
        return self._body_index[f"{thing}.{part}" if part else thing], pose


class _SceneColumns:
    """Arrays (n ...) of what a function says of each world's scene; a new scene changes its row alone."""

    def __init__(self, find: Callable[[SceneSample | None], Row], scenes: Sequence[SceneSample | None]) -> None:
        self._find = find
        self.arrays = tuple(np.array(column) for column in zip(*(find(scene) for scene in scenes), strict=True))

    def set_row(self, world: int, scene: SceneSample | None) -> None:
        """Ask about the scene that a world holds now."""
        for array, value in zip(self.arrays, self._find(scene), strict=True):
            array[world] = value


def _find_range(scene: SceneSample | None, name: str) -> tuple[float, float]:
    thing, _, joint = name.partition(".")
    if scene is not None and thing in scene.models:
        for part in scene.models[thing].parts:
            if part.joint == joint:
                low, high = part.joint_range
                return float(low), float(high)
    return np.nan, np.nan


def _find_bounds(scene: SceneSample | None, body: str) -> tuple[Floats, Floats]:
    thing, _, part = body.partition(".")
    if scene is None or thing not in scene.models:
        return np.full(3, np.nan), np.full(3, np.nan)
    form = scene.models[thing]
    low, high = compute_bounding_box(form.geoms if not part else next(p.geoms for p in form.parts if p.name == part))
    return np.asarray(low), np.asarray(high)


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
