"""Action and state spaces: the channels of a vector, what each of them means, and how far and how fast it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

ChannelKind = Literal["joint_position", "joint_delta", "ee_delta", "ee_pose", "gripper"]
CHANNEL_KINDS: tuple[ChannelKind, ...] = get_args(ChannelKind)
# what the state measures where the action is a displacement
MEASURED_KINDS: Mapping[ChannelKind, ChannelKind] = {"joint_delta": "joint_position", "ee_delta": "ee_pose"}
# how the numbers of a kind may be read otherwise: displacements as positions, positions as displacements
OTHER_KINDS: Mapping[ChannelKind, ChannelKind] = {
    **MEASURED_KINDS, **{measured: delta for delta, measured in MEASURED_KINDS.items()}
}  # fmt: skip


@dataclass(frozen=True)
class ActionSpace:
    """Channels of a state or of an action (d,), at `rate_hz` rows a second.

    Positions are in radians or metres, grippers from 0 closed to 1 open. A delta is the displacement over one row, so
    the sum of the rows of a time span is the displacement over that span. `low` and `high` bound the values,
    `max_speed` the rate of change, in units a second; what is not known is infinite.
    """

    names: tuple[str, ...]
    kinds: tuple[ChannelKind, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    max_speed: tuple[float, ...]
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
