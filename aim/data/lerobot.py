"""A LeRobot set, v3.0 or v2.1, as a source: numbers from its parquet files, pictures from its videos. Read only.

The set runs at `fps`, control at 50 Hz and pictures at 12.5 Hz. An episode's first frame is control step 0. States and
actions, grippers too, are interpolated linearly between the set's frames; a picture is the set's newest frame at that
time, never one of the future. What lies after the last whole picture is left out.

Frames are found by number, not by the clock of a player: the `timestamp` column must be frame_index / fps to a tenth
of a frame, every episode must have as many rows and as many frames of video as the set says.

The identity of an episode is taken of its numbers, and of place, size and time of change of its videos: videos may be
hundreds of gigabytes, too many to be read whole at every start. A copied set is at worst coded once more.

All episodes are read, whatever the set's `splits` say.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aim.config import View
from aim.data import lerobot_layout
from aim.data.lerobot_layout import INFO, EpisodeEntry, Info, read_info
from aim.data.mapping import OwnRobot
from aim.data.source import Motion, Ref
from aim.data.video import VideoReader
from aim.model.canvas import Grid, Shifts
from aim.util import console
from sim.types import CONTROL_HZ, IMAGE_HZ, STEPS_PER_IMAGE, UserError

if TYPE_CHECKING:
    import pyarrow

SLACK = 0.1  # frames by which a timestamp may be off
ROUNDED = 1e-6  # frames: a time that falls on a frame but for rounding belongs to it

Numbers = NDArray[np.float64]


class LeRobot:
    """A LeRobot set read by a mapping."""

    has_maps = False

    def __init__(self, info: Info, own: OwnRobot, takes: Sequence[EpisodeEntry], motions: Sequence[Motion]) -> None:
        """Hold the numbers of all episodes; videos are opened when they are asked for."""
        self.path, self.info, self.own = info.path, info, own
        self.robot, self.cameras, self.relative = own.robot, tuple(own.cameras), own.relative
        self.takes, self.motions = tuple(takes), tuple(motions)
        self.episodes = tuple(
            Ref(i, f"episode {take.index}", len(move.action) // STEPS_PER_IMAGE + 1, _identity(info, take, move))
            for i, (take, move) in enumerate(zip(takes, motions, strict=True))
        )
        self._films: dict[str, VideoReader] = {}  # by camera, the one read last

    def motion(self, ref: Ref) -> Motion:
        """Return the numbers of an episode."""
        return self.motions[ref.index]

    def pictures(self, ref: Ref, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Return pictures (k h w 3) of one camera."""
        clip = self.takes[ref.index].clips[camera]
        numbers = [clip.first + shown(range(ref.pictures)[frame], self.info.fps) for frame in frames]
        return self._film(camera, clip.file).frames(numbers)

    def maps(self, ref: Ref, camera: str, frames: Sequence[int]) -> None:
        """Return none: a recorded set has no value maps."""
        return None

    def points(self, ref: Ref, views: Sequence[View], grids: Sequence[Grid], shifts: Shifts) -> NDArray[np.float32]:
        """Refuse: a recorded set has no depth that is mapped."""
        raise UserError(f"{self.path} has no depth; a model with geometry cannot learn from it")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures of the first camera."""
        height, width = self.pictures(self.episodes[0], self.cameras[0], [0]).shape[1:3]
        return height, width

    def close(self) -> None:
        """Close all videos; reading opens them again."""
        while self._films:
            self._films.popitem()[1].close()

    def _film(self, camera: str, file: Path) -> VideoReader:
        if camera in self._films and self._films[camera].path != file:
            self._films.pop(camera).close()
        if camera not in self._films:
            self._films[camera] = VideoReader(file, self.info.fps)
        return self._films[camera]


def what_to_map(path: Path) -> str:
    """Return, in one line, what a mapping of the set at `path` may name."""
    info = read_info(path)
    joints = "; ".join(f"{key} with {', '.join(info.channels(key))}" for key in info.vectors)
    return (
        f"{path} is a LeRobot set of the robot {info.robot!r}; say with --mapping FILE.toml (as docs/own_robot.toml) "
        f"which is which of its cameras {', '.join(info.cameras)} and joints: {joints}"
    )


def open_set(path: Path, own: OwnRobot) -> LeRobot:
    """Return the set at `path`; `UserError` where mapping and set do not fit or the set is not whole."""
    _installed()
    info = read_info(path)
    _check(info, own)
    takes = sorted(lerobot_layout.takes(info, own), key=lambda take: take.index)
    if len(takes) != info.episodes or not takes:
        raise UserError(f"{path} lists {len(takes)} episodes, its info.json says {info.episodes}; download it anew")
    _there(takes)
    _say(path, own, takes)
    motions = [
        _motion(info, own, take, rows)
        for file, some in itertools.groupby(takes, key=lambda take: take.data)
        for take, rows in _rows(info, own, file, list(some))
    ]
    _filmed(info, takes)
    wrong = own.beyond(np.concatenate([np.concatenate([move.state, move.action]) for move in motions]))
    if wrong:
        raise UserError(f"{path}: {wrong}; mend the mapping")
    return LeRobot(info, own, takes, motions)


def shown(picture: int, fps: float) -> int:
    """Return the number of the frame that picture `picture` is: the newest at its time."""
    return int(np.floor(picture * fps / IMAGE_HZ + ROUNDED))


def pictures_of(length: int, fps: float) -> int:
    """Return how many pictures an episode of `length` frames has."""
    return int(np.floor((length - 1) * IMAGE_HZ / fps + ROUNDED)) + 1


def resampled(x: Numbers, fps: float) -> NDArray[np.float32]:
    """Return the values at every control step (steps d), between the rows of x (frames d) at `fps`."""
    steps = (pictures_of(len(x), fps) - 1) * STEPS_PER_IMAGE
    place = np.minimum(np.arange(steps) * (fps / CONTROL_HZ), len(x) - 1)
    before = np.floor(place + ROUNDED).astype(np.int64)
    share = np.maximum(place - before, 0.0)[:, None]
    after = np.minimum(before + 1, len(x) - 1)
    return (x[before] * (1.0 - share) + x[after] * share).astype(np.float32)


def _installed() -> None:
    lacking = [name for name in ("av", "pyarrow") if importlib.util.find_spec(name) is None]
    if lacking:
        raise UserError(f'LeRobot sets need {", ".join(lacking)}: pip install "aim-world-action[lerobot]"')


def _check(info: Info, own: OwnRobot) -> None:
    """Raise `UserError` where the mapping names what the set does not have."""
    for name, key in own.cameras.items():
        if key not in info.cameras:
            there = ", ".join(info.cameras) or "none, and pictures that are no videos are not read"
            raise UserError(f"{info.path}: no video {key!r} for the camera {name!r}; it has {there}")
    for key, names in ((own.state, own.names), (own.action, own.action_names)):
        if key not in info.features:
            raise UserError(f"{info.path}: no feature {key!r}; it has {', '.join(info.vectors)}")
        lacking = [name for name in names if name not in info.channels(key)]
        if lacking:
            there = ", ".join(info.channels(key))
            raise UserError(f"{info.path}: {key} has no {', '.join(lacking)}; it has {there}")
    if info.fps <= 0:
        raise UserError(f"{info.path / INFO}: fps is {info.fps:g}")


def _there(takes: Sequence[EpisodeEntry]) -> None:
    """Raise `UserError` where a file is missing."""
    for take in takes:
        for file in (take.data, *(clip.file for clip in take.clips.values())):
            if not file.is_file():
                raise UserError(f"{file} of episode {take.index} is missing; download the set anew")


def _filmed(info: Info, takes: Sequence[EpisodeEntry]) -> None:
    """Raise `UserError` where a video has fewer frames than its episodes, or, with one episode a video, more."""
    counts: dict[Path, int] = {}
    for take in takes:
        for clip in take.clips.values():
            if clip.file not in counts:
                film = VideoReader(clip.file, info.fps)
                counts[clip.file] = film.count
                film.close()
            held, needed = counts[clip.file], clip.first + take.length
            if held and (held < needed or (info.version != "v3.0" and held != needed)):
                raise UserError(f"{clip.file} holds {held} frames, episode {take.index} ends at {needed}; get it anew")


def _say(path: Path, own: OwnRobot, takes: Sequence[EpisodeEntry]) -> None:
    """Note what is read otherwise than one may expect; `UserError` where an episode has no words."""
    silent = [take.index for take in takes if not _words(take)]
    if silent and not own.text:
        raise UserError(f'{path}: episode {silent[0]} names no task; give the mapping [text] default = "..."')
    several = sum(len(take.tasks) > 1 for take in takes)
    if several:
        console.print_note(
            f"{path}: of several tasks that an episode names the first is read; there are {several} such"
        )


def _words(take: EpisodeEntry) -> str:
    return take.tasks[0].strip() if take.tasks else ""


def _rows(
    info: Info, own: OwnRobot, file: Path, takes: Sequence[EpisodeEntry]
) -> Iterator[tuple[EpisodeEntry, dict[str, Numbers]]]:
    """Yield each episode of a parquet file with its columns: state and action (frames d), and those of time."""
    import pyarrow
    import pyarrow.parquet as parquet

    names = ("episode_index", "frame_index", "timestamp", own.state, own.action)
    try:
        table = parquet.ParquetFile(file).read(columns=list(dict.fromkeys(names)))
        columns = {name: _numbers(table, name, file) for name in names}
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{file} is damaged ({str(error).splitlines()[0]}); download it anew") from error
    for take in takes:
        mine = columns["episode_index"][:, 0] == take.index
        yield take, {name: column[mine] for name, column in columns.items()}


def _numbers(table: pyarrow.Table, name: str, file: Path) -> Numbers:
    """Return a column of numbers, or of lists of one length, as (rows d); what is null becomes not a number."""
    import pyarrow
    import pyarrow.compute as compute

    if name not in table.column_names:
        raise UserError(f"{file} has no column {name!r}; it has {', '.join(table.column_names)}")
    column = pyarrow.concat_arrays(table[name].chunks)
    kinds = (pyarrow.types.is_fixed_size_list, pyarrow.types.is_list, pyarrow.types.is_large_list)
    if any(kind(column.type) for kind in kinds):
        widths = compute.call_function("list_value_length", [column]).unique().to_pylist()
        if len(widths) != 1 or widths[0] is None:
            raise UserError(f"{file}: rows of {name} differ in length: {widths}")
        column, width = column.flatten(), widths[0]
    else:
        width = 1
    return column.to_numpy(zero_copy_only=False).astype(np.float64).reshape(-1, width)


def _motion(info: Info, own: OwnRobot, take: EpisodeEntry, rows: Mapping[str, Numbers]) -> Motion:
    """Return the numbers of an episode at our rate and in our units; `UserError` naming episode and column."""
    where = f"{info.path}: episode {take.index}"
    frame, seconds = rows["frame_index"][:, 0], rows["timestamp"][:, 0]
    if take.length < 1 or not np.array_equal(frame, np.arange(take.length)):
        raise UserError(f"{where} has {len(frame)} rows in {take.data.name}, not frames 0 to {take.length - 1}")
    if not (np.abs(seconds * info.fps - frame) <= SLACK).all():
        raise UserError(f"{where}: timestamp is not frame_index / {info.fps:g}")
    found = []
    for key, names in ((own.state, own.names), (own.action, own.action_names)):
        channels = info.channels(key)
        if rows[key].shape[1] != len(channels):
            raise UserError(f"{where}: {key} has {rows[key].shape[1]} numbers a row, info.json says {len(channels)}")
        chosen = rows[key][:, [channels.index(name) for name in names]]
        bad = np.argwhere(~np.isfinite(chosen))
        if len(bad):
            raise UserError(f"{where}: {key} {names[bad[0, 1]]!r} is not finite at frame {bad[0, 0]}")
        ours = own.ours(chosen)
        if leaps := own.leaps(ours):
            raise UserError(f"{where}: {key} {leaps}; unwrap it")
        found.append(resampled(ours, info.fps))
    state, action = found
    return Motion(state, action, _words(take) or own.text)


def _identity(info: Info, take: EpisodeEntry, move: Motion) -> str:
    """Return a digest of the numbers and of which frames of which videos the pictures are."""
    videos = []
    for name, clip in take.clips.items():
        there = clip.file.stat()
        place = clip.file.relative_to(info.path).as_posix()
        videos.append([name, place, there.st_size, there.st_mtime_ns, clip.first])
    words = json.dumps([take.length, info.fps, move.instruction, videos])
    return hashlib.sha256(words.encode() + move.state.tobytes() + move.action.tobytes()).hexdigest()
