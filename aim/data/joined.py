"""Several datasets of one robot read as one: an `EpisodeReader` over the readers of each.

They must have the same robot, cameras, size of pictures and channels, and be read by the same mapping; episodes that
two of them share are refused. Bounds and speeds of the channels are the widest of all; of several rates none is kept.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aim.data.action_space import ActionSpace, describe_channels
from aim.data.reader import DatasetInfo, EpisodeReader, Motion, Ref
from sim.types import UserError


class JoinedReader:
    """Several readers as one, their episodes one behind another."""

    def __init__(self, readers: Sequence[EpisodeReader]) -> None:
        """Join readers; `UserError` with the first thing in which one does not match the first."""
        self.readers = tuple(readers)
        for reader in self.readers[1:]:
            _check_match(self.readers[0].info, reader.info)
        self._places = [(reader, ref) for reader in self.readers for ref in reader.episodes]
        self.episodes = tuple(
            Ref(index, f"{reader.info.path}: {ref.name}", ref.pictures, ref.identity)
            for index, (reader, ref) in enumerate(self._places)
        )
        self._check_shared()
        infos = [reader.info for reader in self.readers]
        self.info = dataclasses.replace(
            infos[0],
            state=_join_spaces([info.state for info in infos]),
            action=_join_spaces([info.action for info in infos]),
            recorded_hz=infos[0].recorded_hz if len({info.recorded_hz for info in infos}) == 1 else None,
        )

    def locate(self, ref: Ref) -> tuple[EpisodeReader, Ref]:
        """Reader that an episode is in, and what it is there."""
        return self._places[ref.index]

    def motion(self, ref: Ref) -> Motion:
        """Numbers of an episode; `UserError` where they are not finite."""
        reader, there = self.locate(ref)
        return reader.motion(there)

    def frames(self, ref: Ref, camera: str, pictures: Sequence[int]) -> NDArray[np.uint8]:
        """Pictures (k h w 3) of one camera."""
        reader, there = self.locate(ref)
        return reader.frames(there, camera, pictures)

    def maps(self, ref: Ref, camera: str, pictures: Sequence[int]) -> NDArray[np.uint8] | None:
        """Value maps (k h w 3) of one camera, None where there are none."""
        reader, there = self.locate(ref)
        return reader.maps(there, camera, pictures)

    def close(self) -> None:
        """Close all files; reading opens them again."""
        for reader in self.readers:
            reader.close()

    def _check_shared(self) -> None:
        """Raise `UserError` where one episode would be learned from twice."""
        counts = Counter(ref.identity for ref in self.episodes)
        shared = [ref.name for ref in self.episodes if counts[ref.identity] > 1]
        if shared:
            raise UserError(
                f"{len(shared) // 2} episodes are in two of the --data folders, as {shared[0]}; give each once"
            )


def _check_match(first: DatasetInfo, other: DatasetInfo) -> None:
    """Raise `UserError` with the first thing in which two datasets differ."""
    pairs = {
        "robot": (first.robot, other.robot),
        "cameras": (", ".join(first.cameras), ", ".join(other.cameras)),
        "size of pictures": tuple("x".join(map(str, info.size)) for info in (first, other)),
        "joints and grippers": (describe_channels(first.action), describe_channels(other.action)),
        "measured channels": (describe_channels(first.state), describe_channels(other.state)),
        "value maps": (first.has_maps, other.has_maps),
        "depth": (first.has_depth, other.has_depth),
    }
    for what, (ours, theirs) in pairs.items():
        if ours != theirs:
            said = f"{first.path} has {ours}, {other.path} {theirs}"
            raise UserError(f"--data folders that are learned from together must have the same {what}: {said}")
    if first.mapping != other.mapping:
        raise UserError(f"{first.path} and {other.path} are read by other mappings; give one --mapping for both")


def _join_spaces(spaces: Sequence[ActionSpace]) -> ActionSpace:
    """Space of the same channels with the widest bounds and the highest speeds."""
    return dataclasses.replace(
        spaces[0],
        low=tuple(min(values) for values in zip(*(space.low for space in spaces), strict=True)),
        high=tuple(max(values) for values in zip(*(space.high for space in spaces), strict=True)),
        max_speed=tuple(max(values) for values in zip(*(space.max_speed for space in spaces), strict=True)),
    )
