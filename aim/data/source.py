"""What a training needs of a dataset, whoever recorded it: an `aim.data.reader.EpisodeReader` and what follows from it.

Whatever the source, control runs at 50 Hz and pictures at 12.5 Hz: picture i belongs to control step 4 i, joints are
in radians, grippers go from 0 closed to 1 open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from aim.config import View
from aim.data.action_space import find_references, find_relative
from aim.data.formats.simulated import SimulatedReader
from aim.data.joined import JoinedReader
from aim.data.mapping import RobotMapping
from aim.data.patch_points import compute_episode_points
from aim.data.reader import DatasetInfo, EpisodeReader, Motion, Ref
from aim.data.recorded import RecordedSet
from aim.data.store import RECIPE_FILE, Dataset, open_dataset
from aim.model.canvas import Grid, Shifts
from sim.types import UserError

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # OWNER/NAME

R = TypeVar("R", contravariant=True)


class Shown(Protocol[R]):
    """What has pictures of episodes, each named by an R."""

    def pictures(self, ref: R, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Return pictures (k h w 3) of one camera."""
        ...

    def maps(self, ref: R, camera: str, frames: Sequence[int]) -> NDArray[np.uint8] | None:
        """Return value maps (k h w 3: pick, place, other) of one camera, or none where there are none."""
        ...


class Source:
    """A dataset to train on; one thread at a time may read it. `episodes` are those of the reader that were chosen."""

    def __init__(self, reader: EpisodeReader, episodes: Sequence[Ref] | None = None) -> None:
        """Hold a reader, and which of its episodes are meant; all if left out."""
        self.reader = reader
        self.episodes = tuple(reader.episodes if episodes is None else episodes)

    @property
    def info(self) -> DatasetInfo:
        """What all episodes share."""
        return self.reader.info

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.info.path

    @property
    def robot(self) -> str:
        """Name of the robot that acts in it."""
        return self.info.robot

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of its cameras."""
        return self.info.cameras

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures, those of the first camera where they differ."""
        return self.info.size

    @property
    def references(self) -> tuple[int, ...]:
        """Index of the state channel that measures each action channel, -1 where there is none."""
        return find_references(self.info.action, self.info.state)

    @property
    def relative(self) -> tuple[bool, ...]:
        """Channels of the action that are relative to the state; the others, grippers and deltas, are not."""
        return find_relative(self.info.action, self.info.state)

    @property
    def own(self) -> RobotMapping | None:
        """How the numbers of a recorded set became ours; none where they were ours from the start."""
        return self.info.mapping

    @property
    def has_maps(self) -> bool:
        """Whether value maps come with the pictures."""
        return self.info.has_maps

    def motion(self, ref: Ref) -> Motion:
        """Numbers of an episode, (pictures - 1) 4 steps; `UserError` where they are not finite."""
        return self.reader.motion(ref)

    def pictures(self, ref: Ref, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Pictures (k h w 3) of one camera."""
        return self.reader.frames(ref, camera, frames)

    def maps(self, ref: Ref, camera: str, frames: Sequence[int]) -> NDArray[np.uint8] | None:
        """Value maps (k h w 3) of one camera, or none where there are none."""
        return self.reader.maps(ref, camera, frames)

    def points(self, ref: Ref, views: Sequence[View], grids: Sequence[Grid], shifts: Shifts) -> NDArray[np.float32]:
        """Where the patches of all pictures lie (T n 4, `aim.data.patch_points`); `UserError` without depth."""
        reader, ref = self.reader.locate(ref) if isinstance(self.reader, JoinedReader) else (self.reader, ref)
        if not isinstance(reader, SimulatedReader):
            raise UserError(f"{self.path} has no depth; a model with geometry cannot learn from it")
        dataset = reader.dataset
        return compute_episode_points(dataset, dataset.episodes[ref.index], views, grids, shifts)


Data = Source | Dataset


def of(data: Data) -> Source:
    """Source of a dataset; a source is one already."""
    return Source(SimulatedReader(data)) if isinstance(data, Dataset) else data


def open_source(
    path: Path, mapping: RobotMapping | Path | None = None, only: Sequence[int] = (), without: Sequence[int] = ()
) -> Source:
    """Source of the dataset at `path`, or of some of its episodes by number.

    `UserError` where a mapping is missing, or the file of one is given for a dataset of ours.
    """
    from aim.data import mapped, mapping_file
    from aim.data.scaffold import describe_set

    recorded = open_recorded(path)
    if recorded is not None:
        if mapping is None:
            raise UserError(describe_set(recorded))
        found = mapping_file.read_mapping(mapping) if isinstance(mapping, Path) else mapping
        return Source(mapped.read_recorded(recorded, found, only, without))
    path = find_dataset(path)
    if isinstance(mapping, Path) and (path / RECIPE_FILE).is_file():
        raise UserError(f"--mapping is for LeRobot sets; {path} is a dataset of the simulator and needs none")
    return select_episodes(of(open_dataset(path)), only, without)


def open_recorded(path: Path) -> RecordedSet | None:
    """Recorded set in a folder, or under the name of a dataset of the hub; None where it is of no such format."""
    from aim.data.formats.lerobot import LeRobotSet
    from aim.data.formats.lerobot_layout import is_lerobot_set

    path = find_dataset(path)
    return LeRobotSet(path) if is_lerobot_set(path) else None


def open_sources(
    paths: Sequence[Path],
    mapping: RobotMapping | Path | None = None,
    only: Sequence[int] = (),
    without: Sequence[int] = (),
) -> Source:
    """Source of the datasets at `paths`, read as one; `UserError` where they do not match: `aim.data.joined`."""
    if len(paths) == 1:
        return open_source(paths[0], mapping, only, without)
    if not paths:
        raise UserError("give --data, a folder of a dataset, or several")
    if only or without:
        raise UserError("--episodes and --without count the episodes of one folder; give them with one --data")
    return Source(JoinedReader([open_source(path, mapping).reader for path in paths]))


def find_dataset(path: Path) -> Path:
    """Folder of a dataset: `path`, the snapshot in a cache of the Hugging Face hub, or the download of a hub's name.

    `UserError` with the command that downloads it where `path` is the name of a dataset of the hub.
    """
    from aim.data.formats.lerobot_layout import find_downloaded_set, find_hub_snapshot

    if path.exists():
        return find_hub_snapshot(path)
    name = path.as_posix()
    if not HUB_NAME.fullmatch(name):
        return path
    found = find_downloaded_set(name)
    if found is None and not path.parent.is_dir():
        said = f"hf download {name} --repo-type dataset --local-dir {path.name}"
        raise UserError(f"no dataset at {path}; if it is one of the Hugging Face hub, download it: {said}")
    return found or path


def select_episodes(source: Source, only: Sequence[int], without: Sequence[int]) -> Source:
    """Source of the episodes numbered `only`, all if none, less those in `without`; `UserError` where there is none."""
    count = len(source.episodes)
    for number in (*only, *without):
        if not 0 <= number < count:
            raise UserError(f"{source.path} has no episode {number}; it has 0 to {count - 1}")
    chosen = sorted((set(only) or set(range(count))) - set(without))
    if count and not chosen:
        raise UserError(f"{source.path}: no episode is left to read")
    return Source(source.reader, [source.episodes[i] for i in chosen])
