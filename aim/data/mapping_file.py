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
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, Field

from aim.data.action_space import ChannelKind, is_delta
from aim.data.damage import report_damage
from aim.data.image_fit import ImageFit
from aim.data.mapping import CameraMapping, ChannelRange, Pair, RobotMapping
from aim.util import toml
from aim.util.decode import decode_json
from sim.types import UserError

MAPPING_FILE = "mapping.json"  # in the folders of runs and checkpoints that learned from a recorded set


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def _check_distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names a channel twice")
    return names


def _check_finite(pair: Pair) -> Pair:
    if not (math.isfinite(pair[0]) and math.isfinite(pair[1])):
        raise ValueError("must be two finite numbers")
    return pair


def _check_stroke(pair: Pair) -> Pair:
    if pair[0] == pair[1]:
        raise ValueError("must be [value where closed, value where open], two different numbers")
    return _check_finite(pair)


Text = Annotated[str, AfterValidator(_check_text)]
Channels = Annotated[tuple[Text, ...], AfterValidator(_check_distinct)]
FinitePair = Annotated[Pair, AfterValidator(_check_finite)]
StrokePair = Annotated[Pair, AfterValidator(_check_stroke)]
EpisodeNumber = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class CameraTable:
    """A camera: the feature of the set that it is, and how its pictures are made to fit `ratio`."""

    source: Annotated[Text, Field(alias="from")]
    fit: ImageFit = "letterbox"
    ratio: Annotated[float, Field(ge=0.1, le=10.0)] = 1.0  # width over height


@dataclass(frozen=True)
class JointsTable:
    """[joints]: where channels are found, and what they are."""

    action: tuple[Text, ...]
    units: Literal["degrees", "radians"]
    state: tuple[Text, ...] = ()
    names: Channels = ()
    action_names: Channels | None = None
    state_only: Channels = ()
    action_only: Channels = ()
    wrap: Channels = ()
    kind: ChannelKind = "joint_position"


@dataclass(frozen=True)
class ScaleTable:
    """[scale] of one channel: scale and offset of the state and of the action."""

    state: FinitePair
    action: FinitePair


@dataclass(frozen=True)
class StrokeTable:
    """[gripper] of one channel: values where it is closed and open, in the state and in the action."""

    state: StrokePair
    action: StrokePair


@dataclass(frozen=True)
class TextTable:
    """[text]: what the robot is told where the set does not say."""

    default: Text | None = None


@dataclass(frozen=True)
class ClockTable:
    """[clock]: how far timestamps may be from frame numbers."""

    tolerance_s: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None


@dataclass(frozen=True)
class EpisodesTable:
    """[episodes]: numbers of the episodes that are read, or left out."""

    only: tuple[EpisodeNumber, ...] = ()
    without: tuple[EpisodeNumber, ...] = ()


@dataclass(frozen=True)
class MappingTables:
    """A mapping as its file has it, every short form written out."""

    robot: Text
    cameras: Mapping[str, CameraTable]
    joints: JointsTable
    kinds: Mapping[str, ChannelKind] = field(default_factory=dict)
    scale: Mapping[str, ScaleTable] = field(default_factory=dict)
    gripper: Mapping[str, StrokeTable] = field(default_factory=dict)
    text: TextTable = field(default_factory=TextTable)
    clock: ClockTable = field(default_factory=ClockTable)
    episodes: EpisodesTable = field(default_factory=EpisodesTable)


def read_mapping(path: Path) -> RobotMapping:
    """Mapping in a TOML file; `UserError` naming what is unknown, missing or of the wrong type."""
    return parse_mapping(toml.read_toml(path, "mapping"), str(path))


def parse_mapping(raw: Mapping[str, Any], where: str) -> RobotMapping:
    """Mapping that TOML or JSON holds; `UserError` beginning with `where`."""
    text = json.dumps(_expand_short_forms(raw, where), default=lambda date: {"date": str(date)})  # which no field takes
    tables = decode_json(MappingTables, text, f"{where}:")
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


def _expand_short_forms(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Mapping of which every short form is written out; `UserError` where a value is neither short nor long."""
    expanded = dict(raw)

    def replace_values(table: str, convert: Callable[[str, object], object]) -> None:
        if isinstance(expanded.get(table), dict):
            expanded[table] = {name: convert(name, value) for name, value in expanded[table].items()}

    def refuse(place: str, forms: str, value: object) -> NoReturn:
        raise UserError(f"{where}: {place} must be {forms}, not {value!r}")

    def expand_camera(name: str, value: object) -> object:
        if not isinstance(value, str | dict):
            refuse(f"cameras.{name}", "the name of a feature, or {from = NAME, fit = ...}", value)
        return {"from": value} if isinstance(value, str) else value

    def expand_joints(name: str, value: object) -> object:
        if name in ("state", "action"):
            if not isinstance(value, str | list):
                refuse(f"joints.{name}", "the name of a feature, or a list of such", value)
            return [value] if isinstance(value, str) else value
        if isinstance(value, list):  # numbers of channels in a vector
            return [str(each) if type(each) is int else each for each in value]
        return value

    def expand_pair(place: str, pair: object, short: str) -> object:
        if not isinstance(pair, dict) and not (isinstance(pair, list) and len(pair) == 2):
            refuse(place, f"{short}, or {{state = [...], action = [...]}}", pair)
        return {"state": pair, "action": pair} if isinstance(pair, list) else pair

    replace_values("cameras", expand_camera)
    replace_values("joints", expand_joints)
    for table, short in (("scale", "[scale, offset]"), ("gripper", "[value where closed, value where open]")):
        replace_values(table, lambda name, pair, place=table, short=short: expand_pair(f"{place}.{name}", pair, short))
    return expanded


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
