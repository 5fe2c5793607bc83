"""Layout of a LeRobot set on disk: what it says of itself, and where the frames of each episode lie.

v3.0 keeps many episodes in each parquet file and each video, v2.1 and v2.0 one. Pictures are videos, or images inside
the parquet files. Whoever reads a layout turns the errors of a damaged one into one line by `report_damage`.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aim.data.recorded import VectorFeature
from sim.types import UserError

INFO_FILE = Path("meta/info.json")
READABLE_LEROBOT_VERSIONS = ("v3.0", "v2.1", "v2.0")
SHARED_FILES_VERSION = "v3.0"  # many episodes to a file
VIDEO_SPAN_FIELDS = ("chunk_index", "file_index", "from_timestamp", "to_timestamp")
BOOKKEEPING_FEATURES = ("timestamp", "frame_index", "episode_index", "index", "task_index")
MAX_FPS = 1000.0
HUB_FOLDER_PREFIX = "datasets--"


@dataclass(frozen=True)
class VideoSpan:
    """Where the pictures of one camera of an episode lie in a video: from `start_s` to `end_s`, where that is said."""

    file: Path
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True)
class EpisodeEntry:
    """An episode as the set lists it."""

    index: int
    length: int  # frames
    tasks: tuple[str, ...]
    data: Path
    spans: Mapping[str, VideoSpan]  # by camera feature
    stats: Mapping[str, tuple[Sequence[float], Sequence[float]]] = field(default_factory=dict)  # feature: min, max


@dataclass(frozen=True)
class LeRobotInfo:
    """What `meta/info.json` says."""

    path: Path
    version: str
    fps: float
    total_episodes: int
    robot: str
    features: Mapping[str, Mapping[str, Any]]
    data_path: str
    video_path: str
    chunk_size: int  # episodes a folder, v2

    @property
    def cameras(self) -> tuple[str, ...]:
        """Features that are pictures in colour: videos, and images in parquet."""
        return tuple(
            key
            for key, feature in self.features.items()
            if feature.get("dtype") in ("video", "image") and not _is_depth(feature)
        )

    def is_video(self, camera: str) -> bool:
        """Whether a camera's pictures are a video; they are images in parquet otherwise."""
        return self.features[camera].get("dtype") == "video"

    @property
    def vectors(self) -> dict[str, VectorFeature]:
        """Features that may be numbers of a robot, as state and action."""
        found = {}
        for key, feature in self.features.items():
            numeric = str(feature.get("dtype")).startswith(("float", "int", "bool"))
            if numeric and key not in BOOKKEEPING_FEATURES and not key.startswith("next."):
                width = math.prod(map(int, feature.get("shape") or [1]))
                names = tuple(_leaf_names(feature.get("names")))
                found[key] = VectorFeature(width, names if len(names) == width else ())
        return found


def is_lerobot_set(path: Path) -> bool:
    """Whether a LeRobot set lies at `path`."""
    return (path / INFO_FILE).is_file()


def find_hub_snapshot(path: Path) -> Path:
    """Folder of the newest snapshot where `path` is a dataset in the cache of the Hugging Face hub, else `path`."""
    head = path / "refs/main"
    if path.name.startswith(HUB_FOLDER_PREFIX) and head.is_file():
        return path / "snapshots" / head.read_text().strip()
    return path


def find_downloaded_set(name: str) -> Path | None:
    """Folder of the hub's dataset called OWNER/NAME where it has been downloaded on this machine, else None."""
    cache = Path(os.environ.get("HF_HOME") or Path.home() / ".cache/huggingface")
    by_lerobot = Path(os.environ.get("HF_LEROBOT_HOME") or cache / "lerobot") / name
    by_hub = Path(os.environ.get("HF_HUB_CACHE") or cache / "hub") / (HUB_FOLDER_PREFIX + name.replace("/", "--"))
    places = (by_lerobot, find_hub_snapshot(by_hub))
    return next((place for place in places if is_lerobot_set(place)), None)


def read_info(path: Path) -> LeRobotInfo:
    """What the set at `path` says of itself; `UserError` where this version does not read it."""
    file = path / INFO_FILE
    raw = json.loads(file.read_text(encoding="utf-8-sig"))
    version = str(raw["codebase_version"])
    if version not in READABLE_LEROBOT_VERSIONS:
        valid = ", ".join(READABLE_LEROBOT_VERSIONS)
        raise UserError(f"{path} is a LeRobot set of version {version!r}; valid are {valid}")
    fps = float(raw["fps"])
    if not 0.0 < fps <= MAX_FPS:
        raise UserError(f"{file}: fps is {fps:g}; valid are numbers above 0, up to {MAX_FPS:g}")
    return LeRobotInfo(
        path=path, version=version, fps=fps, total_episodes=int(raw["total_episodes"]),
        robot=str(raw.get("robot_type")), features={key: dict(value) for key, value in raw["features"].items()},
        data_path=str(raw["data_path"]), video_path=str(raw.get("video_path")),
        chunk_size=max(int(raw.get("chunks_size", 1000)), 1),
    )  # fmt: skip


def list_episodes(info: LeRobotInfo) -> dict[int, EpisodeEntry]:
    """All episodes by number, in rising order; `UserError` where the set lists others than it says."""
    read = _list_in_shared_files if info.version == SHARED_FILES_VERSION else _list_in_own_files
    entries = sorted(read(info), key=lambda entry: entry.index)
    found = {entry.index: entry for entry in entries}
    if len(found) != len(entries):
        twice = next(a.index for a, b in itertools.pairwise(entries) if a.index == b.index)
        raise UserError(f"{info.path}/meta lists episode {twice} twice; download it anew")
    if len(found) != info.total_episodes or not found:
        said = f"lists {len(found)} episodes, its info.json says {info.total_episodes}"
        raise UserError(f"{info.path} {said}; download it anew")
    return found


