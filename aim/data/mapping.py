"""How a recorded set becomes ours: cameras, and the channels of state and action with their kinds, units and ranges.

Numbers of the set become radians and metres, and grippers 0 closed to 1 open, by `ours = scale * theirs + offset`,
channel by channel, and back. `aim.data.mapping_file` reads a mapping from TOML and keeps it as JSON beside a run, so
that a robot can be driven by what was learned from its recordings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aim.data.action_space import MEASURED_KINDS, ChannelKind, is_delta
from aim.data.image_fit import ImageFit, fit_images
from aim.data.recorded import Rows

UNITS = {"degrees": math.pi / 180.0, "radians": 1.0}
MAX_REACH = 4 * math.pi  # radians or metres: no joint of an arm is further out, nor its hand
RANGE_TOLERANCE = 0.5  # of its stroke: how far outside its range a gripper may be read

Pair = tuple[float, float]


@dataclass(frozen=True)
class CameraMapping:
    """The feature that a camera is, and how its pictures are made to fit `ratio` (width over height)."""

    feature: str
    fit: ImageFit = "letterbox"
    ratio: float = 1.0


@dataclass(frozen=True)
class ChannelRange:
    """A pair of numbers for the state and one for the action: (closed, open), or (scale, offset)."""

    state: Pair
    action: Pair


UNIT_STROKE = ChannelRange((0.0, 1.0), (0.0, 1.0))


@dataclass(frozen=True)
class RobotMapping:
    """How a recorded set is read. Channels stand in the order of `names`, cameras in that of `cameras`.

    `names` are the channels that state and action share, `action_names` what the action calls them. State-only channels
    stand behind them in the state, action-only ones behind them in the action. Channels are the set's names, or numbers
    in the vector, which is the `state` features, or the `action` features, one behind another.
    """

    robot: str
    cameras: Mapping[str, CameraMapping]
    state: tuple[str, ...]
    action: tuple[str, ...]
    names: tuple[str, ...]
    action_names: tuple[str, ...]
    units: str
    kind: ChannelKind = "joint_position"
    state_only: tuple[str, ...] = ()
    action_only: tuple[str, ...] = ()
    kinds: Mapping[str, ChannelKind] = field(default_factory=dict)
    scale: Mapping[str, ChannelRange] = field(default_factory=dict)
    gripper: Mapping[str, ChannelRange] = field(default_factory=dict)
    wrap: tuple[str, ...] = ()
    text: str = ""
    clock_tolerance_s: float | None = None
    only: tuple[int, ...] = ()
    without: tuple[int, ...] = ()

    @property
    def state_channels(self) -> tuple[str, ...]:
        """The set's channels of the state, in our order."""
        return (*self.names, *self.state_only) if self.state else ()

    @property
    def action_channels(self) -> tuple[str, ...]:
        """The set's channels of the action, in our order."""
        return (*self.action_names, *self.action_only)

    @property
    def action_labels(self) -> tuple[str, ...]:
        """Our names of the action's channels: those of the state where both have them."""
        return (*self.names, *self.action_only)

    @property
    def action_kinds(self) -> tuple[ChannelKind, ...]:
        """The kind of each channel of the action."""
        return tuple(self._kind(name) for name in self.action_labels)

    @property
    def state_kinds(self) -> tuple[ChannelKind, ...]:
        """The kind of each channel of the state: what is asked for as a delta is measured as a position."""
        if not self.state:
            return ()
        measured: tuple[ChannelKind, ...] = tuple(
            MEASURED_KINDS.get(kind, kind) for kind in map(self._kind, self.names)
        )
        others: tuple[ChannelKind, ...] = tuple(self._kind(name, "joint_position") for name in self.state_only)
        return (*measured, *others)

    @property
    def wraps_state(self) -> NDArray[np.bool_]:
        """Channels of the state that are angles which jump by a turn."""
        return np.array([name in self.wrap for name in self.state_channels], bool)

    @property
    def wraps_action(self) -> NDArray[np.bool_]:
        """Channels of the action that are angles which jump by a turn."""
        return np.array([name in self.wrap for name in self.action_labels], bool)

    def state_from_set(self, rows: Rows) -> Rows:
        """States (... d) of the set in our units."""
        scale, offset = self._conversion("state")
        return rows * scale + offset

    def action_from_set(self, rows: Rows) -> Rows:
        """Actions (... d) of the set in our units."""
        scale, offset = self._conversion("action")
        return rows * scale + offset

    def state_to_set(self, rows: Rows) -> Rows:
        """States (... d) in the set's units: the inverse of `state_from_set`."""
        scale, offset = self._conversion("state")
        return (rows - offset) / scale

    def action_to_set(self, rows: Rows) -> Rows:
        """Actions (... d) in the set's units: the inverse of `action_from_set`."""
        scale, offset = self._conversion("action")
        return (rows - offset) / scale

    def fit_images(self, camera: str, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pictures (... h w 3) of a camera as a model is shown them."""
        there = self.cameras[camera]
        return fit_images(images, there.fit, there.ratio)

    def find_range_error(self, part: str, low: Rows, high: Rows) -> str:
        """What is wrong with the extremes (d,) of the "state" or "action", in our units, if units or ranges are; or "".

        State-only channels may be anything, such as forces.
        """
        kinds = self.state_kinds[: len(self.names)] if part == "state" else self.action_kinds
        back = self.state_to_set if part == "state" else self.action_to_set
        for channel, (name, kind) in enumerate(zip(self.action_labels, kinds, strict=False)):
            least, most = low[channel], high[channel]
            is_angle = kind in ("joint_position", "joint_delta")
            if kind == "gripper" and (least < -RANGE_TOLERANCE or most > 1.0 + RANGE_TOLERANCE):
                reach = sorted(float(back(edge)[channel]) for edge in (low, high))
                bounds = list(self._stroke(part, name))
                said = f"its range in [gripper] is {bounds}"
                return f"{name} reaches from {reach[0]:g} to {reach[1]:g} in the {part}, {said}"
            turns = name in self.wrap and not is_delta(kind)  # an angle that was followed over several turns
            if kind != "gripper" and not turns and max(-least, most) > MAX_REACH:
                said = f"where units is {self.units!r}" if is_angle else "where it has no [scale]"
                said = f"its [scale] is {list(self._pair(part, name, kind))}" if name in self.scale else said
                unit = "radians" if is_angle else "metres or radians"
                return f"{name} reaches {max(-least, most):.0f} {unit} in the {part}, {said}"
        return ""

    def _kind(self, name: str, default: ChannelKind | None = None) -> ChannelKind:
        if name in self.gripper:
            return "gripper"
        usual = self.kind if default is None else default
        return self.kinds.get(name, usual)

    def _conversion(self, part: str) -> tuple[Rows, Rows]:
        """Scale and offset (d,) of the "state" or the "action"."""
        names, kinds = self.state_channels, self.state_kinds
        if part == "action":
            names, kinds = self.action_labels, self.action_kinds
        pairs = [self._pair(part, name, kind) for name, kind in zip(names, kinds, strict=True)]
        scale, offset = np.asarray(pairs, np.float64).reshape(-1, 2).T
        return scale, offset

    def _stroke(self, part: str, name: str) -> Pair:
        """Values of a gripper where it is closed and open."""
        there = self.gripper.get(name, UNIT_STROKE)
        return there.state if part == "state" else there.action

    def _pair(self, part: str, name: str, kind: ChannelKind) -> Pair:
        if kind == "gripper":
            closed, opened = self._stroke(part, name)
            return 1.0 / (opened - closed), -closed / (opened - closed)
        if name in self.scale:
            return self.scale[name].state if part == "state" else self.scale[name].action
        return (UNITS[self.units] if kind in ("joint_position", "joint_delta") else 1.0), 0.0
