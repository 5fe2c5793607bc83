"""Films: pictures side by side with captions, value maps as heat over grey, written as animated WebP.

WebP because every browser plays it in a plain `<img>`, it loops by itself, and it fits in one page as
base64. Pictures are uint8 RGB (t h w 3) throughout; OpenCV's blue-first order stays inside `write`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.types import IMAGE_HZ

Frames = NDArray[np.uint8]  # (t h w 3)
Colour = tuple[int, int, int]

CHANNELS = ("pick", "place", "other")
CHANNEL_COLOURS: tuple[Colour, ...] = ((46, 204, 113), (74, 144, 255), (240, 84, 72))
STRIP = 26  # pixels of caption above a panel
FOOTER_ROW, FOOTER_PX = 15, 12  # pixels of a row of text under a film, and of its letters
GAP = 6  # pixels between panels
INK, PAPER = (222, 226, 230), (24, 27, 31)


@dataclass(frozen=True)
class Panel:
    """One column of a film: a caption and its frames; `legend` adds the map's channels, named in colour."""

    caption: str
    frames: Frames
    legend: bool = False


def overlay(pictures: Frames, maps: Frames) -> Frames:
    """Return the pictures in dim grey under the maps' heat, one colour a channel; maps are stretched to fit."""
    import cv2

    assert len(pictures) == len(maps), (pictures.shape, maps.shape)
    colours = np.asarray(CHANNEL_COLOURS, np.float32)
    out = np.empty_like(pictures)
    for i, (picture, values) in enumerate(zip(pictures, maps, strict=True)):
        height, width = picture.shape[:2]
        heat = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
        grey = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601 luma
        strength = heat.max(axis=2, keepdims=True)
        tint = heat @ colours / np.maximum(heat.sum(axis=2, keepdims=True), 1e-6)
        out[i] = (0.7 * grey[..., None] * (1 - strength) + tint * strength).round().astype(np.uint8)
    return out


def resize(frames: Frames, height: int) -> Frames:
    """Return the frames scaled to `height`, shape kept; enlarged pixels stay soft, shrunken ones are averaged."""
    import cv2

    if frames.shape[1] == height:
        return frames
    width = max(1, round(frames.shape[2] * height / frames.shape[1]))
    how = cv2.INTER_CUBIC if height > frames.shape[1] else cv2.INTER_AREA
    return np.stack([cv2.resize(frame, (width, height), interpolation=how) for frame in frames])


def tile(panels: Sequence[Panel], height: int = 240) -> Frames:
    """Return one film (t H W 3) of the panels side by side, each under its caption; the shortest sets t."""
    count = min(len(panel.frames) for panel in panels)
    columns = [_captioned(panel, resize(panel.frames[:count], height)) for panel in panels]
    gap = np.full((count, height + STRIP, GAP, 3), PAPER, np.uint8)
    parts = [part for column in columns for part in (gap, column)]
    return np.concatenate(parts[1:], axis=2)


def annotated(pictures: Mapping[str, Frames], maps: Mapping[str, Frames], height: int = 240) -> Frames:
    """Return the film of an episode: the first camera as it saw, then every camera under its value map."""
    first = next(iter(pictures))
    panels = [Panel(first, pictures[first])]
    for i, name in enumerate(pictures):
        panels.append(Panel(f"{name}, value map", overlay(pictures[name], maps[name]), legend=i == 0))
    return tile(panels, height)


def outline(frames: Frames, colour: Colour, thickness: int = 3) -> Frames:
    """Return a copy of the frames with a border of `colour` drawn inside their edges."""
    out = frames.copy()
    for edge in (np.s_[:, :thickness], np.s_[:, -thickness:], np.s_[:, :, :thickness], np.s_[:, :, -thickness:]):
        out[edge] = colour
    return out


def add_footer(frames: Frames, lines: Sequence[str], count: int) -> Frames:
    """Return the frames with a strip below them in which the last `count` frames show lines of text; without any, none.

    Lines that are wider than the picture are wrapped; the strip is as high as that takes.
    """
    import cv2

    width, font = frames.shape[2], cv2.FontFace("sans")

    def text_width(text: str) -> int:
        box = cv2.getTextSize((width, STRIP), text, (0, 0), font, FOOTER_PX, 400)
        return int(box[0] + box[2])

    rows = [row for line in lines for row in _wrap(line, width - 8, text_width)]
    if not rows:
        return frames
    strip = np.full((len(frames), FOOTER_ROW * len(rows) + 6, width, 3), PAPER, np.uint8)
    for i, row in enumerate(rows):
        cv2.putText(strip[-1], row, (4, FOOTER_ROW * (i + 1) - 3), INK, font, FOOTER_PX, 400)
    strip[-count:] = strip[-1]
    return np.concatenate([frames, strip], axis=1)


def _wrap(text: str, width: int, text_width: Callable[[str], int]) -> list[str]:
    """Return the rows of a text broken between words so that each is at most `width` wide, as far as words allow."""
    rows: list[str] = []
    for word in text.split():
        longer = f"{rows[-1]} {word}" if rows else word
        if rows and text_width(longer) <= width:
            rows[-1] = longer
        else:
            rows.append(word)
    return rows


def encode(frames: Frames, hz: float = IMAGE_HZ, hold_s: float = 1.0, quality: int = 75) -> bytes:
    """Return an endlessly looping animated WebP; the last picture stays `hold_s` seconds longer."""
    import cv2

    assert frames.dtype == np.uint8 and frames.ndim == 4 and len(frames) > 0, (frames.dtype, frames.shape)
    film = cv2.Animation()
    film.frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in frames]
    period_ms = round(1000 / hz)
    film.durations = [period_ms] * (len(frames) - 1) + [period_ms + round(1000 * hold_s)]
    film.loop_count = 0
    ok, data = cv2.imencodeanimation(".webp", film, [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert ok, "OpenCV could not encode the film"
    return data.tobytes()


def write(path: Path, frames: Frames, hz: float = IMAGE_HZ, hold_s: float = 1.0, quality: int = 75) -> None:
    """Write the frames to `path` as an animated WebP; the file appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(encode(frames, hz, hold_s, quality))
    part.replace(path)


def _captioned(panel: Panel, frames: Frames) -> Frames:
    """Return the frames under a strip with the caption."""
    count, _, width, _ = frames.shape
    strip = np.broadcast_to(_strip(panel, width), (count, STRIP, width, 3))
    return np.concatenate([strip, frames], axis=1)


def _strip(panel: Panel, width: int) -> NDArray[np.uint8]:
    """Return the caption's strip (STRIP width 3)."""
    import cv2

    strip = np.full((STRIP, width, 3), PAPER, np.uint8)
    words = [(panel.caption, INK)]
    if panel.legend:
        words += zip(CHANNELS, CHANNEL_COLOURS, strict=True)
    font, left = cv2.FontFace("sans"), 4
    for word, colour in words:
        (right, _), _ = cv2.putText(strip, word, (left, STRIP - 9), colour, font, 13, 400)
        left = right + 9
    return strip
