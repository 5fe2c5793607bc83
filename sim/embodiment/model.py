"""Embodiment: a robot as data. One file a robot in `sim.robots`; nothing in the core asks a robot's name.

Every arm ends in a parallel gripper. Its tool frame has z along the approach and y along the opening;
the origin lies between the finger pads.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Annotated, Literal

from sim.task.values import Bound, Direction, Fraction
from sim.types import CONTROL_HZ

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
Rgb = tuple[Fraction, Fraction, Fraction]
Positive = Annotated[float, Bound(gt=0.0, le=1e5)]
NotNegative = Annotated[float, Bound(ge=0.0, le=1e5)]
HalfLength = Annotated[float, Bound(gt=0.0, le=0.5)]  # metres
Side = Literal["left", "right"]  # of the table, as the robot's cameras see it: left is x < 0


@dataclass(frozen=True)
class Geom:
    """A primitive body part; `size` as MuJoCo counts it (half lengths; radius, half length)."""

    type: Literal["box", "sphere", "capsule", "cylinder", "ellipsoid"]
    size: tuple[Positive, ...]
    pos: Vector = (0.0, 0.0, 0.0)
    quat: Quaternion = (1.0, 0.0, 0.0, 0.0)
    colour: Rgb | None = None  # None: the colour of the whole
    collide: bool = True
    smooth: bool = False  # slides easily and lands softly
    ends: tuple[Vector, Vector] | None = None  # of a capsule or cylinder, instead of pos, quat and half length


@dataclass(frozen=True)
class Link:
    """A body turned by one hinge; pose in the parent's frame, `range` in radians, gains in N·m/rad and N·m·s/rad."""

    pos: Vector
    axis: Direction
    range: tuple[float, float]
    geoms: tuple[Geom, ...]
    quat: Quaternion = (1.0, 0.0, 0.0, 0.0)
    mass: Annotated[float, Bound(ge=0.01, le=100.0)] = 1.0  # kg
    stiffness: Positive = 1500.0
    damping: NotNegative = 90.0
    max_torque: Positive = 100.0  # N·m
    max_speed: Annotated[float, Bound(gt=0.0, le=20.0)] = 2.4  # rad/s, the fastest the expert may ask for


@dataclass(frozen=True)
class Gripper:
    """Two fingers that slide along ±y of the tool frame; the pad of each has half lengths `pad_half_size` (x y z)."""

    stroke: HalfLength  # metres a finger
    pad_half_size: tuple[HalfLength, HalfLength, HalfLength]
    tip_offset: Annotated[float, Bound(ge=0.0, le=0.1)]  # metres that the pads reach beyond the tool's origin
    stiffness: Positive = 800.0  # N/m
    damping: NotNegative = 25.0  # N·s/m
    force: Positive = 20.0  # N a finger
    # metres: the closed command asks for this much less than touching
    squeeze_margin: Annotated[float, Bound(ge=0.0, le=0.05)] = 0.01

    @property
    def max_width_m(self) -> float:
        """Distance between the pads of the fully open gripper, metres: nothing wider can be held."""
        return 2 * self.stroke


@dataclass(frozen=True)
class Camera:
    """A pinhole camera fixed to the world or, where `arm` is named, to that arm's last link.

    The horizontal field of view is kept whatever the shape of the picture, so that every size sees the table.
    """

    name: str
    pos: Vector
    forward: Direction
    up: Direction
    fovx: Annotated[float, Bound(gt=0.0, lt=pi)]  # horizontal field of view, radians
    arm: str = ""


@dataclass(frozen=True)
class ArmModel:
    """A chain of links from the base to the flange, with a gripper whose tool frame is at `tool_pos` in the last link.

    `side` is the half of the table that one of two arms works on; "" for a single arm, which plays every role.
    """

    name: str
    base_pos: Vector
    base_quat: Quaternion
    base_geoms: tuple[Geom, ...]
    links: tuple[Link, ...]
    tool_pos: Vector
    tool_quat: Quaternion
    gripper: Gripper
    home: tuple[float, ...]
    shoulder_pos: Vector  # world frame, metres: clutter stays off the straight ways from task objects to here
    side: Side | Literal[""] = ""
    # postures that inverse kinematics starts from besides home and where the arm is: one a branch that tight joint
    # ranges cut off from home, as a wrist that is turned to one side
    ik_starts: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Embodiment:
    """A robot: arms, cameras, colours. An action is, arm by arm, joint targets and the gripper (0 closed, 1 open)."""

    name: str
    arms: tuple[ArmModel, ...]
    cameras: tuple[Camera, ...]
    colour: Rgb
    control_hz: Positive = CONTROL_HZ  # actions a second; the engine knows one rate

    def select_arm(self, side: Side) -> ArmModel:
        """Arm that works on a side of the table: the only one, or that of the side."""
        return self.arms[0] if len(self.arms) == 1 else next(arm for arm in self.arms if arm.side == side)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Return the name of every entry of an action and of a state, in order."""
        return tuple(
            f"{arm.name}/{joint}"
            for arm in self.arms
            for joint in (*(f"joint{i}" for i in range(len(arm.links))), "gripper")
        )

    @property
    def is_gripper(self) -> tuple[bool, ...]:
        """Whether each entry of an action drives a gripper rather than a joint, in order."""
        return tuple(flag for arm in self.arms for flag in (*(False for _ in arm.links), True))

    @property
    def camera_names(self) -> tuple[str, ...]:
        """Return the names of all cameras, the head first."""
        return tuple(camera.name for camera in self.cameras)

    @property
    def action_limits(self) -> tuple[tuple[float, float], ...]:
        """Return (low, high) of every entry of an action, radians for joints and 0..1 for grippers."""
        return tuple(pair for arm in self.arms for pair in (*(link.range for link in arm.links), (0.0, 1.0)))

    @property
    def home_action(self) -> tuple[float, ...]:
        """Return the action that holds the robot at its start: joints at home, grippers open."""
        return tuple(value for arm in self.arms for value in (*arm.home, 1.0))
