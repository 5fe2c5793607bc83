"""SceneTable: what n scenes say by the names of a task, bodies, frames, joints and roles, in arrays over the worlds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.embodiment.model import Embodiment
from sim.objects import build_object
from sim.objects.bounds import compute_bounding_box
from sim.scene.sample import SceneSample
from sim.task.spec import SpecError, Task
from sim.world.protocol import Floats, Mask, WorldNames

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
