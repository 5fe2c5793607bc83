"""Videos: overlay, tiling and the WebP that comes back from disk."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from aim.viz import videos


@pytest.fixture
def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)


def test_an_empty_map_leaves_a_grey_picture(pictures: NDArray[np.uint8]) -> None:
    out = videos.overlay_maps(pictures, np.zeros_like(pictures))
    assert (out == out[..., :1]).all()
    grey = np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures])
    assert np.abs(out[..., 0] - 0.7 * grey).max() <= 1.5


@pytest.mark.parametrize("channel", range(3))
def test_a_full_map_paints_its_channel_colour(pictures: NDArray[np.uint8], channel: int) -> None:
    maps = np.zeros((3, 8, 12, 3), np.uint8)
    maps[..., channel] = 255
    assert (videos.overlay_maps(pictures, maps) == videos.MAP_CHANNEL_COLOURS[channel]).all()


def test_heat_stands_where_the_map_says(pictures: NDArray[np.uint8]) -> None:
    maps = np.zeros_like(pictures)
    maps[:, 5:9, 30:34, 0] = 255
    out = videos.overlay_maps(pictures, maps)
    painted = (out == videos.MAP_CHANNEL_COLOURS[0]).all(axis=3)
    assert painted[:, 5:9, 30:34].all() and painted.sum() == 3 * 16


def test_tiles_keep_every_panel_whole_and_stop_with_the_shortest(pictures: NDArray[np.uint8]) -> None:
    out = videos.tile_panels(
        [videos.Panel("real", pictures), videos.Panel("predicted", pictures[:2], legend=True)], height=32
    )
    assert out.shape == (2, 32 + videos.PANEL_CAPTION_PX, 48 + videos.PANEL_GAP_PX + 48, 3)
    assert (out[:, videos.PANEL_CAPTION_PX :, :48] == pictures[:2]).all()
    assert (out[:, videos.PANEL_CAPTION_PX :, -48:] == pictures[:2]).all()
    assert (out[:, : videos.PANEL_CAPTION_PX, :48] != videos.BACKGROUND_COLOUR).any(), "the caption is missing"


def test_stacked_films_hold_the_last_frame_of_those_that_end_earlier(pictures: NDArray[np.uint8]) -> None:
    out = videos.stack_films({"before": pictures[:2, :, :40], "after": pictures})
    top, strip = videos.PANEL_CAPTION_PX + 32, videos.PANEL_CAPTION_PX
    assert out.shape == (3, 2 * top, 48, 3)
    assert (out[:2, strip:top, :40] == pictures[:2, :, :40]).all() and (
        out[2, strip:top, :40] == out[1, strip:top, :40]
    ).all()
    assert (out[:, strip:top, 40:] == videos.BACKGROUND_COLOUR).all()
    assert (out[:, top + strip :] == pictures).all()
    assert (out[:, top : top + strip] != videos.BACKGROUND_COLOUR).any(), "the name is missing"


def test_resize_keeps_the_shape_of_a_picture(pictures: NDArray[np.uint8]) -> None:
    assert videos.resize_frames(pictures, 64).shape == (3, 64, 96, 3)
    assert videos.resize_frames(pictures, 16).shape == (3, 16, 24, 3)


def test_a_film_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    flat = np.array([[220, 40, 30], [30, 200, 60], [40, 60, 210]], np.uint8)
    frames = np.broadcast_to(flat[:, None, None], (3, 48, 64, 3)).copy()
    path = tmp_path / "new" / "film.webp"
    videos.write_webp(path, frames, hz=12.5, hold_s=1.0)
    ok, film = cv2.imreadanimation(str(path))
    assert ok and film.loop_count == 0
    assert list(film.durations) == [80, 80, 1080]
    back = np.stack([frame[..., 2::-1] for frame in film.frames])
    assert np.abs(back.astype(int) - frames).max() < 12, "colours, or the order of the channels, changed"
    assert [p.name for p in path.parent.iterdir()] == ["film.webp"]


@pytest.mark.parametrize("encoder", ["av", "cv2"])
@pytest.mark.parametrize("hz", [12.5, 2.0])
def test_an_mp4_comes_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str, hz: float) -> None:
    """Every frame, at its time, the last one held; odd sides gain a row and a column, and its source is a WebP, too."""
    if encoder == "cv2":
        monkeypatch.setattr(videos.importlib.util, "find_spec", lambda name: None)
    frames = draw_moving_disc()
    path = tmp_path / "new" / "film.webp"
    videos.write_webp(path, frames, hz=hz, hold_s=1.0, quality=100)
    videos.write_mp4(tmp_path / "direct.mp4", frames, hz=hz, hold_s=1.0)
    for film in (tmp_path / "direct.mp4", videos.copy_as_mp4(path, hz)):
        capture = cv2.VideoCapture(str(film))
        assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(hz)
        back = []
        while (got := capture.read())[0]:
            back.append(got[1][:49, :65, ::-1])
        held = np.concatenate([frames, np.repeat(frames[-1:], round(hz), axis=0)])
        difference = np.abs(np.stack(back).astype(float) - held)
        shifted = np.abs(np.stack(back[1:6]).astype(float) - frames[:5])
        assert shifted.mean() > 7.0, "a film one frame late would pass"
        assert difference.mean() < 4.5, "frames, colours or their order changed"
    assert sorted(p.name for p in path.parent.iterdir()) == ["film.mp4", "film.webp"]


@pytest.mark.parametrize(("numbers", "length"), [
    ([0, 0, 0, 0, 1, 2, 3, 4], 8 + 12),
    ([0, 1, 1, 1, 2], 5 + 12),
    ([0, 1, 2, 2, 2], 5 + 12),
    ([0, 0, 1, 1], 4 + 12),
    ([3] * 60, 12),  # a still: its length is not in the file
    ([3], 12),
])  # fmt: skip
def test_a_film_in_which_nothing_moves_for_a_while_keeps_its_length_and_order(
    tmp_path: Path, numbers: list[int], length: int
) -> None:
    path = tmp_path / "film.webp"
    videos.write_webp(path, draw_moving_disc()[numbers])
    capture = cv2.VideoCapture(str(videos.copy_as_mp4(path)))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    back = []
    while (got := capture.read())[0]:
        back.append(got[1][:49, :65, ::-1].astype(float))
    assert len(back) == length
    held = draw_moving_disc()[[*numbers, *[numbers[-1]] * 12][:length]]
    assert np.abs(np.stack(back) - held).mean() < 4.5


def draw_moving_disc() -> NDArray[np.uint8]:
    """Draw six frames (49 by 65 pixels) of a disc that moves over a plain ground."""
    frames = np.full((6, 49, 65, 3), (40, 90, 160), np.uint8)
    for i, frame in enumerate(frames):
        cv2.circle(frame, (10 + 9 * i, 24), 7, (210, 120, 40), -1)
    return frames


def test_an_outline_leaves_the_inside_alone(pictures: NDArray[np.uint8]) -> None:
    out = videos.outline_frames(pictures, (1, 2, 3), thickness=2)
    assert (out[:, 2:-2, 2:-2] == pictures[:, 2:-2, 2:-2]).all()
    assert (out[:, :2] == (1, 2, 3)).all() and (out[:, :, -2:] == (1, 2, 3)).all()
