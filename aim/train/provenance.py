"""Provenance of a run: the episodes of its training data, the mapping of their numbers, the commands that trained it.

A run is resumed on the same data, or on that and more: new episodes come behind those that it began with.

data.json      {"path": where they lay, "episodes": [identity, ...]}
mapping.json   how a recorded set is read; every checkpoint has it too, to drive the robot by what was learned
commands.txt   the command lines, one a line, each once
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from aim.data import mapping_file
from aim.data.damage import report_damage
from aim.data.mapping_file import MAPPING_FILE
from aim.data.source import Source
from aim.util import atomic_file
from aim.util.decode import decode_json

EPISODES_FILE, COMMANDS_FILE = "data.json", "commands.txt"


@dataclass(frozen=True)
class TrainedEpisodes:
    """Contents of data.json: where a dataset lay, and the identities of its episodes."""

    path: str
    episodes: tuple[str, ...]


def save_provenance(source: Source, out: Path) -> None:
    """Write the episodes and the mapping that the run in `out` is trained on."""
    if source.own:
        atomic_file.write_text(out / MAPPING_FILE, mapping_file.mapping_to_json(source.own))
    record = {"path": str(source.path), "episodes": [ref.identity for ref in source.episodes]}
    atomic_file.write_text(out / EPISODES_FILE, json.dumps(record, indent=0) + "\n")


def add_command(out: Path, command: str) -> None:
    """Add a command line ("": none) to those that trained the run in `out`, unless it is among them."""
    commands = read_commands(out)
    if command and command not in commands:
        atomic_file.write_text(out / COMMANDS_FILE, "\n".join((*commands, command)) + "\n")


def read_commands(out: Path) -> tuple[str, ...]:
    """Command lines that trained the run in `out`, as far as they are known."""
    path = out / COMMANDS_FILE
    return tuple(path.read_text().splitlines()) if path.is_file() else ()


def read_episode_identities(out: Path) -> frozenset[str] | None:
    """Identities of the episodes that the run in `out` is trained on, None if they were not stored."""
    stored = _read_episodes(out)
    return None if stored is None else frozenset(stored)


def order_episodes(source: Source, out: Path) -> Source:
    """Dataset with the episodes of the run in `out` first and in its order, then those that are new to it."""
    places = {identity: place for place, identity in enumerate(_read_episodes(out) or ())}
    return Source(source.reader, sorted(source.episodes, key=lambda ref: places.get(ref.identity, len(places))))


def count_new_episodes(source: Source, out: Path) -> int:
    """How many episodes of a dataset that has all of the run's are new to the run in `out`; 0 where one is missing."""
    stored, present = read_episode_identities(out), {ref.identity for ref in source.episodes}
    return len(present - stored) if stored is not None and stored <= present else 0


def describe_differences(source: Source, out: Path, may_grow: bool = False) -> list[str]:
    """Differences between a dataset and that of the run in `out`, in words; new episodes are none if it `may_grow`."""
    if lines := describe_mapping_differences(source, out):
        return lines
    count = count_new_episodes(source, out)
    if count and may_grow:
        return []
    hint = f", {count} are new: --resume learns from them too" if count else ""
    return [line + hint for line in _describe_episode_differences(source, out)]


def describe_mapping_differences(source: Source, out: Path) -> list[str]:
    """Differences between the mapping of a dataset and that in `out`, the folder of a run or a checkpoint."""
    stored = out / MAPPING_FILE
    if stored.exists() != (source.own is not None):
        kinds = ("a dataset of the simulator", "a recorded set")
        return [f"it began with {kinds[stored.exists()]}, not {kinds[source.own is not None]}"]
    if source.own is None:
        return []
    return mapping_file.compare_mappings(mapping_file.mapping_from_json(stored.read_text()), source.own)[:1]


def _read_episodes(out: Path) -> list[str] | None:
    path = out / EPISODES_FILE
    if not path.is_file():
        return None
    with report_damage(path, "bring it back from a copy, or train into a new folder"):
        return list(decode_json(TrainedEpisodes, path.read_text(encoding="utf-8"), str(path)).episodes)


def _describe_episode_differences(source: Source, out: Path) -> list[str]:
    stored, present = read_episode_identities(out), [ref.identity for ref in source.episodes]
    if stored is None or stored == set(present):
        return []
    shared = sum(name in stored for name in present)
    return [f"it began with {len(stored)} episodes, {source.path} has {len(present)}, {shared} of them the same"]
