"""A recorded set read by a mapping: an `EpisodeReader` whose numbers are at our rate and in our units.

Position targets and states, grippers too, are interpolated linearly between the set's frames; displacements are
integrated, so that they add up to the same total. A picture is the set's newest frame at its time, never one of the
future. An episode's first frame is control step 0; what lies after the last whole picture is left out.

An episode that cannot be used stops the reading with one line that says how to leave it out. The identity of an episode
is taken of its numbers and of its pictures as they are encoded, not of the names or times of files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from aim.data.action_space import ActionSpace, ChannelKind, mark_deltas
from aim.data.clock import check_clock, print_clock_note
from aim.data.conversion import EpisodeNumbers, convert_rows
from aim.data.mapping import RobotMapping
from aim.data.motion_checks import check_motions
from aim.data.reader import DatasetInfo, Motion, Ref
from aim.data.recorded import RecordedSet, describe_numbers, find_channels
from aim.data.resample import count_pictures, find_frame, resample_actions, resample_positions
from aim.util import console
from sim.types import CONTROL_HZ, UserError

MAX_FILE_NOTES = 20  # that are printed of one set


class MappedReader:
    """A recorded set as an `EpisodeReader`."""

    def __init__(self, recorded: RecordedSet, mapping: RobotMapping, numbers: Sequence[EpisodeNumbers]) -> None:
        """Hold the numbers of all episodes; pictures are read when they are asked for."""
        self.recorded, self.mapping = recorded, mapping
        fps, self._delta = recorded.fps, mark_deltas(mapping.action_kinds)
        self._numbers = tuple(episode.number for episode in numbers)
        self._motions = tuple(
            Motion(resample_positions(each.state, fps), resample_actions(each.action, self._delta, fps),
                   each.instruction) for each in numbers
        )  # fmt: skip
        lengths = recorded.episodes
        self.episodes = tuple(
            Ref(i, f"episode {number}", count_pictures(lengths[number], fps), self._identify(number, move))
            for i, (number, move) in enumerate(zip(self._numbers, self._motions, strict=True))
        )
        self.info = DatasetInfo(
            path=recorded.path, robot=mapping.robot, cameras=tuple(mapping.cameras),
            size=self._find_size(), mapping=mapping, recorded_hz=fps,
            state=measure_space(mapping.state_channels, mapping.state_kinds, [move.state for move in self._motions],
                                mapping.wraps_state),
            action=measure_space(mapping.action_labels, mapping.action_kinds, [move.action for move in self._motions],
                                 mapping.wraps_action),
        )  # fmt: skip

    def motion(self, ref: Ref) -> Motion:
        """Numbers of an episode."""
        return self._motions[ref.index]

    def frames(self, ref: Ref, camera: str, pictures: Sequence[int]) -> NDArray[np.uint8]:
        """Pictures (k h w 3) of one camera, made to fit the mapping's ratio."""
        feature = self.mapping.cameras[camera].feature
        numbers = [find_frame(range(ref.pictures)[picture], self.recorded.fps) for picture in pictures]
        found = self.recorded.read_frames(self._numbers[ref.index], feature, numbers)
        return self.mapping.fit_images(camera, found)

    def maps(self, ref: Ref, camera: str, pictures: Sequence[int]) -> None:
        """None: a recorded set has no value maps."""
        return None

    def close(self) -> None:
        """Close all files; reading opens them again."""
        self.recorded.close()

    def _find_size(self) -> tuple[int, int]:
        height, width = self.frames(self.episodes[0], next(iter(self.mapping.cameras)), [0]).shape[1:3]
        return height, width

    def _identify(self, number: int, move: Motion) -> str:
        cameras = self.mapping.cameras.items()
        shown = [
            [name, there.fit, there.ratio, self.recorded.identify_frames(number, there.feature)]
            for name, there in cameras
        ]
        words = json.dumps([self.recorded.episodes[number], self.recorded.fps, move.instruction, shown])
        return hashlib.sha256(words.encode() + move.state.tobytes() + move.action.tobytes()).hexdigest()


def read_recorded(
    recorded: RecordedSet, mapping: RobotMapping, only: Iterable[int] = (), without: Iterable[int] = ()
) -> MappedReader:
    """Reader of a recorded set; `UserError` where mapping and set do not fit, or an episode cannot be used."""
    check_mapping(recorded, mapping)
    chosen = choose_episodes(recorded, mapping, only, without)
    problems: dict[int, UserError] = {}
    file_notes: list[str] = []
    cameras = [there.feature for there in mapping.cameras.values()]
    for number in chosen:
        try:
            file_notes += recorded.check_files(number, cameras)
        except UserError as error:
            problems[number] = error
    clocks: dict[int, float] = {}
    several, odd = 0, []
    numbers: list[EpisodeNumbers] = []
    features = tuple(dict.fromkeys((*mapping.state, *mapping.action)))
    for number, rows in recorded.read_rows([number for number in chosen if number not in problems], features):
        try:
            if isinstance(rows, UserError):
                raise rows
            clocks[number] = check_clock(recorded, mapping, number, rows)
            numbers.append(convert_rows(recorded, mapping, number, rows))
            several += len(rows.tasks) > 1
            odd += rows.notes
        except UserError as error:
            problems[number] = error
    _raise_problems(problems, len(chosen))
    numbers.sort(key=lambda each: each.number)
    _check_ranges(recorded, mapping, numbers)
    print_clock_note(recorded, clocks)
    notes = file_notes[:MAX_FILE_NOTES]
    if len(file_notes) > MAX_FILE_NOTES:
        notes.append(f"{len(file_notes) - MAX_FILE_NOTES} more such notes on files")
    if several:
        notes.append(f"of several tasks that an episode names the first is read; there are {several} such")
    if odd:
        notes.append(f"{odd[0]}; there are {len(odd)} such, and the rows are what is read")
    notes += check_motions(mapping, numbers, recorded.fps, recorded.path)
    for line in (*notes, *_describe_fit(recorded, mapping, numbers)):
        console.print_note(f"{recorded.path}: {line}")
    return MappedReader(recorded, mapping, numbers)


