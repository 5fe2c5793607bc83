"""Videos: panels side by side with captions, value maps as heat over grey, written as animated WebP or as MP4.

WebP because every browser plays it in a plain `<img>`, it loops by itself, and it fits in one page as
base64; MP4, on request, for slides and players. Pictures are uint8 RGB (t h w 3) throughout; OpenCV's blue-first
order stays inside the functions that read and write files.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.types import IMAGE_HZ, UserError

Frames = NDArray[np.uint8]  # (t h w 3)
Colour = tuple[int, int, int]

MAP_CHANNELS = ("pick", "place", "other")
MAP_CHANNEL_COLOURS: tuple[Colour, ...] = ((46, 204, 113), (74, 144, 255), (240, 84, 72))
PANEL_CAPTION_PX = 26  # pixels of caption above a panel
FOOTER_ROW_PX, FOOTER_FONT_PX = 15, 12  # pixels of a row of text under a film, and of its letters
PANEL_GAP_PX = 6  # pixels between panels
TEXT_COLOUR, BACKGROUND_COLOUR = (222, 226, 230), (24, 27, 31)
STILL_S = 1.0  # seconds that a film of one frame is shown
H264_CRF = "18"  # constant rate factor: no loss that an eye sees


@dataclass(frozen=True)
class Panel:
    """One column of a video: caption and frames; `legend` adds the map's channels, named in colour."""

    caption: str
    frames: Frames
    legend: bool = False


def overlay_maps(pictures: Frames, maps: Frames) -> Frames:
    """Pictures in dim grey under the maps' heat, one colour for each channel; maps are resized to fit."""
    import cv2

    assert len(pictures) == len(maps), (pictures.shape, maps.shape)
    colours = np.asarray(MAP_CHANNEL_COLOURS, np.float32)
    out = np.empty_like(pictures)
    for i, (picture, values) in enumerate(zip(pictures, maps, strict=True)):
        height, width = picture.shape[:2]
        heat = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
        grey = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601 luma
        strength = heat.max(axis=2, keepdims=True)
        tint = heat @ colours / np.maximum(heat.sum(axis=2, keepdims=True), 1e-6)
        out[i] = (0.7 * grey[..., None] * (1 - strength) + tint * strength).round().astype(np.uint8)
    return out


def resize_frames(frames: Frames, height: int) -> Frames:
    """Frames scaled to `height`, aspect ratio kept: bicubic enlargement, area-averaged reduction."""
    import cv2

    if frames.shape[1] == height:
        return frames
    width = max(1, round(frames.shape[2] * height / frames.shape[1]))
    interpolation = cv2.INTER_CUBIC if height > frames.shape[1] else cv2.INTER_AREA
    return np.stack([cv2.resize(frame, (width, height), interpolation=interpolation) for frame in frames])


def tile_panels(panels: Sequence[Panel], height: int = 240) -> Frames:
    """Panels side by side (t H W 3), each under its caption; the shortest sets t."""
    count = min(len(panel.frames) for panel in panels)
    columns = [_add_caption(panel, resize_frames(panel.frames[:count], height)) for panel in panels]
    gap = np.full((count, height + PANEL_CAPTION_PX, PANEL_GAP_PX, 3), BACKGROUND_COLOUR, np.uint8)
    parts = [part for column in columns for part in (gap, column)]
    return np.concatenate(parts[1:], axis=2)


def annotate_episode_video(pictures: Mapping[str, Frames], maps: Mapping[str, Frames], height: int = 240) -> Frames:
    """Video of an episode: the first camera, then every camera under its value map."""
    first = next(iter(pictures))
    panels = [Panel(first, pictures[first])]
    for i, name in enumerate(pictures):
        panels.append(Panel(f"{name}, value map", overlay_maps(pictures[name], maps[name]), legend=i == 0))
    return tile_panels(panels, height)


def outline_frames(frames: Frames, colour: Colour, thickness: int = 3) -> Frames:
    """Copy of the frames with a border of `colour` inside their edges."""
    out = frames.copy()
    for edge in (np.s_[:, :thickness], np.s_[:, -thickness:], np.s_[:, :, :thickness], np.s_[:, :, -thickness:]):
        out[edge] = colour
    return out


def add_footer(frames: Frames, lines: Sequence[str], count: int) -> Frames:
    """Frames with a strip below, in which the last `count` frames show lines of text; unchanged without any.

    Lines that are wider than the picture are wrapped; the strip is as high as that takes.
    """
    import cv2

    width, font = frames.shape[2], cv2.FontFace("sans")

    def text_width(text: str) -> int:
        box = cv2.getTextSize((width, PANEL_CAPTION_PX), text, (0, 0), font, FOOTER_FONT_PX, 400)
        return int(box[0] + box[2])

    rows = [row for line in lines for row in _wrap_text(line, width - 8, text_width)]
    if not rows:
        return frames
    strip = np.full((len(frames), FOOTER_ROW_PX * len(rows) + 6, width, 3), BACKGROUND_COLOUR, np.uint8)
    for i, row in enumerate(rows):
        cv2.putText(strip[-1], row, (4, FOOTER_ROW_PX * (i + 1) - 3), TEXT_COLOUR, font, FOOTER_FONT_PX, 400)
    strip[-count:] = strip[-1]
    return np.concatenate([frames, strip], axis=1)


