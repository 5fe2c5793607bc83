"""A mapping as a small TOML file that a user writes, and as the JSON that a run keeps.

robot = "so101"
[cameras]      name of ours = feature of the set, or {from = feature, fit = "crop", ratio = 1.0}
[joints]       state, action: a feature each, or several; state may be []
               names: channels of both, in our order; action_names, where the action calls them otherwise
               state_only, action_only: channels of one alone; wrap: angles that jump by a turn
               units: degrees or radians; kind: what the action's channels are
[kinds]        channel = kind, where it is another
[scale]        channel = [scale, offset], ours = scale * theirs + offset, or {state = [...], action = [...]}
[gripper]      channel = [value where closed, value where open], or {state = [...], action = [...]}
[text]         default: what the robot is told where the set does not say
[clock]        tolerance_s: how far timestamps may be from frame numbers
[episodes]     only, without: numbers of the episodes that are read, or left out
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aim.data.action_space import CHANNEL_KINDS, ChannelKind, is_delta
from aim.data.image_fit import IMAGE_FITS, ImageFit
from aim.data.mapping import UNITS, CameraMapping, ChannelRange, Pair, RobotMapping
from aim.util import toml
from sim.types import UserError

MAPPING_FILE = "mapping.json"  # in the folders of runs and checkpoints that learned from a recorded set
OPTIONAL_TABLES = ("kinds", "scale", "gripper", "text", "clock", "episodes")
OPTIONAL_JOINT_KEYS = ("names", "action_names", "state_only", "action_only", "wrap", "kind", "state")
CLOSED_OPEN = "[value where closed, value where open]"
SCALE_OFFSET = "[scale, offset]"


def read_mapping(path: Path) -> RobotMapping:
    """Mapping in a TOML file; `UserError` naming what is unknown, missing or of the wrong type."""
    return parse_mapping(toml.read_toml(path, "mapping"), str(path))


def parse_mapping(raw: Mapping[str, Any], where: str) -> RobotMapping:
    """Mapping that TOML or JSON holds; `UserError` beginning with `where`."""
    _check_keys(raw, where, ("robot", "cameras", "joints"), OPTIONAL_TABLES)
    joints = _table(raw, "joints", where)
    _check_keys(joints, f"{where}: [joints]", ("action", "units"), OPTIONAL_JOINT_KEYS)
    text, clock, episodes = (_table(raw, name, where) for name in ("text", "clock", "episodes"))
    _check_keys(text, f"{where}: [text]", (), ("default",))
    _check_keys(clock, f"{where}: [clock]", (), ("tolerance_s",))
    _check_keys(episodes, f"{where}: [episodes]", (), ("only", "without"))
    state = _features(joints.get("state", []), f"{where}: [joints] state")
    action = _features(joints["action"], f"{where}: [joints] action")
    _require(bool(action), f"{where}: [joints] action names no feature")
    lists = {
        name: _channels(joints.get(name, []), f"{where}: [joints] {name}")
        for name in ("names", "state_only", "action_only", "wrap")
    }
    names, action_only = lists["names"], lists["action_only"]
    _require(bool(names or action_only), f"{where}: [joints] lacks names, the channels of state and action")
    _require(bool(state) or not lists["state_only"], f"{where}: [joints] has state_only, but no state")
    others = _channels(joints.get("action_names", list(names)), f"{where}: [joints] action_names")
    _require(len(names) == len(others), f"{where}: [joints] action_names must be as many as names, {len(names)}")
    labels = (*names, *lists["state_only"], *action_only)
    _require(len(set(labels)) == len(labels), f"{where}: [joints] names a channel twice, in names and an _only list")
    units = joints["units"]
    _require(units in UNITS, f"{where}: [joints] units is {units!r}; valid are {', '.join(UNITS)}")
    cameras = _table(raw, "cameras", where)
    _require(bool(cameras), f"{where}: [cameras] names no camera")
    for part in ("kinds", "scale", "gripper"):
        for name in _table(raw, part, where):
            _require(name in labels, f"{where}: [{part}] has {name!r}, which is none of the names {', '.join(labels)}")
    for name in lists["wrap"]:
        _require(name in labels, f"{where}: [joints] wrap has {name!r}, which is none of the names {', '.join(labels)}")
    mapping = RobotMapping(
        robot=_text(raw["robot"], f"{where}: robot"),
        cameras={name: _camera(value, f"{where}: [cameras] {name}") for name, value in cameras.items()},
        state=state, action=action, names=names, action_names=others, units=units,
        kind=_kind(joints.get("kind", "joint_position"), f"{where}: [joints] kind"),
        state_only=lists["state_only"], action_only=action_only, wrap=lists["wrap"],
        kinds={name: _kind(value, f"{where}: [kinds] {name}") for name, value in _table(raw, "kinds", where).items()},
        scale=_ranges(raw, "scale", where, SCALE_OFFSET),
        gripper=_ranges(raw, "gripper", where, CLOSED_OPEN),
        text=_text(text["default"], f"{where}: [text] default") if "default" in text else "",
        clock_tolerance_s=_tolerance(clock, where),
        only=_numbers(episodes.get("only", []), f"{where}: [episodes] only"),
        without=_numbers(episodes.get("without", []), f"{where}: [episodes] without"),
    )  # fmt: skip
    _check_scales(mapping, where)
    return mapping


def tabulate_mapping(mapping: RobotMapping) -> dict[str, Any]:
    """Mapping as `parse_mapping` reads it."""
    joints: dict[str, Any] = {"state": list(mapping.state), "action": list(mapping.action)}
    joints |= {name: list(vars(mapping)[name]) for name in ("names", "action_names")}
    joints |= {name: list(vars(mapping)[name]) for name in ("state_only", "action_only", "wrap")}
    cameras = {n: {"from": c.feature, "fit": c.fit, "ratio": c.ratio} for n, c in mapping.cameras.items()}
    pairs = {
        part: {n: {"state": list(r.state), "action": list(r.action)} for n, r in vars(mapping)[part].items()}
        for part in ("scale", "gripper")
    }
    return {
        "robot": mapping.robot,
        "cameras": cameras,
        "joints": {**joints, "units": mapping.units, "kind": mapping.kind},
        "kinds": dict(mapping.kinds),
        **pairs,
        "text": {"default": mapping.text} if mapping.text else {},
        "clock": {} if mapping.clock_tolerance_s is None else {"tolerance_s": mapping.clock_tolerance_s},
        "episodes": {"only": list(mapping.only), "without": list(mapping.without)},
    }


def mapping_to_json(mapping: RobotMapping) -> str:
    """Mapping as JSON."""
    return json.dumps(tabulate_mapping(mapping), indent=1) + "\n"


def mapping_from_json(text: str) -> RobotMapping:
    """Mapping that `mapping_to_json` wrote; `UserError` where it is damaged."""
    try:
        return parse_mapping(json.loads(text), "mapping.json")
    except json.JSONDecodeError as error:
        raise UserError(f"mapping.json is not JSON: {error}") from error


def recall_mapping(folder: Path) -> RobotMapping | None:
    """Mapping that the run or checkpoint in `folder` was trained with, None where its data needed none."""
    stored = folder / MAPPING_FILE
    return mapping_from_json(stored.read_text()) if stored.is_file() else None


def compare_mappings(there: RobotMapping, asked: RobotMapping) -> list[str]:
    """Differences between two mappings in how numbers and pictures are read, one line a field.

    Which episodes are read is not compared: a run knows its episodes by their identities.
    """
    a, b = _flatten(there), _flatten(asked)
    return [f"{key} is {a.get(key)!r}, not {b.get(key)!r}" for key in {**a, **b} if a.get(key) != b.get(key)]


def _flatten(mapping: RobotMapping) -> dict[str, Any]:
    nested = tabulate_mapping(mapping)
    parts = {name: inner for name, inner in nested.items() if name not in ("robot", "clock", "episodes")}
    flat = {"robot": nested["robot"], "order of cameras": list(nested["cameras"])}
    return flat | {f"{name}.{key}": value for name, inner in parts.items() for key, value in inner.items()}


def _check_scales(mapping: RobotMapping, where: str) -> None:
    """Raise `UserError` where a channel has two conversions, or a displacement an offset."""
    for name, pair in mapping.scale.items():
        _require(name not in mapping.gripper, f"{where}: {name!r} stands in [scale] and in [gripper]")
        _require(0.0 not in (pair.state[0], pair.action[0]), f"{where}: [scale] {name} must not be 0")
    for name, kind in zip(mapping.action_labels, mapping.action_kinds, strict=True):
        offset = mapping.scale[name].action[1] if name in mapping.scale else 0.0
        moved = is_delta(kind) and offset != 0.0
        _require(not moved, f"{where}: [scale] {name} is a {kind}, whose offset must be 0")


def _check_keys(raw: Mapping[str, Any], where: str, needed: Sequence[str], more: Sequence[str]) -> None:
    valid = ", ".join((*needed, *more))
    for key in raw:
        _require(key in (*needed, *more), f"{where} has an unknown key {key!r}; valid are {valid}")
    missing = [key for key in needed if key not in raw]
    _require(not missing, f"{where} lacks {', '.join(missing)}; valid are {valid}")


def _table(raw: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    inner = raw.get(name, {})
    _require(isinstance(inner, dict), f"{where}: [{name}] must be a table, not {inner!r}")
    return inner


def _camera(value: object, where: str) -> CameraMapping:
    if not isinstance(value, dict):
        return CameraMapping(_text(value, where))
    _check_keys(value, where, ("from",), ("fit", "ratio"))
    ratio = value.get("ratio", 1.0)
    if type(ratio) not in (int, float) or not 0.1 <= ratio <= 10.0:
        raise UserError(f"{where}: ratio must be width over height, 0.1 to 10, not {ratio!r}")
    return CameraMapping(
        _text(value["from"], f"{where} from"), _fit(value.get("fit", "letterbox"), where), float(ratio)
    )


def _fit(value: object, where: str) -> ImageFit:
    for fit in IMAGE_FITS:
        if value == fit:
            return fit
    raise UserError(f"{where}: fit is {value!r}; valid are {', '.join(IMAGE_FITS)}")


def _kind(value: object, where: str) -> ChannelKind:
    for kind in CHANNEL_KINDS:
        if value == kind:
            return kind
    raise UserError(f"{where} is {value!r}; valid are {', '.join(CHANNEL_KINDS)}")


def _tolerance(clock: Mapping[str, Any], where: str) -> float | None:
    value = clock.get("tolerance_s")
    if value is None:
        return None
    if type(value) not in (int, float) or not (math.isfinite(value) and value > 0):
        raise UserError(f"{where}: [clock] tolerance_s must be a number of seconds above 0, not {value!r}")
    return float(value)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where} must be a text, not {value!r}")
    return value


def _features(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(_text(name, where) for name in value)
    return (_text(value, where),)


def _channels(value: object, where: str) -> tuple[str, ...]:
    """Names of channels; numbers in a vector count as their digits."""
    if not isinstance(value, list) or not all(type(name) in (str, int) for name in value):
        raise UserError(f"{where} must be a list of texts or numbers of channels, not {value!r}")
    names = tuple(str(name) for name in value)
    _require(len(set(names)) == len(names), f"{where} names a channel twice")
    return names


def _numbers(value: object, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(number) is int and number >= 0 for number in value):
        raise UserError(f"{where} must be a list of numbers of episodes, not {value!r}")
    return tuple(value)


def _ranges(raw: Mapping[str, Any], part: str, where: str, what: str) -> dict[str, ChannelRange]:
    return {name: _range(value, f"{where}: [{part}] {name}", what) for name, value in _table(raw, part, where).items()}


def _range(value: object, where: str, what: str) -> ChannelRange:
    if isinstance(value, dict):
        _check_keys(value, where, ("state", "action"), ())
        return ChannelRange(_pair(value["state"], where, what), _pair(value["action"], where, what))
    pair = _pair(value, where, what)
    return ChannelRange(pair, pair)


def _pair(value: object, where: str, what: str) -> Pair:
    if not isinstance(value, list) or len(value) != 2 or not all(type(bound) in (int, float) for bound in value):
        raise UserError(f"{where} must be {what}, or {{state = [...], action = [...]}}, not {value!r}")
    finite = math.isfinite(value[0]) and math.isfinite(value[1])
    _require(finite and (what == SCALE_OFFSET or value[0] != value[1]), f"{where}: no such range")
    return float(value[0]), float(value[1])


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise UserError(message)
