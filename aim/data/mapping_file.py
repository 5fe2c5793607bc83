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

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aim.data.action_space import is_delta
from aim.data.damage import report_damage
from aim.data.mapping import CameraMapping, ChannelRange, RobotMapping
from aim.data.mapping_tables import decode_tables
from aim.util import toml
from sim.types import UserError

MAPPING_FILE = "mapping.json"  # in the folders of runs and checkpoints that learned from a recorded set


def read_mapping(path: Path) -> RobotMapping:
    """Mapping in a TOML file; `UserError` naming what is unknown, missing or of the wrong type."""
    return parse_mapping(toml.read_toml(path, "mapping"), str(path))


def parse_mapping(raw: Mapping[str, Any], where: str) -> RobotMapping:
    """Mapping that TOML or JSON holds; `UserError` beginning with `where`."""
    tables = decode_tables(raw, where)
    joints = tables.joints
    mapping = RobotMapping(
        robot=tables.robot,
        cameras={name: CameraMapping(each.source, each.fit, each.ratio) for name, each in tables.cameras.items()},
        state=joints.state, action=joints.action, names=joints.names,
        action_names=joints.names if joints.action_names is None else joints.action_names,
        units=joints.units, kind=joints.kind, state_only=joints.state_only, action_only=joints.action_only,
        wrap=joints.wrap, kinds=tables.kinds,
        scale={name: ChannelRange(each.state, each.action) for name, each in tables.scale.items()},
        gripper={name: ChannelRange(each.state, each.action) for name, each in tables.gripper.items()},
        text=tables.text.default or "", clock_tolerance_s=tables.clock.tolerance_s,
        only=tables.episodes.only, without=tables.episodes.without,
    )  # fmt: skip
    _check_channels(mapping, where)
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
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{MAPPING_FILE} is not JSON: {error}") from error
    _require(isinstance(raw, dict), f"{MAPPING_FILE} is no object; bring it back from a copy")
    return parse_mapping(raw, MAPPING_FILE)


def recall_mapping(folder: Path) -> RobotMapping | None:
    """Mapping that the run or checkpoint in `folder` was trained with, None where its data needed none."""
    stored = folder / MAPPING_FILE
    if not stored.is_file():
        return None
    with report_damage(stored, "bring it back from a copy"):
        return mapping_from_json(stored.read_text(encoding="utf-8"))


def recall_reading(folder: Path) -> RobotMapping | None:
    """Mapping of a run or checkpoint to read any data with: which episodes were read of its own does not count."""
    mapping = recall_mapping(folder)
    return dataclasses.replace(mapping, only=(), without=()) if mapping else None


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


def _check_channels(mapping: RobotMapping, where: str) -> None:
    """Raise `UserError` where channels are missing, named twice, or named in a table and not in [joints]."""
    labels = (*mapping.names, *mapping.state_only, *mapping.action_only)
    _require(bool(mapping.cameras), f"{where}: [cameras] names no camera")
    _require(all(map(str.strip, mapping.cameras)), f"{where}: [cameras] has a camera without a name")
    _require(bool(mapping.action), f"{where}: joints.action names no feature")
    _require(bool(mapping.action_labels), f"{where}: [joints] lacks names, the channels of state and action")
    _require(bool(mapping.state) or not mapping.state_only, f"{where}: [joints] has state_only, but no state")
    fits = len(mapping.names) == len(mapping.action_names)
    _require(fits, f"{where}: joints.action_names must be as many as names, {len(mapping.names)}")
    _require(len(set(labels)) == len(labels), f"{where}: [joints] names a channel twice, in names and in an _only list")
    tables = {"[kinds]": mapping.kinds, "[scale]": mapping.scale, "[gripper]": mapping.gripper}
    for table, names in {**tables, "joints.wrap": mapping.wrap}.items():
        for name in names:
            said = f"{where}: {table} has {name!r}, which is none of the names {', '.join(labels)}"
            _require(name in labels, said)


def _check_scales(mapping: RobotMapping, where: str) -> None:
    """Raise `UserError` where a channel has two conversions or two kinds, or a displacement an offset."""
    kinds = dict(zip(mapping.state_channels, mapping.state_kinds, strict=True))
    kinds |= dict(zip(mapping.action_labels, mapping.action_kinds, strict=True))
    for name in mapping.gripper:
        kind = mapping.kinds.get(name, "gripper")
        _require(kind == "gripper", f"{where}: {name!r} is a {kind} in [kinds] and stands in [gripper]; leave one out")
    for name, pair in mapping.scale.items():
        _require(name not in mapping.gripper, f"{where}: {name!r} stands in [scale] and in [gripper]")
        said = f"{where}: {name!r} is a gripper and stands in [scale]; give its range in [gripper] instead"
        _require(kinds[name] != "gripper", said)
        _require(0.0 not in (pair.state[0], pair.action[0]), f"{where}: [scale] {name} must not be 0")
    for name, kind in zip(mapping.action_labels, mapping.action_kinds, strict=True):
        offset = mapping.scale[name].action[1] if name in mapping.scale else 0.0
        moved = is_delta(kind) and offset != 0.0
        _require(not moved, f"{where}: [scale] {name} is a {kind}, whose offset must be 0")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise UserError(message)
