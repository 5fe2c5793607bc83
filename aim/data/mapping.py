"""One's own robot in a small TOML file: which cameras and numbers of a recorded set are which of ours.

    robot = "so101"
    [cameras]      name of ours = feature of the set; the order is that of the views
    [joints]       state, action: features; names: channels of both, in our order; units: degrees or radians
    [gripper]      channel = [value where closed, value where open]
    [text]         default: what the robot is told where the set does not say

Numbers of the set ("theirs") become ours, and back: joints in radians, grippers 0 closed to 1 open. A training keeps
the same content as `mapping.json`, so that a robot can be driven by what it learned.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aim.util import toml
from sim.types import UserError

UNITS = {"degrees": math.pi / 180.0, "radians": 1.0}
TURNS = 4 * math.pi  # radians; no joint of an arm is further out
RANGE_TOLERANCE = 0.5  # of its stroke: how far outside its range a gripper may be read

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class OwnRobot:
    """How a recorded set is read. Channels stand in the order of `names`, cameras in that of `cameras`."""

    robot: str
    cameras: Mapping[str, str]  # ours -> feature of the set
    state: str
    action: str
    names: tuple[str, ...]
    action_names: tuple[str, ...]  # as the action calls the same channels
    units: str
    gripper: Mapping[str, tuple[float, float]]  # closed, open
    text: str = ""

    @property
    def relative(self) -> tuple[bool, ...]:
        """Which channels are joints; the others are grippers."""
        return tuple(name not in self.gripper for name in self.names)

    def ours(self, x: Numbers) -> Numbers:
        """Return numbers (... d) of the set as radians and shares of a gripper's stroke."""
        low, span = self._scale()
        return (x - low) / span

    def theirs(self, x: Numbers) -> Numbers:
        """Return radians and shares (... d) as numbers of the set: the inverse of `ours`."""
        low, span = self._scale()
        return x * span + low

    def beyond(self, x: NDArray[np.float32]) -> str:
        """Return what is wrong with our numbers x (r d) if units or ranges cannot be right, else ""."""
        if not len(x):
            return ""
        for channel, (name, low, high) in enumerate(zip(self.names, x.min(0), x.max(0), strict=True)):
            if name in self.gripper and (low < -RANGE_TOLERANCE or high > 1.0 + RANGE_TOLERANCE):
                found = self.theirs(np.stack([x.min(0), x.max(0)]).astype(np.float64))[:, channel]
                reach = f"{min(found):g} to {max(found):g}"
                return f"{name} reaches from {reach}, its range in [gripper] is {list(self.gripper[name])}"
            if name not in self.gripper and max(-low, high) > TURNS:
                return f"{name} reaches {max(-low, high):.0f} radians, where units is {self.units!r}"
        return ""

    def leaps(self, x: Numbers) -> str:
        """Return where a joint turns by over half a turn from a row of our numbers x (r d) to the next, else ""."""
        far = (np.abs(np.diff(x, axis=0)) > math.pi) & np.asarray(self.relative) & (np.abs(x[1:]) < TURNS)
        if not far.any():
            return ""
        row, channel = np.argwhere(far)[0]
        turn = abs(x[row + 1, channel] - x[row, channel])
        return f"{self.names[channel]!r} leaps by {turn:.1f} radians after frame {row}"

    def _scale(self) -> tuple[Numbers, Numbers]:
        pairs = [self.gripper.get(name, (0.0, 1.0 / UNITS[self.units])) for name in self.names]
        low, high = np.asarray(pairs, np.float64).T
        return low, high - low


def read(path: Path) -> OwnRobot:
    """Return the mapping in a TOML file; `UserError` naming what is unknown, missing or of the wrong kind."""
    raw = toml.read_toml(path, "mapping")
    return parse(raw, str(path))


