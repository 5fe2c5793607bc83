"""Tables of a mapping as its TOML file has them: fields, their types and bounds, and short forms of their values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, Field

from aim.data.action_space import ChannelKind
from aim.data.image_fit import ImageFit
from aim.data.mapping import Pair
from aim.util.decode import decode_json
from sim.types import UserError


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


def decode_tables(raw: Mapping[str, Any], where: str) -> MappingTables:
    """Tables that TOML or JSON holds; `UserError` beginning with `where`."""
    text = json.dumps(_expand_short_forms(raw, where), default=lambda date: {"date": str(date)})  # which no field takes
    return decode_json(MappingTables, text, f"{where}:")


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
