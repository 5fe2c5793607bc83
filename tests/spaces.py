"""Action and state spaces without bounds, for tests that are not about bounds."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from aim.data.action_space import ActionSpace, ChannelKind


def make_space(channels: Mapping[str, ChannelKind]) -> ActionSpace:
    """Space without bounds at 50 Hz."""
    width = len(channels)
    return ActionSpace(tuple(channels), tuple(channels.values()), (-inf,) * width, (inf,) * width, (inf,) * width, 50.0)


def make_arm(joints: int, grippers: int = 0) -> ActionSpace:
    """Space of an arm: joints, then grippers."""
    arm: dict[str, ChannelKind] = {f"joint{i}": "joint_position" for i in range(joints)}
    return make_space(arm | {f"gripper{i}": "gripper" for i in range(grippers)})
