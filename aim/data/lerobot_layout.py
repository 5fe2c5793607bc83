"""How a LeRobot set is laid out on disk: what it says of itself, and where the frames of each episode lie.

v3.0 keeps many episodes in each parquet file and each video, v2.1 one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aim.data.mapping import OwnRobot
from sim.types import UserError

INFO = Path("meta/info.json")
READABLE_LEROBOT_VERSIONS = ("v3.0", "v2.1")
VIDEO_SPAN_FIELDS = ("chunk_index", "file_index", "from_timestamp")  # the pictures of an episode lie, v3.0


@dataclass(frozen=True)
class Clip:
    """Where the pictures of one camera of an episode begin: frame `first` of a video file."""

    file: Path
    first: int


@dataclass(frozen=True)
class EpisodeEntry:
    """An episode as the set describes it."""

    index: int
    length: int  # frames
    tasks: tuple[str, ...]
    data: Path
    clips: Mapping[str, Clip]  # by camera of ours


@dataclass(frozen=True)
class Info:
    """What `meta/info.json` says."""

    path: Path
    version: str
    fps: float
    episodes: int
    robot: str
    features: Mapping[str, Mapping[str, Any]]
    data_path: str
    video_path: str
    chunk: int  # episodes a folder, v2.1

    @property
    def cameras(self) -> list[str]:
        """The features that are videos."""
        return [key for key, feature in self.features.items() if feature.get("dtype") == "video"]

    @property
    def vectors(self) -> list[str]:
        """The features that may be numbers of a robot, as state and action."""
        numbers = [key for key, feature in self.features.items() if str(feature.get("dtype")).startswith("float")]
        return [key for key in numbers if key != "timestamp" and not key.startswith("next.")]

    def channels(self, key: str) -> list[str]:
        """Return the names of a feature's channels; where it names none, or not one each, 0, 1, ... as texts."""
        names = list(_leaves(self.features[key].get("names")))
        width = int(np.prod(self.features[key].get("shape") or [1]))
        return names if len(names) == width else [str(i) for i in range(width)]


def is_set(path: Path) -> bool:
    """Tell whether a LeRobot set lies at `path`."""
    return (path / INFO).is_file()


def read_info(path: Path) -> Info:
    """Return what the set says of itself; `UserError` where this version does not read it."""
    try:
        raw = json.loads((path / INFO).read_text(encoding="utf-8"))
        version = str(raw["codebase_version"])
        if version not in READABLE_LEROBOT_VERSIONS:
            raise UserError(
                f"{path} is a LeRobot set of version {version!r}; valid are {', '.join(READABLE_LEROBOT_VERSIONS)}"
            )
        return Info(
            path=path, version=version, fps=float(raw["fps"]), episodes=int(raw["total_episodes"]),
            robot=str(raw.get("robot_type")), features=dict(raw["features"]), data_path=str(raw["data_path"]),
            video_path=str(raw.get("video_path")), chunk=int(raw.get("chunks_size", 1000)),
        )  # fmt: skip
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path / INFO} is damaged ({error!r}); download it anew") from error


def takes(info: Info, own: OwnRobot) -> Iterator[EpisodeEntry]:
    """Yield all episodes as the set lists them; `UserError` where its lists are damaged."""
    read = _takes_in_shared_files if info.version == "v3.0" else _takes_in_own_files
    try:
        yield from read(info, own)
    except (OSError, KeyError, IndexError, ValueError, TypeError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{info.path}/meta is damaged ({error!r}); download it anew") from error


def _takes_in_shared_files(info: Info, own: OwnRobot) -> Iterator[EpisodeEntry]:
    """Yield the episodes of a v3.0 set: many to a parquet file and many to a video."""
    import pyarrow.parquet as parquet

    columns = ["episode_index", "tasks", "length", "data/chunk_index", "data/file_index"]
    for key in own.cameras.values():
        columns += [f"videos/{key}/{part}" for part in VIDEO_SPAN_FIELDS]
    for file in sorted((info.path / "meta/episodes").glob("chunk-*/file-*.parquet")):
        for row in parquet.ParquetFile(file).read(columns=columns).to_pylist():
            data = info.data_path.format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
            clips = {}
            for name, key in own.cameras.items():
                chunk, number, start = (row[f"videos/{key}/{part}"] for part in VIDEO_SPAN_FIELDS)
                video = info.video_path.format(video_key=key, chunk_index=chunk, file_index=number)
                clips[name] = Clip(info.path / video, round(start * info.fps))
            yield EpisodeEntry(row["episode_index"], row["length"], tuple(row["tasks"] or ()), info.path / data, clips)


def _takes_in_own_files(info: Info, own: OwnRobot) -> Iterator[EpisodeEntry]:
    """Yield the episodes of a v2.1 set: one to a parquet file and one to a video."""
    for line in (info.path / "meta/episodes.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        which = {"episode_chunk": row["episode_index"] // info.chunk, "episode_index": row["episode_index"]}
        clips = {
            name: Clip(info.path / info.video_path.format(video_key=key, **which), 0)
            for name, key in own.cameras.items()
        }
        data = info.path / info.data_path.format(**which)
        yield EpisodeEntry(row["episode_index"], row["length"], tuple(row.get("tasks") or ()), data, clips)


def _leaves(names: object) -> Iterator[str]:
    """Yield the texts in lists and tables however nested: sets write names as [a, b], [[a, b]] or {motors: [a, b]}."""
    if isinstance(names, str):
        yield names
    elif isinstance(names, dict):
        for inner in names.values():
            yield from _leaves(inner)
    elif isinstance(names, list):
        for inner in names:
            yield from _leaves(inner)
