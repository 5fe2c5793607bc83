"""The values that cross the border of the simulator: observations, chunks, episodes.

Units are SI, angles radians, quaternions wxyz, images uint8 (height, width, RGB). Physics runs at
250 Hz, actions at 50 Hz, pictures at 12.5 Hz: picture i is taken at control step 4·i.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

PHYSICS_HZ = 250
CONTROL_HZ = 50
IMAGE_HZ = 12.5
STEPS_PER_IMAGE = 4  # control steps

Images = Mapping[str, NDArray[np.uint8]]


class UserError(ValueError):
    """The user asked for something that is not there; the message names what is."""


class ResetNeeded(RuntimeError):
    """An environment was stepped or observed before its first reset."""


@dataclass(frozen=True)
class Observation:
    """What a policy may see of n worlds: `images[camera]` (n h w 3), `state` (n d), in the action's order and units.

    Where depth is asked for, each camera also has metres along its optical axis (0: nothing there) and its
    pose; else the three mappings are empty.
    """

    images: Images
    state: NDArray[np.float32]
    instruction: tuple[str, ...]
    time: NDArray[np.float64]  # (n,) seconds since reset
    depth: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)  # camera -> (n h w)
    intrinsics: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)  # camera -> (3 3)
    extrinsics: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)  # camera -> (n 4 4), as an Episode's
    privileged: NDArray[np.float32] | None = None  # (n p) the simulator's state, where it is asked for
    executed: NDArray[np.float32] | None = (
        None  # (n j d) actions since the last observation, if not those of the policy
    )
    active: NDArray[np.bool_] | None = None  # (n,) worlds that go on; actions for the others are not carried out


@dataclass(frozen=True)
class ActionChunk:
    """Actions for n worlds: (n k d), one every 20 ms; joint targets in radians, grippers 0 closed to 1 open.

    `execution_horizon` says how many of the k to carry out before the policy is asked again; 0: all.
    """

    actions: NDArray[np.float32]
    extras: Mapping[str, NDArray] = field(default_factory=dict)  # predicted pictures and maps, where asked for
    execution_horizon: int = 0

    @property
    def executable(self) -> NDArray[np.float32]:
        """The actions (n j d) to carry out before the policy is asked again."""
        return self.actions[:, : self.execution_horizon or None]


class Policy(Protocol):
    """Anything that turns observations into chunks of actions."""

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Forget the history of the copies where `mask` (n,) is true."""
        ...

    def act(self, observation: Observation) -> ActionChunk:
        """Return the next actions of all n copies."""
        ...


@runtime_checkable
class SelfReporting(Protocol):
    """A policy that can say why it failed, better than the environment can."""

    def find_failure(self, index: int) -> AttemptFailure | None:
        """Return why the attempt of a world did not succeed, None if it did."""
        ...


@dataclass(frozen=True)
class Event:
    """An intended contact: at control step `step`, `points` (p 3, metres) in the frame of body `reference_body`."""

    kind: str  # pick, place, press, turn
    step: int
    arm: str
    reference_body: str
    points: NDArray[np.float32]

    @property
    def channel(self) -> int:
        """The channel of the value map: 0 pick, 1 place, 2 any other contact."""
        return {"pick": 0, "place": 1}.get(self.kind, 2)


# one row a contact: control step, two bodies (indices into Episode.bodies), position (world), normal force (N)
CONTACT_DTYPE = np.dtype([("step", "<i4"), ("a", "<i2"), ("b", "<i2"), ("pos", "<f4", 3), ("force", "<f4")])


class FailureCause(StrEnum):
    """Why an attempt at a task did not succeed."""

    SLIPPED = "slipped"  # a grasp did not hold
    MISSED = "missed"  # the fingers closed beside the thing
    OUT_OF_REACH = "out of reach"  # no joint values, or no joint path, for what the skill needs
    NO_GRASP = "no grasp"  # no grasp fits the gripper, or leaves room for the hand above the table
    PATH_BLOCKED = "path blocked"  # something stands where the hand has to go
    TIMED_OUT = "timed out"
    PLAN_ENDED = "plan ended"  # every skill was carried out, and the task is not solved
    SOLVED_BEFORE = "solved before"  # by a policy, before the expert took over
    NO_STABLE_SCENE = "no stable scene"
    PHYSICS_DIVERGED = "physics diverged"


