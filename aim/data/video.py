"""A video file, read exactly. Frame k of a file is the one shown k / fps after its first, or the k-th of all.

Where a file holds one episode its frames are counted, so that no rate decides which is which; where several share one,
each begins at a time, and frames are found by time.
"""

from __future__ import annotations

import bisect
import hashlib
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.types import UserError

if TYPE_CHECKING:
    from av import VideoFrame

MP4_SUFFIXES = (".mp4", ".m4v", ".mov")
MAX_FORWARD_FRAMES = 64  # what lies nearer is reached by decoding on, what lies further by seeking to a keyframe


class VideoSummary(NamedTuple):
    """What a file says of its video: frames and frames a second, 0 where it does not say; the last frame's time."""

    frames: int
    fps: float
    last_s: float


def summarize_video(path: Path) -> VideoSummary:
    """Number of frames, rate and length of a video; `UserError` where it is none, or an MP4 file that was cut short."""
    if path.suffix.lower() in MP4_SUFFIXES and is_cut_short(path):
        raise UserError(f"{path} is cut short; download it anew")
    opened = VideoReader(path, 1.0)
    rate = opened.stream.average_rate
    found = VideoSummary(opened.stream.frames, float(rate) if rate else 0.0, opened.find_last_s())
    opened.close()
    return found


def is_cut_short(path: Path) -> bool:
    """Whether the last of the top-level boxes of an MP4 file ends after the file does."""
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            return False  # no MP4 file, as the decoder will say
        while place + 8 <= size:
            file.seek(place)
            length, _ = struct.unpack(">I4s", file.read(8))
            if length == 1 and place + 16 <= size:  # a 64-bit length follows
                (length,) = struct.unpack(">Q", file.read(8))
            if length < 8:  # 0: up to the end of the file
                return False
            place += length
    return place > size


class VideoReader:
    """An open video. It decodes onwards from where it stands and seeks to a keyframe only where it must."""

    def __init__(self, path: Path, fps: float | None) -> None:
        """Open a file whose frames are numbered by time at `fps`, or counted; `UserError` where it is no video."""
        import av
        from av.error import FFmpegError

        self.path, self.fps = path, fps
        try:
            self.container = av.open(str(path))
            self.stream = self.container.streams.video[0]
        except (FFmpegError, OSError, IndexError) as error:
            raise UserError(f"{path} is no video that can be read: {error}") from error
        self.start = self.stream.start_time or 0
        self.times = sorted(self._read_times(0)) if fps is None else []  # of counted frames
        self.decoded: Iterator[VideoFrame] = self.container.decode(self.stream)
        self.current: VideoFrame | None = None
        self.position = -1  # number of the current frame

    def frames(self, numbers: Sequence[int]) -> NDArray[np.uint8]:
        """Frames (k h w 3) by their numbers; `UserError` where one is not there or damaged."""
        from av.error import FFmpegError

        try:
            return np.stack([self._read_frame(number) for number in numbers])
        except FFmpegError as error:
            raise UserError(f"{self.path} is damaged after frame {self.position}: {error}") from error

    def find_last_s(self) -> float:
        """Seconds from the first frame to the last one."""
        assert self.stream.time_base is not None
        last = max(self._read_times(self.stream.duration or 0), default=self.start)
        return float((last - self.start) * self.stream.time_base)

    def digest_frames(self, numbers: Sequence[int]) -> str:
        """Digest of what frames are decoded from, each with all since its keyframe, whatever else the file holds."""
        sha = hashlib.sha256()
        for number in numbers:
            packets = self._read_packets(number, number) or self._read_packets(0, number)
            if not packets:
                raise self._report_missing(number)
            for packet in packets:
                sha.update(f"{len(packet)} ".encode() + packet)
        self._rewind(self.start)
        return sha.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def _read_packets(self, to: int, number: int) -> list[bytes]:
        """Packets from the last keyframe before frame `number` on, up to its own; none if it is not behind `to`."""
        self._rewind(self._find_time(to))
        packets: list[bytes] = []
        for packet in self.container.demux(self.stream):
            if packet.is_keyframe:
                packets.clear()
            packets.append(bytes(packet))
            if packet.size and self._find_number(packet.pts) == number:
                return packets
        return []

    def _read_times(self, begin: int) -> list[int]:
        """Times at which frames are shown, from the keyframe before `begin` on, without decoding them."""
        self.container.seek(self.start + begin, stream=self.stream)
        shown = [packet.pts for packet in self.container.demux(self.stream) if packet.size and not packet.is_discard]
        self.container.seek(self.start, stream=self.stream)
        return [self._demand_time(time) for time in shown]

    def _read_frame(self, number: int) -> NDArray[np.uint8]:
        near = self.position <= number <= self.position + MAX_FORWARD_FRAMES
        if not ((near and self._decode_to(number)) or any(self._seek(to, number) for to in (number, 0))):
            raise self._report_missing(number)
        assert self.current is not None
        return np.asarray(self.current.to_ndarray(format="rgb24"), np.uint8)

    def _seek(self, to: int, number: int) -> bool:
        """Go to the keyframe before frame `to`, then on to `number`; whether it was found."""
        self._rewind(self._find_time(to))
        return self._decode_to(number)

    def _rewind(self, time: int) -> None:
        """Stand at the keyframe before a time."""
        self.container.seek(time, stream=self.stream)
        self.decoded, self.current, self.position = self.container.decode(self.stream), None, -1

    def _find_time(self, number: int) -> int:
        if self.fps is None:
            return next(reversed(self.times[: number + 1]), self.start)
        assert self.stream.time_base is not None
        return self.start + int(number / self.fps / self.stream.time_base)

    def _decode_to(self, number: int) -> bool:
        """Decode up to frame `number`; whether it was found."""
        while self.position < number:
            self.current = next(self.decoded, None)
            if self.current is None:
                self.position = -1
                return False
            self.position = self._find_number(self.current.pts)
        return self.position == number

    def _find_number(self, shown: int | None) -> int:
        time = self._demand_time(shown)
        if self.fps is None:
            return bisect.bisect_left(self.times, time)
        assert self.stream.time_base is not None
        return round(float((time - self.start) * self.stream.time_base) * self.fps)

    def _demand_time(self, time: int | None) -> int:
        if time is None:
            raise UserError(f"{self.path} has frames without a time; write it anew as MP4")
        return time

    def _report_missing(self, number: int) -> UserError:
        there = f"; it has {len(self.times)}" if self.fps is None else f" at {self.fps:g} frames a second"
        return UserError(f"{self.path} has no frame {number}{there}")
