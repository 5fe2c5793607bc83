"""A recorded set as its format has it: rows and frames at its own rate, in its own units, under its own names.

`aim.data.mapped.MappedReader` makes an `EpisodeReader` of it and a mapping, so that a format need not know of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.types import UserError

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class VectorFeature:
    """A feature of numbers: its width, and the names of its channels where the set names each of them."""

    width: int
    names: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What a mapping may call the channels."""
        return self.names or tuple(str(i) for i in range(self.width))


@dataclass(frozen=True)
class EpisodeRows:
    """Numbers of one episode: features (frames d), times (frames,) in seconds, tasks in words, and what is odd."""

    values: Mapping[str, Rows]
    timestamps: Rows | None
    tasks: tuple[str, ...]
    notes: tuple[str, ...] = ()


class RecordedSet(Protocol):
    """A set open for reading; one thread at a time may read it."""

    path: Path
    fps: float
    robot: str

    @property
    def cameras(self) -> tuple[str, ...]:
        """Features that are pictures."""
        ...

    @property
    def vectors(self) -> Mapping[str, VectorFeature]:
        """Features that are numbers of a robot."""
        ...

    @property
    def episodes(self) -> Mapping[int, int]:
        """Length in frames of each episode, by its number, in rising order."""
        ...

    def check_files(self, episode: int, cameras: Sequence[str]) -> list[str]:
        """Notes on how an episode's files differ from what the set says; `UserError` where they cannot be used."""
        ...

    def read_rows(
        self, episodes: Sequence[int], features: Sequence[str]
    ) -> Iterator[tuple[int, EpisodeRows | UserError]]:
        """Rows of episodes in rising order, or what is wrong with those of one."""
        ...

    def read_frames(self, episode: int, camera: str, frames: Sequence[int]) -> NDArray[np.uint8]:
        """Pictures (k h w 3) of one camera by their frame numbers in the episode."""
        ...

    def identify_frames(self, episode: int, camera: str) -> str:
        """A text that changes with the pictures of an episode, wherever the files lie and whenever they were copied."""
        ...

    def close(self) -> None:
        """Close all files; reading opens them again."""
        ...


def describe_numbers(numbers: Sequence[int]) -> str:
    """Numbers in rising order as text, runs as FIRST-LAST."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def find_channels(vectors: Mapping[str, VectorFeature], features: Sequence[str], channels: Sequence[str]) -> list[int]:
    """Places of named channels in the vector that `features` make one behind another.

    A channel is a name, FEATURE:NAME, or its number in that vector. `UserError` naming what there is where a feature or
    a channel is missing, and the numbers where a name is that of several channels.
    """
    for feature in features:
        if feature not in vectors:
            raise UserError(f"no feature {feature!r}; it has {', '.join(vectors) or 'none'}")
    named = [(feature, name) for feature in features for name in _padded_names(vectors[feature])]
    return [_find_channel(named, features, channel) for channel in channels]


def _padded_names(feature: VectorFeature) -> Sequence[str]:
    return feature.names or [""] * feature.width


def _find_channel(named: Sequence[tuple[str, str]], features: Sequence[str], channel: str) -> int:
    where = " and ".join(features)
    owner, _, inner = channel.rpartition(":")
    for wanted in (lambda there: there[1] == channel, lambda there: there == (owner, inner)):
        places = [place for place, there in enumerate(named) if wanted(there)]
        if len(places) > 1:
            numbers = ", ".join(map(str, places))
            raise UserError(f"{channel!r} is the name of channels {numbers} of {where}; name them by their numbers")
        if places:
            return places[0]
    starts = [place for place, (feature, _) in enumerate(named) if feature == owner]
    number = int(inner) + starts[0] if inner.isdecimal() and starts else int(channel) if channel.isdecimal() else -1
    if not 0 <= number < len(named) or (starts and number not in starts):
        there = ", ".join(name or str(place) for place, (_, name) in enumerate(named))
        raise UserError(f"{where} has no {channel}; it has {there}")
    return number