@dataclass(frozen=True)
class AttemptFailure:
    """Why an attempt did not succeed. Attempts that fail alike have equal reasons, so that reasons can be counted."""

    cause: FailureCause
    reason: str  # one phrase: "laptop.hinge slipped away"
    skill: str = ""  # of the expert, with the names that it speaks of: "turn a laptop.hinge edge"
    unmet: tuple[str, ...] = ()  # success predicates that do not hold: "opened laptop.hinge"

    def __str__(self) -> str:
        skill = f" ({self.skill})" if self.skill else ""
        unmet = f"; does not hold: {', '.join(self.unmet)}" if self.unmet else ""
        return f"{self.reason}{skill}{unmet}"

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> AttemptFailure:
        """Return the failure of which `dataclasses.asdict` made `raw`, by way of JSON."""
        return cls(FailureCause(raw["cause"]), raw["reason"], raw["skill"], tuple(raw["unmet"]))


@dataclass(frozen=True)
class Provenance:
    """What a recording or a result was made with; "" where it is not known."""

    aim: str = ""  # version of the package
    commit: str = ""  # of the source tree, the version where it is no checkout
    mujoco: str = ""  # version
    numpy: str = ""  # version
    cpu: str = ""  # architecture and vector unit
    blas: str = ""  # library and kernel, on which the expert's inverse kinematics depends
    renderer: str = ""  # name, device, vendor and version; "" where nothing was rendered


@dataclass(frozen=True)
class FailedAttempt:
    """A seed of which nothing is recorded, and why: no usable scene, physics that diverged, a roll-out that failed."""

    seed: int
    failure: AttemptFailure
    redraws: int = 0  # of its scene
    success: bool = False


@dataclass(frozen=True)
class Episode:
    """One recorded run: A control steps, T = A // 4 + 1 pictures (A is a multiple of 4).

    `state`, `tool_pose`, `sim_state`, `body_pose` have A + 1 rows (before the first action to after the
    last); `action` has A. `maps` are the value maps that `sim.episodes.value_maps` computes from
    the other fields alone. The run may have begun before: then `first_command` is what the robot was told last.
    """

    task: str  # JSON
    robot: str
    seed: int
    success: bool
    instruction: str
    images: Images  # camera -> (T h w 3)
    maps: Images  # camera -> (T h w 3), channels pick, place, other
    visible: Mapping[str, NDArray[np.bool_]]  # camera -> (T 3), is the channel's point in view and not hidden
    depth: Mapping[str, NDArray[np.float32]]  # camera -> (T h w) metres, 0: nothing there; empty unless asked for
    intrinsics: Mapping[str, NDArray[np.float64]]  # camera -> (3 3)
    extrinsics: Mapping[str, NDArray[np.float64]]  # camera -> (T 4 4) camera_from_world, OpenCV axes
    state: NDArray[np.float32]  # (A+1 d) measured joints and grippers
    action: NDArray[np.float32]  # (A d) what the expert, or the policy that acted, wanted
    executed: NDArray[np.float32]  # (A d) the commands that moved the robot: actions, perturbed, within its limits
    tool_pose: NDArray[np.float32]  # (A+1 arms 7) world_from_tool
    bodies: tuple[str, ...]
    body_pose: NDArray[np.float32]  # (A+1 bodies 7) world_from_body
    joints: tuple[str, ...]  # of objects: "laptop.hinge"
    joint: NDArray[np.float32]  # (A+1 joints)
    sim_state: NDArray[np.float64]  # (A+1 s) MuJoCo integration state
    contacts: NDArray[np.void]  # rows of CONTACT_DTYPE
    events: tuple[Event, ...]
    provenance: Provenance
    variation: str = "clean"  # of the scene, see `sim.scene.randomize`
    redraws: int = 0  # draws of the seed's scene that did not stand still, or were solved before anyone acted
    failure: AttemptFailure | None = None  # why the attempt did not succeed; None where it did
    # (d,) the command that the servos held at row 0; none where that is the robot's home, as at the start of a run
    first_command: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
