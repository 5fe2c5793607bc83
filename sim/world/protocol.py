"""The engine protocol: physics and rendering of n parallel worlds that hold scenes of one task.

An engine knows neither success, rewards nor experts: it loads sampled scenes, steps them and reports their state as
arrays. Everything above (settling, predicates, rewards, expert, recording) reads `WorldState` alone, so that a CPU
engine, a GPU engine and a toy are exchangeable. `tests/contract/test_world.py` holds every engine to this protocol.

Units are SI, angles radians, quaternions wxyz, poses (x y z w x y z) in the world frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.embodiment.model import Embodiment
from sim.scene.sample import SceneSample
from sim.task.spec import Task
from sim.types import Images

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# one contact: world, two bodies (indices into `WorldNames.bodies`), position (world frame, m), normal force (N)
WORLD_CONTACT = np.dtype([("world", "<i4"), ("a", "<i2"), ("b", "<i2"), ("pos", "<f8", 3), ("force", "<f8")])


class WorldState(Protocol):
    """State of n worlds, one row a world; NaN where a world has no such body or joint, or no scene yet.

    An engine may compute a field when it is first read; one that is first read after the worlds were stepped on is an
    error, never a later state. The arrays are not to be written to.
    """

    @property
    def proprio(self) -> Floats:
        """Measured joints and gripper openings (n d), order and units of an action."""
        ...

    @property
    def proprio_velocity(self) -> Floats:
        """Their rates of change (n d)."""
        ...

    @property
    def command(self) -> Floats:
        """The last command (n d), clipped to the robot's limits."""
        ...

    @property
    def ee_pose(self) -> Floats:
        """world_from_tool (n a 7) of every arm."""
        ...

    @property
    def body_pose(self) -> Floats:
        """world_from_body (n b 7)."""
        ...

    @property
    def body_velocity(self) -> Floats:
        """Linear velocity (n b 3) of free bodies, m/s; 0 of all others."""
        ...

    @property
    def joint(self) -> Floats:
        """Joints of objects (n j), radians or metres."""
        ...


STATE_FIELDS = ("proprio", "proprio_velocity", "command", "ee_pose", "body_pose", "body_velocity", "joint")


@dataclass(frozen=True)
class ArrayWorldState:
    """A `WorldState` of arrays that are there already."""

    proprio: Floats
    proprio_velocity: Floats
    command: Floats
    ee_pose: Floats
    body_pose: Floats
    body_velocity: Floats
    joint: Floats


@dataclass(frozen=True)
class WorldSnapshot:
    """All that one world needs to go on from here, to the bit, in the engine that saved it."""

    physics: Floats  # (s,) the engine's own state vector
    command: Floats  # (d,) the command that the servos have reached
    contacts: NDArray[np.void]  # rows of WORLD_CONTACT


class World(Protocol):
    """n parallel worlds. What one does never depends on the others: batching changes speed, never results."""

    task: Task
    robot: Embodiment
    n: int
    names: WorldNames

    def load(self, scenes: Mapping[int, SceneSample], compiled: Mapping[int, Any] | None = None) -> None:
        """Put scenes into some worlds: robot at home, grippers open, everything where it was sampled, at rest.

        `compiled` holds, for worlds of which it is known, what `compile_scene` returned for that scene elsewhere.
        """
        ...

    def compile_scene(self, scene: SceneSample) -> Any:  # noqa: ANN401 - an engine's own, picklable
        """Return what the engine makes of a scene before it can be loaded; it may be sent between processes."""
        ...

    def step(self, targets: Floats, active: Mask) -> None:
        """Advance the active worlds one control period; `targets` (n d) are clipped and ramped to within it."""
        ...

    def settle(self, active: Mask) -> None:
        """Advance the active worlds a tenth of a second under the command that they hold; their clock stands still."""
        ...

    def state(self) -> WorldState:
        """Return the present state of all worlds; the arrays are not to be written to."""
        ...

    def contacts(self, worlds: Sequence[int] | None = None) -> NDArray[np.void]:
        """Return the contacts (rows of WORLD_CONTACT) of the last physics step, of some worlds or of all."""
        ...

    def failures(self) -> Mapping[int, str]:
        """Return the worlds whose physics failed, and why; they are not to be stepped further."""
        ...

    def save(self, worlds: Sequence[int] | None = None) -> dict[int, WorldSnapshot]:
        """Return snapshots of some worlds or of all."""
        ...

    def restore(self, snapshots: Mapping[int, WorldSnapshot]) -> None:
        """Go back to snapshots of the scenes that are loaded."""
        ...

    def render(
        self, cameras: Sequence[str], size: ImageSize, depth: bool = False, worlds: Sequence[int] | None = None
    ) -> tuple[Images, Mapping[str, NDArray[np.float32]]]:
        """Return images (m h w 3) and depths (m h w; metres, 0: nothing there; empty unless asked for) by camera."""
        ...

    def camera_poses(self, cameras: Sequence[str], worlds: Sequence[int] | None = None) -> dict[str, Floats]:
        """Return camera_from_world (m 4 4), OpenCV axes, by camera."""
        ...

    def close(self) -> None:
        """Release threads and buffers."""
        ...


@dataclass(frozen=True)
class WorldNames:
    """What the columns of a `WorldState` are: the same for every scene of a task, whatever a seed leaves out."""

    bodies: tuple[str, ...]  # "world", "table", OBJECT, OBJECT.PART, ARM/hand, ARM/finger0, ARM/finger1
    joints: tuple[str, ...]  # OBJECT.JOINT
    arms: tuple[str, ...]
