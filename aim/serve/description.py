"""What a learned policy is and needs, without its weights: what evaluations and clients of a server ask."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aim.data.action_space import ActionSpace, tabulate_space
from aim.util.decode import decode_json


@dataclass(frozen=True)
class PolicyDescription:
    """A checkpoint's name and digest, the robot, cameras and channels that it is for, and how it acts."""

    name: str
    digest: str
    robot: str
    cameras: tuple[str, ...]
    size: tuple[int, int]  # height and width of the pictures that it learned from
    depth: bool  # whether it must be shown depth too
    execution_horizon: int
    steps_per_prediction: int  # control steps from one predicted picture to the next
    own_units: bool  # whether it speaks the units and rate of its recordings
    state_space: ActionSpace
    action_space: ActionSpace
    variant: str  # of its model, as in "paper+geometry"
    settings: Mapping[str, Any]  # what else decides how it acts

    def make_fields(self) -> dict[str, Any]:
        """The description as `parse_description` reads it, of values that JSON has."""
        spaces = {name: tabulate_space(vars(self)[name]) for name in ("state_space", "action_space")}
        lists = {name: list(vars(self)[name]) for name in ("cameras", "size")}
        return {**vars(self), **lists, **spaces, "settings": dict(self.settings)}


def parse_description(fields: Mapping[str, Any]) -> PolicyDescription:
    """Description that `PolicyDescription.make_fields` wrote; `UserError` where it is another's."""
    return decode_json(PolicyDescription, json.dumps(fields), "the description of a policy")