def _wrap_text(text: str, width: int, text_width: Callable[[str], int]) -> list[str]:
    """Rows of a text wrapped between words to at most `width`, as far as words allow."""
    rows: list[str] = []
    for word in text.split():
        longer = f"{rows[-1]} {word}" if rows else word
        if rows and text_width(longer) <= width:
            rows[-1] = longer
        else:
            rows.append(word)
    return rows


def encode_webp(frames: Frames, hz: float = IMAGE_HZ, hold_s: float = 1.0, quality: int = 75) -> bytes:
    """Endlessly looping animated WebP; the last frame is held `hold_s` seconds longer."""
    import cv2

    assert frames.dtype == np.uint8 and frames.ndim == 4 and len(frames) > 0, (frames.dtype, frames.shape)
    animation = cv2.Animation()
    animation.frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in frames]
    period_ms = round(1000 / hz)
    animation.durations = [period_ms] * (len(frames) - 1) + [period_ms + round(1000 * hold_s)]
    animation.loop_count = 0
    ok, data = cv2.imencodeanimation(".webp", animation, [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert ok, "OpenCV could not encode the film"
    return data.tobytes()


def write_webp(path: Path, frames: Frames, hz: float = IMAGE_HZ, hold_s: float = 1.0, quality: int = 75) -> None:
    """Write the frames to `path` atomically as an animated WebP."""
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(encode_webp(frames, hz, hold_s, quality))
    part.replace(path)


def write_mp4(path: Path, frames: Frames, hz: float = IMAGE_HZ, hold_s: float = 1.0) -> None:
    """Write the frames to `path` atomically as MP4, the last one repeated for `hold_s` seconds.

    H.264 where PyAV is installed; else MPEG-4 Part 2 by OpenCV, which browsers do not play. Sides are made even.
    """
    height, width = frames.shape[1:3]
    even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    held = np.concatenate([even, np.repeat(even[-1:], round(hold_s * hz), axis=0)])
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part.mp4")  # encoders tell the container by the ending
    encode = _encode_mpeg4 if importlib.util.find_spec("av") is None else _encode_h264
    encode(part, held, hz)
    part.replace(path)


def read_webp(path: Path, hz: float = IMAGE_HZ) -> Frames:
    """Frames of an animated WebP at `hz`; `UserError` if it cannot be read.

    A WebP holds equal frames as one that is shown for longer; of frames that are all equal it is a still, which has
    lost its length and becomes a second.
    """
    import cv2

    ok, animation = cv2.imreadanimation(str(path))
    if not ok:
        raise UserError(f"{path} is no film that can be read")
    stored = np.stack([np.asarray(frame, np.uint8)[..., 2::-1] for frame in animation.frames])
    durations_ms = np.array(animation.durations if len(stored) > 1 else [STILL_S * 1000], float)
    counts = np.ceil(durations_ms * hz / 1000 - 0.5).astype(np.int64)  # half a frame is left out, as by `write_mp4`
    return np.repeat(stored, np.maximum(counts, 1), axis=0)


def copy_as_mp4(path: Path, hz: float = IMAGE_HZ) -> Path:
    """Write the animated WebP of frames at `hz` again as an MP4 beside it, and return the path of that."""
    target = path.with_suffix(".mp4")
    write_mp4(target, read_webp(path, hz), hz, hold_s=0.0)
    return target


def stack_films(films: Mapping[str, Frames]) -> Frames:
    """Films one above another, each under its name; those that end earlier hold their last frame."""
    count, width = max(map(len, films.values())), max(frames.shape[2] for frames in films.values())
    rows = []
    for name, frames in films.items():
        held = np.concatenate([frames, np.repeat(frames[-1:], count - len(frames), axis=0)])
        wide = np.full((*held.shape[:2], width, 3), BACKGROUND_COLOUR, np.uint8)
        wide[:, :, : held.shape[2]] = held
        rows.append(_add_caption(Panel(name, wide), wide))
    return np.concatenate(rows, axis=1)


def _encode_h264(path: Path, frames: Frames, hz: float) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(hz).limit_denominator(1000), options={"crf": H264_CRF})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode(None))


def _encode_mpeg4(path: Path, frames: Frames, hz: float) -> None:
    import cv2

    size = (frames.shape[2], frames.shape[1])
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), hz, size)
    if not writer.isOpened():
        raise UserError("this OpenCV writes no MP4; mend with: pip install av")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()


def _add_caption(panel: Panel, frames: Frames) -> Frames:
    """Frames under a strip with the caption."""
    count, _, width, _ = frames.shape
    strip = np.broadcast_to(_render_caption(panel, width), (count, PANEL_CAPTION_PX, width, 3))
    return np.concatenate([strip, frames], axis=1)


def _render_caption(panel: Panel, width: int) -> NDArray[np.uint8]:
    """Caption strip (PANEL_CAPTION_PX width 3)."""
    import cv2

    strip = np.full((PANEL_CAPTION_PX, width, 3), BACKGROUND_COLOUR, np.uint8)
    words = [(panel.caption, TEXT_COLOUR)]
    if panel.legend:
        words += zip(MAP_CHANNELS, MAP_CHANNEL_COLOURS, strict=True)
    font, left = cv2.FontFace("sans"), 4
    for word, colour in words:
        (right, _), _ = cv2.putText(strip, word, (left, PANEL_CAPTION_PX - 9), colour, font, 13, 400)
        left = right + 9
    return strip