def parse(raw: Mapping[str, Any], where: str) -> OwnRobot:
    """Return the mapping that TOML or JSON holds; `UserError` beginning with `where`."""
    _keys(raw, where, ("robot", "cameras", "joints"), ("gripper", "text"))
    joints, text = _table(raw, "joints", where), _table(raw, "text", where)
    _keys(joints, f"{where}: [joints]", ("state", "action", "names", "units"), ("action_names",))
    _keys(text, f"{where}: [text]", (), ("default",))
    names = _names(joints["names"], f"{where}: [joints] names")
    others = _names(joints.get("action_names", list(names)), f"{where}: [joints] action_names")
    _demand(len(names) == len(others), f"{where}: [joints] action_names must be as many as names, {len(names)}")
    units = joints["units"]
    _demand(units in UNITS, f"{where}: [joints] units is {units!r}; valid are {', '.join(UNITS)}")
    cameras = _table(raw, "cameras", where)
    _demand(bool(cameras), f"{where}: [cameras] names no camera")
    gripper = _table(raw, "gripper", where)
    for name in gripper:
        _demand(name in names, f"{where}: [gripper] has {name!r}, which is none of the names {', '.join(names)}")
    return OwnRobot(
        robot=_text(raw["robot"], f"{where}: robot"),
        cameras={name: _text(key, f"{where}: [cameras] {name}") for name, key in cameras.items()},
        state=_text(joints["state"], f"{where}: [joints] state"),
        action=_text(joints["action"], f"{where}: [joints] action"),
        names=names, action_names=others, units=units,
        gripper={name: _range(pair, f"{where}: [gripper] {name}") for name, pair in gripper.items()},
        text=_text(text["default"], f"{where}: [text] default") if "default" in text else "",
    )  # fmt: skip


def table(own: OwnRobot) -> dict[str, Any]:
    """Return the mapping as `parse` reads it."""
    return {
        "robot": own.robot,
        "cameras": dict(own.cameras),
        "joints": {
            "state": own.state, "action": own.action, "names": list(own.names),
            "action_names": list(own.action_names), "units": own.units,
        },
        "gripper": {name: list(pair) for name, pair in own.gripper.items()},
        "text": {"default": own.text} if own.text else {},
    }  # fmt: skip


def to_json(own: OwnRobot) -> str:
    """Return the mapping as JSON."""
    return json.dumps(table(own), indent=1) + "\n"


def from_json(text: str) -> OwnRobot:
    """Return the mapping that `to_json` wrote; `UserError` where it is damaged."""
    try:
        return parse(json.loads(text), "mapping.json")
    except json.JSONDecodeError as error:
        raise UserError(f"mapping.json is not JSON: {error}") from error


def differences(there: OwnRobot, asked: OwnRobot) -> list[str]:
    """Return what differs between two mappings, field by field."""
    a, b = _flat(table(there)), _flat(table(asked))
    return [f"{key} is {a.get(key)!r}, not {b.get(key)!r}" for key in {**a, **b} if a.get(key) != b.get(key)]


def _flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    flat = {"robot": nested["robot"], "order of cameras": list(nested["cameras"])}
    parts = {name: inner for name, inner in nested.items() if name != "robot"}
    return flat | {f"{name}.{key}": value for name, inner in parts.items() for key, value in inner.items()}


def _keys(raw: Mapping[str, Any], where: str, needed: Sequence[str], more: Sequence[str]) -> None:
    valid = ", ".join((*needed, *more))
    for key in raw:
        _demand(key in (*needed, *more), f"{where} has an unknown key {key!r}; valid are {valid}")
    lacking = [key for key in needed if key not in raw]
    _demand(not lacking, f"{where} lacks {', '.join(lacking)}; valid are {valid}")


def _table(raw: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    inner = raw.get(name, {})
    _demand(isinstance(inner, dict), f"{where}: [{name}] must be a table, not {inner!r}")
    return inner


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where} must be a text, not {value!r}")
    return value


def _names(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise UserError(f"{where} must be a list of texts, not {value!r}")
    _demand(len(set(value)) == len(value), f"{where} names a channel twice")
    return tuple(value)


def _range(value: object, where: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2 or not all(type(bound) in (int, float) for bound in value):
        raise UserError(f"{where} must be [value where closed, value where open], not {value!r}")
    _demand(math.isfinite(value[0]) and math.isfinite(value[1]) and value[0] != value[1], f"{where}: no such range")
    return float(value[0]), float(value[1])


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise UserError(message)
