"""Action and state spaces: the channels of a vector, what each of them means, and how far and how fast it goes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

ChannelKind = Literal["joint_position", "joint_delta", "ee_delta", "ee_pose", "gripper"]
CHANNEL_KINDS: tuple[ChannelKind, ...] = get_args(ChannelKind)
# what the state measures where the action is a displacement
MEASURED_KINDS: Mapping[ChannelKind, ChannelKind] = {"joint_delta": "joint_position", "ee_delta": "ee_pose"}
# how the numbers of a kind may be read otherwise: displacements as positions, positions as displacements
OTHER_KINDS: Mapping[ChannelKind, ChannelKind] = {
    **MEASURED_KINDS, **{measured: delta for delta, measured in MEASURED_KINDS.items()}
}  # fmt: skip
# bounds, of which JSON has null where they are infinite
LowerBound = Annotated[float, BeforeValidator(lambda bound: -math.inf if bound is None else bound)]
UpperBound = Annotated[float, BeforeValidator(lambda bound: math.inf if bound is None else bound)]


@dataclass(frozen=True)
class ActionSpace:
    """Channels of a state or of an action (d,), at `rate_hz` rows a second.

    Positions are in radians or metres, grippers from 0 closed to 1 open. A delta is the displacement over one row, so
    the sum of the rows of a time span is the displacement over that span. `low` and `high` bound the values,
    `max_speed` the rate of change, in units a second; what is not known is infinite.
    """

    names: tuple[str, ...]
    kinds: tuple[ChannelKind, ...]
    low: tuple[LowerBound, ...]
    high: tuple[UpperBound, ...]
    max_speed: tuple[UpperBound, ...]
    rate_hz: float

    def __post_init__(self) -> None:
        widths = {len(part) for part in (self.names, self.kinds, self.low, self.high, self.max_speed)}
        assert len(widths) == 1, f"parts of different lengths: {sorted(widths)}"
        assert len(set(self.names)) == len(self.names), f"a channel is named twice: {self.names}"

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_delta(self) -> NDArray[np.bool_]:
        """Channels (d,) that are displacements over one row."""
        return mark_deltas(self.kinds)


def tabulate_space(space: ActionSpace) -> dict[str, Any]:
    """Space of values that JSON has: what is infinite becomes None."""
    return {
        name: [None if isinstance(each, float) and math.isinf(each) else each for each in value]
        if isinstance(value, tuple)
        else value
        for name, value in dataclasses.asdict(space).items()
    }


def describe_channels(space: ActionSpace) -> str:
    """Names and kinds of the channels, as in "x (ee_delta), grip (gripper)"."""
    return ", ".join(f"{name} ({kind})" for name, kind in zip(space.names, space.kinds, strict=True)) or "none"


def find_channel_difference(space: ActionSpace, other: ActionSpace) -> str:
    """First difference in the names and kinds of two spaces, in words; "" if they have the same channels."""
    ours, theirs = (list(zip(each.names, each.kinds, strict=True)) for each in (space, other))
    if len(ours) != len(theirs):
        return f"{len(theirs)} channels, {describe_channels(other)}, not {len(ours)}, {describe_channels(space)}"
    for place, (one, two) in enumerate(zip(ours, theirs, strict=True)):
        if one != two:
            return f"channel {place} is {two[0]} ({two[1]}), not {one[0]} ({one[1]})"
    return ""


def is_delta(kind: ChannelKind) -> bool:
    """Whether a channel of a kind is a displacement over one row."""
    return kind in MEASURED_KINDS


def mark_deltas(kinds: Sequence[ChannelKind]) -> NDArray[np.bool_]:
    """Channels (d,) that are displacements over one row."""
    return np.array([is_delta(kind) for kind in kinds], bool)


def find_references(action: ActionSpace, state: ActionSpace) -> tuple[int, ...]:
    """Index of the state channel that measures each action channel, by name; -1 for deltas and where there is none."""
    places = {name: place for place, name in enumerate(state.names)}
    return tuple(
        -1 if is_delta(kind) else places.get(name, -1) for name, kind in zip(action.names, action.kinds, strict=True)
    )


def find_relative(action: ActionSpace, state: ActionSpace) -> tuple[bool, ...]:
    """Channels of the action that are learned relative to the state: measured positions, not grippers or deltas."""
    measured = zip(find_references(action, state), action.kinds, strict=True)
    return tuple(place >= 0 and kind != "gripper" for place, kind in measured)
