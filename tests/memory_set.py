"""A recorded set in memory: rows and words as they are given, pictures that are black."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aim.data.mapping import RobotMapping
from aim.data.mapping_file import parse_mapping
from aim.data.recorded import EpisodeRows, VectorFeature
from sim.types import UserError

STATE, ACTION, TOP = "state", "action", "top"


@dataclass
class MemorySet:
    """Episodes of (states, actions), each (frames d), as an `aim.data.recorded.RecordedSet`."""

    rows: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
    state_names: Sequence[str]
    action_names: Sequence[str]
    fps: float = 25.0
    robot: str = "arm"
    path: Path = Path("set")
    cameras: tuple[str, ...] = (TOP,)
    file_notes: int = 0  # so many episodes have one on their files
    tasks: tuple[str, ...] = ("do it",)
    times_read: int = 0  # how often rows were asked for

    @property
    def vectors(self) -> dict[str, VectorFeature]:
        """State and action."""
        named = ((STATE, self.state_names), (ACTION, self.action_names))
        return {feature: VectorFeature(len(names), tuple(names)) for feature, names in named}

    @property
    def episodes(self) -> dict[int, int]:
        """Length of each episode."""
        return {number: len(state) for number, (state, _) in enumerate(self.rows)}

    def check_files(self, episode: int, cameras: Sequence[str]) -> list[str]:
        """Notes of the first episodes."""
        return [f"file {episode} is odd"] if episode < self.file_notes else []

    def read_rows(
        self, episodes: Sequence[int], features: Sequence[str]
    ) -> Iterator[tuple[int, EpisodeRows | UserError]]:
        """Rows of episodes."""
        self.times_read += 1
        for episode in episodes:
            found = dict(zip((STATE, ACTION), self.rows[episode], strict=True))
            yield episode, EpisodeRows({name: found[name] for name in features}, None, self.tasks)

    def read_frames(self, episode: int, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Black pictures."""
        return np.zeros((len(frames), 32, 32, 3), np.uint8)

    def identify_frames(self, episode: int, camera: str) -> str:
        """Number of the episode."""
        return str(episode)

    def close(self) -> None:
        """Nothing is open."""


def map_joints(names: Sequence[str], **joints: object) -> RobotMapping:
    """Mapping of joints in radians; `joints` is more of the table [joints]."""
    table = {"state": STATE, "action": ACTION, "names": list(names), "units": "radians"} | joints
    return parse_mapping({"robot": "arm", "cameras": {"head": TOP}, "joints": table}, "memory")