def check_mapping(recorded: RecordedSet, mapping: RobotMapping) -> None:
    """Raise `UserError` where the mapping names what the set does not have."""
    for name, there in mapping.cameras.items():
        if there.feature not in recorded.cameras:
            valid = ", ".join(recorded.cameras) or "none"
            raise UserError(f"{recorded.path}: no camera {there.feature!r} for {name!r}; it has {valid}")
    parts = [(mapping.state, mapping.state_channels), (mapping.action, mapping.action_channels)]
    for features, channels in parts:
        try:
            places = find_channels(recorded.vectors, features, channels)
        except UserError as error:
            raise UserError(f"{recorded.path}: {error}") from error
        twice = [name for i, name in enumerate(channels) if places[i] in places[:i]]
        if twice:
            raise UserError(f"{recorded.path}: {twice[0]!r} is a channel that the mapping has under another name too")


def choose_episodes(
    recorded: RecordedSet, mapping: RobotMapping, only: Iterable[int] = (), without: Iterable[int] = ()
) -> list[int]:
    """Numbers of the episodes to read, less those without frames; `UserError` where one is none of the set's.

    Where it is said which are read, `only`, the lists of the mapping do not count.
    """
    there, named = recorded.episodes, set(only)
    wanted = named or set(mapping.only) or set(there)
    left_out = {*without} if named else {*without, *mapping.without}
    for number in sorted(wanted | left_out):
        if number not in there:
            raise UserError(f"{recorded.path} has no episode {number}; it has {describe_numbers(list(there))}")
    empty = [number for number in sorted(wanted - left_out) if there[number] < 1]
    if empty:
        console.print_note(f"{recorded.path}: no frames in episodes {describe_numbers(empty)}; they are left out")
    chosen = [number for number in sorted(wanted - left_out) if there[number] > 0]
    if not chosen:
        raise UserError(f"{recorded.path}: no episode is left to read")
    return chosen


def measure_space(
    names: Sequence[str], kinds: Sequence[ChannelKind], parts: Sequence[NDArray[np.float32]], wraps: NDArray[np.bool_]
) -> ActionSpace:
    """Space of recorded vectors (steps d): bounds and speeds are those that were recorded.

    Angles that jump by a turn, where `wraps` (d,) says so, have no bounds: they are followed over any number of turns.
    """
    filled = [part for part in parts if len(part)]
    width = len(names)
    low = np.min([part.min(0) for part in filled], 0) if filled else np.full(width, -np.inf)
    high = np.max([part.max(0) for part in filled], 0) if filled else np.full(width, np.inf)
    turns = wraps & ~mark_deltas(kinds)
    steps = [np.abs(np.diff(part, axis=0)).max(0) for part in filled if len(part) > 1]
    speed = np.where(mark_deltas(kinds), np.maximum(-low, high), np.max(steps, 0) if steps else np.inf) * CONTROL_HZ
    low, high = np.where(turns, -np.inf, low), np.where(turns, np.inf, high)
    return ActionSpace(
        tuple(names), tuple(kinds), tuple(low.tolist()), tuple(high.tolist()), tuple(speed.tolist()), CONTROL_HZ
    )


def _raise_problems(problems: dict[int, UserError], count: int) -> None:
    """Raise `UserError` with the first problem, and how to leave out the episodes that have one, if others are left."""
    if problems:
        numbers = sorted(problems)
        first = problems[numbers[0]]
        if len(numbers) == count:
            raise first
        said = f"--without {describe_numbers(numbers)} leaves out what cannot be read"
        raise UserError(f"{first}; {said} ({len(numbers)} of {count} episodes)") from first


def _check_ranges(recorded: RecordedSet, mapping: RobotMapping, numbers: Sequence[EpisodeNumbers]) -> None:
    for part in ("state", "action"):
        rows = [vars(each)[part] for each in numbers]
        low, high = (np.stack([bound(part, axis=0) for part in rows]) for bound in (np.min, np.max))
        wrong = mapping.find_range_error(part, low.min(0), high.max(0))
        if wrong:
            raise UserError(f"{recorded.path}: {wrong}; mend the mapping")


def _describe_fit(recorded: RecordedSet, mapping: RobotMapping, numbers: Sequence[EpisodeNumbers]) -> list[str]:
    """Lines on what is read otherwise than one may expect."""
    lines = []
    for name, there in mapping.cameras.items():
        height, width = recorded.read_frames(numbers[0].number, there.feature, [0]).shape[1:3]
        if abs(width / height / there.ratio - 1.0) > 1 / min(height, width):
            done = {"letterbox": "letterboxed", "crop": "cropped at the centre", "squeeze": "squeezed"}[there.fit]
            lines.append(f"{name} of {height} x {width} is {done} to the ratio {there.ratio:g}")
    return lines
