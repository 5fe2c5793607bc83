"""A LeRobot set, v3.0, v2.1 or v2.0: numbers from its parquet files, pictures from its videos or parquet files.

Frames are found by number, not by the clock of a player: every episode must have as many rows and as many frames of
video as the set says. In a video of its own they are counted. The span that the set gives for an episode in a shared
video must be as long as the episode and apart from all others, and the video must keep to the set's rate to the frame.

All episodes are read, whatever the set's `splits` say.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aim.data.damage import report_damage
from aim.data.formats.lerobot_columns import ImageColumn, RowRange, find_row_ranges, iterate_groups, read_columns
from aim.data.formats.lerobot_layout import (
    INFO_FILE,
    SHARED_FILES_VERSION,
    EpisodeEntry,
    VideoSpan,
    list_episodes,
    read_info,
    read_task_table,
)
from aim.data.recorded import EpisodeRows, VectorFeature
from aim.data.video import VideoReader, VideoSummary, summarize_video
from sim.types import UserError

MAX_START_ERROR_FRAMES = 0.25  # of the time at which an episode begins in a shared video, against a frame's time
MAX_OVERLAP_FRAMES = 0.5  # of the spans of two episodes in a shared video
MAX_SPAN_ERROR_FRAMES = 1.25  # of a span, against the episode's length: some sets name the time of the last frame
MAX_SURPLUS_FRAMES = 2  # that a video of one episode may hold beyond it
MAX_RATE_ERROR = 0.02  # of a video's frame rate, against the set's, as a fraction
MAX_DRIFT_FRAMES = 0.5  # of a shared video's last frame, found by its time, against the number of frames before it
DIGEST_BLOCK_BYTES = 2**16  # at the beginning and the end of an episode's own file, of which its identity is taken
STATS_TOLERANCE = 1e-3  # of a feature's range: how far a set's statistics may be from its rows


class LeRobotSet:
    """A LeRobot set open for reading, an `aim.data.recorded.RecordedSet`."""

    def __init__(self, path: Path) -> None:
        """Read what the set says of itself; `UserError` where it cannot be read."""
        missing = [name for name in ("av", "pyarrow") if importlib.util.find_spec(name) is None]
        if missing:
            raise UserError(f'LeRobot sets need {", ".join(missing)}: pip install "aim-world-action[lerobot]"')
        with report_damage(path / INFO_FILE):
            self.info = read_info(path)
            self.cameras: tuple[str, ...] = self.info.cameras
            self.vectors: Mapping[str, VectorFeature] = self.info.vectors
        self.path, self.fps, self.robot = path, self.info.fps, self.info.robot
        with report_damage(path / "meta"):
            self.entries = list_episodes(self.info)
        with report_damage(path / "meta/tasks"):
            self.task_table = read_task_table(self.info)
        self.episodes: Mapping[int, int] = {index: entry.length for index, entry in self.entries.items()}
        self._shared_videos = set(_find_shared_videos(self.entries))
        self._row_ranges: dict[int, RowRange] = {}
        self._opened: dict[str, VideoReader | ImageColumn] = {}  # by camera, the one read last
        self._summaries: dict[Path, VideoSummary] = {}
        self._digests: dict[Path, str] = {}
        self._overlaps = dict(_find_overlaps(self.entries, self.fps))

    def check_files(self, episode: int, cameras: Sequence[str]) -> list[str]:
        """Notes on an episode's files; `UserError` where one is missing, or a video is not as the set says."""
        entry = self.entries[episode]
        videos = [camera for camera in cameras if self.info.is_video(camera)]
        spans = [self._span(entry, camera) for camera in videos]
        for file in (entry.data, *(span.file for span in spans)):
            if not file.is_file():
                raise UserError(f"{file} of episode {episode} is missing; download the set anew")
        with report_damage(f"{self.path}: episode {episode}"):
            notes = [note for span in spans for note in self._check_video(entry, span)]
        for camera in videos:
            if (episode, camera) in self._overlaps:
                raise UserError(f"{self.path}: {self._overlaps[episode, camera]}")
        return notes

    def read_rows(
        self, episodes: Sequence[int], features: Sequence[str]
    ) -> Iterator[tuple[int, EpisodeRows | UserError]]:
        """Rows of episodes, or what is wrong with those of one."""
        names = ("episode_index", "frame_index", "timestamp", "task_index", "index", *features)
        for file, members in iterate_groups({i: self.entries[i].data for i in episodes}, episodes):
            try:
                with report_damage(file):
                    columns, count = read_columns(file, names)
                    ranges = self._find_ranges(columns, members, count)
            except UserError as error:
                yield from ((episode, error) for episode in members)
                continue
            for episode in members:
                try:
                    with report_damage(f"{self.path}: episode {episode}"):
                        found = self._cut_rows(episode, columns, ranges[episode], features)
                except UserError as error:
                    found = error
                yield episode, found

    def read_frames(self, episode: int, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Pictures (k h w 3) of one camera by their frame numbers in the episode."""
        file, first = self._locate(episode, camera)
        with report_damage(file):
            return self._open(camera, file).frames([first + frame for frame in frames])

    def identify_frames(self, episode: int, camera: str) -> str:
        """Digest of an episode's first, middle and last picture as they are encoded; of a file of its own, the ends.

        More episodes may be added to a shared file, and those that are there stay what they were.
        """
        file, first = self._locate(episode, camera)
        with report_damage(file):
            if self.info.version != SHARED_FILES_VERSION:
                return json.dumps([self._digest(file), first])
            length = self.episodes[episode]
            return self._open(camera, file).digest_frames([first, first + length // 2, first + length - 1])

    def close(self) -> None:
        """Close all files; reading opens them again."""
        while self._opened:
            self._opened.popitem()[1].close()

    def _locate(self, episode: int, camera: str) -> tuple[Path, int]:
        """File of an episode's pictures, and the number in it of the first; for those in parquet rows were read."""
        entry = self.entries[episode]
        if not self.info.is_video(camera):
            return entry.data, self._row_ranges[episode].first
        span = self._span(entry, camera)
        return span.file, round(span.start_s * self.fps)

    def _span(self, entry: EpisodeEntry, camera: str) -> VideoSpan:
        if camera not in entry.spans:
            raise UserError(f"{self.path}/meta does not say where episode {entry.index} lies in the video {camera!r}")
        return entry.spans[camera]

    def _check_video(self, entry: EpisodeEntry, span: VideoSpan) -> Iterator[str]:
        """Yield notes; `UserError` where the span is of another length than the episode or the video ends before."""
        where = f"{span.file} of episode {entry.index}"
        if span.file not in self._summaries:
            self._summaries[span.file] = summarize_video(span.file)
        frames, rate, last_s = self._summaries[span.file]
        if rate and abs(rate / self.fps - 1.0) > MAX_RATE_ERROR:
            raise UserError(f"{where} runs at {rate:g} frames a second, info.json says {self.fps:g}")
        if span.file in self._shared_videos and frames and abs(last_s * self.fps - frames + 1) > MAX_DRIFT_FRAMES:
            said = f"its last frame is number {frames - 1}, by its time number {last_s * self.fps:.1f}"
            raise UserError(f"{where} does not keep to {self.fps:g} frames a second: {said}")
        first = span.start_s * self.fps
        if not math.isfinite(first) or abs(first - round(first)) > MAX_START_ERROR_FRAMES or first < 0:
            raise UserError(f"{where}: from_timestamp {span.start_s:g} s is not at a frame")
        if span.end_s is not None:
            length = (span.end_s - span.start_s) * self.fps
            if not abs(length - entry.length) <= MAX_SPAN_ERROR_FRAMES:
                said = f"from_timestamp to to_timestamp is {length:.1f} frames, the episode has {entry.length}"
                raise UserError(f"{where}: {said}")
        needed = round(first) + entry.length
        if frames and frames < needed:
            raise UserError(f"{where} holds {frames} frames, the episode ends at {needed}")
        if frames > needed and self.info.version != SHARED_FILES_VERSION:
            if frames - needed > MAX_SURPLUS_FRAMES:
                raise UserError(f"{where} holds {frames} frames, the episode has {entry.length}")
            name = span.file.relative_to(self.path)
            yield f"{name} holds {frames - needed} frames more than episode {entry.index}; they are cut"

    def _find_ranges(self, columns: Mapping[str, NDArray], members: Sequence[int], count: int) -> dict[int, RowRange]:
        """Rows of each episode of a file; by the file alone where it has no column episode_index."""
        if "episode_index" not in columns:
            whole = RowRange(0, count)
            found = {episode: whole if len(members) == 1 else None for episode in members}
        else:
            found = dict(find_row_ranges(columns["episode_index"][:, 0], members))
        kept = {episode: RowRange(0, 0) if rows is None else rows for episode, rows in found.items()}
        self._row_ranges |= kept
        return kept

    def _cut_rows(
        self, episode: int, columns: Mapping[str, NDArray[np.float64]], rows: RowRange, features: Sequence[str]
    ) -> EpisodeRows:
        """Rows of one episode; `UserError` where they are not its frames, in their order."""
        entry = self.entries[episode]
        where, length = f"{self.path}: episode {episode}", rows.end - rows.first
        missing = [name for name in features if name not in columns]
        if missing:
            raise UserError(f"{entry.data} has no column {missing[0]!r}; it has {', '.join(columns)}")
        mine = {name: column[rows.first : rows.end] for name, column in columns.items()}
        frames = np.arange(entry.length)
        found = mine["frame_index"][:, 0] if "frame_index" in mine else np.arange(length)
        if length != entry.length or not np.array_equal(found, frames):
            raise UserError(f"{where} has {length} rows in {entry.data.name}, not frames 0 to {entry.length - 1}")
        index = mine["index"][:, 0] if "index" in mine else frames
        if not np.array_equal(index - index[0], frames):
            raise UserError(f"{where}: the column index does not count up; rows are in another order or missing")
        for name in features:
            width = self.vectors[name].width
            if mine[name].shape[1] != width:
                raise UserError(f"{where}: {name} has {mine[name].shape[1]} numbers a row, info.json says {width}")
        times = mine["timestamp"][:, 0] if "timestamp" in mine else None
        wrong = [self._find_stats_error(entry, name, mine[name]) for name in features]
        notes = tuple(f"episode {episode}: {said}" for said in wrong if said)
        return EpisodeRows({name: mine[name] for name in features}, times, self._find_tasks(entry, mine), notes)

    def _find_tasks(self, entry: EpisodeEntry, mine: Mapping[str, NDArray[np.float64]]) -> tuple[str, ...]:
        """Tasks that the set's list names for an episode, else those of its rows by task_index."""
        named = tuple(task.strip() for task in entry.tasks if task and task.strip())
        if named or "task_index" not in mine:
            return named
        indices = mine["task_index"][:, 0]
        places = dict.fromkeys(int(index) for index in indices if np.isfinite(index))
        return tuple(self.task_table[place].strip() for place in places if self.task_table.get(place, "").strip())

    def _find_stats_error(self, entry: EpisodeEntry, feature: str, rows: NDArray[np.float64]) -> str:
        """How the statistics that the set gives for an episode differ from its rows (frames d), in words; or ""."""
        if feature not in entry.stats:
            return ""
        bounds = [np.ravel(np.asarray(bound, np.float64)) for bound in entry.stats[feature]]
        if any(len(bound) != rows.shape[1] for bound in bounds):
            return ""
        slack = STATS_TOLERANCE * (1.0 + np.ptp(rows, 0))
        for bound, true, word in zip(bounds, (rows.min(0), rows.max(0)), ("least", "most"), strict=True):
            wrong = np.abs(bound - true) > slack
            if wrong.any():
                channel = int(np.argmax(wrong))
                label = self.vectors[feature].labels[channel]
                return f"{label} of {feature} is at {word} {true[channel]:g}, its statistics say {bound[channel]:g}"
        return ""

    def _open(self, camera: str, file: Path) -> VideoReader | ImageColumn:
        if camera in self._opened and self._opened[camera].path != file:
            self._opened.pop(camera).close()
        if camera not in self._opened:
            fps = self.fps if file in self._shared_videos else None
            is_video = self.info.is_video(camera)
            self._opened[camera] = VideoReader(file, fps) if is_video else ImageColumn(self.path, file, camera)
        return self._opened[camera]

    def _digest(self, file: Path) -> str:
        if file not in self._digests:
            size = file.stat().st_size
            with file.open("rb") as opened:
                head = opened.read(DIGEST_BLOCK_BYTES)
                opened.seek(max(size - DIGEST_BLOCK_BYTES, 0))
                sha = hashlib.sha256(f"{size}".encode() + head + opened.read(DIGEST_BLOCK_BYTES))
            self._digests[file] = sha.hexdigest()
        return self._digests[file]


def _find_shared_videos(entries: Mapping[int, EpisodeEntry]) -> Iterator[Path]:
    """Yield videos that hold more than one episode, or one that begins later than the video."""
    holders: dict[Path, int] = {}
    for entry in entries.values():
        for span in entry.spans.values():
            holders[span.file] = holders.get(span.file, 0) + 1
            if holders[span.file] > 1 or span.start_s != 0.0:
                yield span.file


def _find_overlaps(entries: Mapping[int, EpisodeEntry], fps: float) -> Iterator[tuple[tuple[int, str], str]]:
    """Yield (episode, camera) whose span of a shared video overlaps another's or stands before an earlier one's."""
    by_video: dict[tuple[str, Path], list[tuple[float, float, int]]] = {}
    for entry in entries.values():
        for camera, span in entry.spans.items():
            if entry.length:
                start = span.start_s * fps
                by_video.setdefault((camera, span.file), []).append((start, start + entry.length, entry.index))
    for (camera, _), spans in by_video.items():
        for (_, end, before), (start, _, after) in itertools.pairwise(spans):
            if start < end - MAX_OVERLAP_FRAMES:
                said = f"from_timestamp of episode {after} lies {end - start:.1f} frames before episode {before} ends"
                yield from (((episode, camera), f"{camera}: {said} in the same video") for episode in (after, before))
