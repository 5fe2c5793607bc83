"""A video file, read exactly: frame k of a file at `fps` is the one shown k / fps after its first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.types import UserError

if TYPE_CHECKING:
    from av import VideoFrame

AHEAD = 64  # frames: what lies nearer is reached by decoding on, what lies further by going to a keyframe


class VideoReader:
    """An open video. It decodes onwards from where it stands and goes back to a keyframe only where it must."""

    def __init__(self, path: Path, fps: float) -> None:
        """Open a file; `UserError` where it is no video."""
        import av
        from av.error import FFmpegError

        self.path, self.fps = path, fps
        try:
            self.container = av.open(str(path))
            self.stream = self.container.streams.video[0]
        except (FFmpegError, OSError, IndexError) as error:
            raise UserError(f"{path} is no video that can be read: {error}") from error
        self.start = self.stream.start_time or 0
        self.coming: Iterator[VideoFrame] = self.container.decode(self.stream)
        self.shown: VideoFrame | None = None
        self.at = -1  # number of the frame shown

    @property
    def count(self) -> int:
        """How many frames the file says that it holds; 0 where it does not say."""
        return self.stream.frames

    def frames(self, numbers: Sequence[int]) -> NDArray[np.uint8]:
        """Return frames (k h w 3) by their numbers; `UserError` where one is not there or damaged."""
        from av.error import FFmpegError

        try:
            return np.stack([self._frame(number) for number in numbers])
        except FFmpegError as error:
            raise UserError(f"{self.path} is damaged after frame {self.at}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def _frame(self, number: int) -> NDArray[np.uint8]:
        near = self.at <= number <= self.at + AHEAD
        if not ((near and self._onwards(number)) or any(self._back(to, number) for to in (number, 0))):
            raise UserError(f"{self.path} has no frame {number} at {self.fps:g} frames a second")
        assert self.shown is not None
        return np.asarray(self.shown.to_ndarray(format="rgb24"), np.uint8)

    def _back(self, to: int, number: int) -> bool:
        """Go to the keyframe before frame `to`, then on to `number`, and tell whether it was found."""
        assert self.stream.time_base is not None
        self.container.seek(self.start + int(to / self.fps / self.stream.time_base), stream=self.stream)
        self.coming, self.shown, self.at = self.container.decode(self.stream), None, -1
        return self._onwards(number)

    def _onwards(self, number: int) -> bool:
        """Decode up to frame `number` and tell whether it was found."""
        while self.at < number:
            self.shown = next(self.coming, None)
            if self.shown is None:
                self.at = -1
                return False
            self.at = self._number(self.shown)
        return self.at == number

    def _number(self, frame: VideoFrame) -> int:
        if frame.pts is None or frame.time_base is None:
            raise UserError(f"{self.path} has frames without a time; write it anew as MP4")
        return round(float((frame.pts - self.start) * frame.time_base) * self.fps)