def read_task_table(info: LeRobotInfo) -> dict[int, str]:
    """Tasks in words by their index, from meta/tasks.parquet or tasks.jsonl; empty where there is neither."""
    import pyarrow.parquet as parquet

    table = info.path / "meta/tasks.parquet"
    if table.is_file():
        columns = parquet.ParquetFile(table).read().to_pydict()
        indices = columns.pop("task_index")
        words = columns["task"] if "task" in columns else next(iter(columns.values()))
        return dict(zip(indices, map(str, words), strict=True))
    lines = info.path / "meta/tasks.jsonl"
    return {row["task_index"]: str(row["task"]) for row in read_json_lines(lines)} if lines.is_file() else {}


def read_json_lines(file: Path) -> Iterator[Any]:
    """Values of a JSON-lines file. Lines end with a line feed alone: other separators may stand inside texts."""
    for line in file.read_text(encoding="utf-8-sig").split("\n"):
        if line.strip():
            yield json.loads(line)


def _list_in_shared_files(info: LeRobotInfo) -> Iterator[EpisodeEntry]:
    import pyarrow.parquet as parquet

    videos, vectors = [key for key in info.cameras if info.is_video(key)], tuple(info.vectors)
    wanted = ["episode_index", "tasks", "task", "length", "data/chunk_index", "data/file_index"]
    wanted += [f"videos/{key}/{part}" for key in videos for part in VIDEO_SPAN_FIELDS]
    wanted += [f"stats/{key}/{bound}" for key in vectors for bound in ("min", "max")]
    for file in sorted((info.path / "meta/episodes").rglob("*.parquet")):
        table = parquet.ParquetFile(file)
        for row in table.read(columns=[name for name in wanted if name in table.schema_arrow.names]).to_pylist():
            data = info.data_path, {"chunk": row.get("data/chunk_index"), "file": row.get("data/file_index")}
            spans = {}
            for key in videos:
                chunk, number, start, end = (row.get(f"videos/{key}/{part}") for part in VIDEO_SPAN_FIELDS)
                if start is not None:
                    video = fill_path(info, info.video_path, row["episode_index"], key, chunk=chunk, file=number)
                    spans[key] = VideoSpan(video, float(start), None if end is None else float(end))
            yield EpisodeEntry(
                int(row["episode_index"]), int(row["length"]), _read_tasks(row),
                fill_path(info, data[0], row["episode_index"], **data[1]), spans, _read_stats(row, vectors),
            )  # fmt: skip


def _list_in_own_files(info: LeRobotInfo) -> Iterator[EpisodeEntry]:
    videos, vectors = [key for key in info.cameras if info.is_video(key)], tuple(info.vectors)
    stats_file = info.path / "meta/episodes_stats.jsonl"
    stats = {row["episode_index"]: row["stats"] for row in read_json_lines(stats_file)} if stats_file.is_file() else {}
    for row in read_json_lines(info.path / "meta/episodes.jsonl"):
        index = int(row["episode_index"])
        spans = {key: VideoSpan(fill_path(info, info.video_path, index, key)) for key in videos}
        flat = {f"stats/{key}/{name}": part.get(name) for key, part in stats.get(index, {}).items() for name in part}
        yield EpisodeEntry(
            index, int(row["length"]), _read_tasks(row), fill_path(info, info.data_path, index), spans,
            _read_stats(flat, vectors),
        )  # fmt: skip


def fill_path(
    info: LeRobotInfo, template: str, episode: int, camera: str = "", chunk: int | None = None, file: int | None = None
) -> Path:
    """Path of a file from its template in info.json; `UserError` naming the valid placeholders."""
    chunk = episode // info.chunk_size if chunk is None else chunk
    file = episode if file is None else file
    values = {
        "episode_chunk": chunk, "chunk_index": chunk, "chunk": chunk, "episode_index": episode, "episode": episode,
        "file_index": file, "file": file, "video_key": camera, "camera": camera, "key": camera,
    }  # fmt: skip
    try:
        return info.path / template.format(**values)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        valid = ", ".join(f"{{{name}}}" for name in values)
        raise UserError(f"{info.path / INFO_FILE}: cannot fill the path {template!r}; placeholders: {valid}") from error


def _read_tasks(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Tasks that an episode names: a list, or one text."""
    named = row.get("tasks") or row.get("task") or ()
    return (named,) if isinstance(named, str) else tuple(named)


def _read_stats(row: Mapping[str, Any], vectors: Sequence[str]) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """Smallest and largest values that a set says of an episode, by feature."""
    pairs = {key: (row.get(f"stats/{key}/min"), row.get(f"stats/{key}/max")) for key in vectors}
    return {key: (low, high) for key, (low, high) in pairs.items() if low is not None and high is not None}


def _is_depth(feature: Mapping[str, Any]) -> bool:
    details = feature.get("info") or feature.get("video_info") or {}
    return bool(details.get("video.is_depth_map") or details.get("is_depth_map"))


def _leaf_names(names: object) -> Iterator[str]:
    """Texts in nested lists and tables: sets write names as [a, b], [[a, b]], {motors: [a, b]} or {a: 0, b: 1}."""
    if isinstance(names, str):
        yield names
    elif isinstance(names, dict) and all(type(place) is int for place in names.values()):
        yield from sorted(names, key=lambda name: names[name])
    elif isinstance(names, dict):
        for inner in names.values():
            yield from _leaf_names(inner)
    elif isinstance(names, list):
        for inner in names:
            yield from _leaf_names(inner)
