"""What a training needs of a dataset, whoever recorded it: our simulator (`aim.data.store`) or a robot (`lerobot`).

Whatever the source, control runs at 50 Hz and pictures at 12.5 Hz: picture i belongs to control step 4 i, joints are
in radians, grippers go from 0 closed to 1 open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from aim.config import View
from aim.data.mapping import OwnRobot
from aim.data.patch_points import compute_episode_points
from aim.data.store import Dataset, open_dataset
from aim.model.canvas import Grid, Shifts
from sim import robots
from sim.types import UserError


@dataclass(frozen=True)
class Ref:
    """An episode: its place in the source, its name in messages, and an identity that changes with all it holds."""

    index: int
    name: str
    pictures: int
    identity: str


@dataclass(frozen=True)
class Motion:
    """States before each action and the actions of an episode, both (steps d), and what it was told to do."""

    state: NDArray[np.float32]
    action: NDArray[np.float32]
    instruction: str


R = TypeVar("R", contravariant=True)


class Shown(Protocol[R]):
    """What has pictures of episodes, each named by an R."""

    def pictures(self, ref: R, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Return pictures (k h w 3) of one camera."""
        ...

    def maps(self, ref: R, camera: str, frames: Sequence[int]) -> NDArray[np.uint8] | None:
        """Return value maps (k h w 3: pick, place, other) of one camera, or none where there are none."""
        ...


class Source(Shown[Ref], Protocol):
    """A dataset to train on; one thread at a time may read it."""

    @property
    def path(self) -> Path:
        """Its folder."""
        ...

    @property
    def robot(self) -> str:
        """The name of the robot that acts in it."""
        ...

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of its cameras."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures, those of the first camera where they differ."""
        ...

    @property
    def relative(self) -> tuple[bool, ...]:
        """Which channels of state and action are joints, and so relative; the others are grippers."""
        ...

    @property
    def own(self) -> OwnRobot | None:
        """How the numbers of a recorded set became ours; none where they were ours from the start."""
        ...

    @property
    def has_maps(self) -> bool:
        """Whether value maps come with the pictures."""
        ...

    @property
    def episodes(self) -> tuple[Ref, ...]:
        """All episodes."""
        ...

    def motion(self, ref: Ref) -> Motion:
        """Return the numbers of an episode, (pictures - 1) 4 steps; `UserError` where they are not finite."""
        ...

    def points(self, ref: Ref, views: Sequence[View], grids: Sequence[Grid], shifts: Shifts) -> NDArray[np.float32]:
        """Return where the patches of all pictures lie (T n 4, `aim.data.patch_points`); `UserError` without depth."""
        ...


Data = Source | Dataset


class Simulated:
    """A dataset of our simulator as a source."""

    own = None
    has_maps = True

    def __init__(self, dataset: Dataset) -> None:
        """Hold the dataset."""
        self.dataset, self.path = dataset, dataset.path
        self.robot, self.cameras, self.size = dataset.recipe.robot, dataset.recipe.cameras, dataset.recipe.size
        refs = enumerate(dataset.episodes)
        self.episodes = tuple(Ref(i, f"{r.task} seed {r.seed}", r.pictures, r.sha256) for i, r in refs)

    @property
    def relative(self) -> tuple[bool, ...]:
        """Which channels are joints, as the robot's file says."""
        return tuple(not gripper for gripper in robots.load_robot(self.robot).is_gripper)

    def motion(self, ref: Ref) -> Motion:
        """Return the numbers of an episode; `UserError` where they are not finite."""
        there = self.dataset.episodes[ref.index]
        episode = self.dataset.load(there, ("state", "action"))
        for name, value in (("state", episode.state), ("action", episode.action)):
            if not np.isfinite(value).all():
                raise UserError(f"{self.path}: {name} of {ref.name} is not finite; make {there.shard} anew")
        return Motion(episode.state[:-1], episode.action, episode.instruction)

    def points(self, ref: Ref, views: Sequence[View], grids: Sequence[Grid], shifts: Shifts) -> NDArray[np.float32]:
        """Return where the patches of all pictures lie; `UserError` where depth was not kept."""
        return compute_episode_points(self.dataset, self.dataset.episodes[ref.index], views, grids, shifts)

    def pictures(self, ref: Ref, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Return pictures (k h w 3) of one camera."""
        return self.dataset.pictures(self.dataset.episodes[ref.index], camera, frames)

    def maps(self, ref: Ref, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Return value maps (k h w 3) of one camera."""
        return self.dataset.maps(self.dataset.episodes[ref.index], camera, frames)


def of(data: Data) -> Source:
    """Return a dataset as a source; a source is one already."""
    return Simulated(data) if isinstance(data, Dataset) else data


def open_source(path: Path, mapping: Path | None = None) -> Source:
    """Return the dataset at `path`; `UserError` where a mapping is missing, or given for a dataset of ours."""
    from aim.data import lerobot, lerobot_layout
    from aim.data import mapping as mappings

    if lerobot_layout.is_set(path):
        if mapping is None:
            raise UserError(lerobot.what_to_map(path))
        return lerobot.open_set(path, mappings.read(mapping))
    dataset = open_dataset(path)
    if mapping is not None:
        raise UserError(f"--mapping is for LeRobot sets; {path} is a dataset of the simulator and needs none")
    return Simulated(dataset)
