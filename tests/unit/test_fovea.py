"""Foveal crops: where they are centred, which pixels they hold, and that acting crops as training does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from models import CONFIGS, context, randomised
from numpy.typing import NDArray
from toy import CAMERAS, JOINTS, dataset, episode

from aim import presets
from aim.data import fovea_files, source
from aim.data.fovea import JITTER_PX, check_fovea, crop_pictures, find_centers, make_cropper
from aim.data.fovea_files import Crops, read_crops
from aim.data.peaks import find_peaks
from aim.data.source import Source
from aim.model import flow, intent
from aim.model.batch import Fovea
from aim.model.embed import Embeddings
from aim.model.world_action_model import WorldActionModel
from sim.types import UserError

SIDE = 16
RUN = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS)
RUN = replace(RUN, model=replace(RUN.model, fovea=SIDE))


def make_map(row: float, column: float, size: int = 32) -> NDArray[np.uint8]:
    """Map (size size 3) with one blob at a place."""
    y, x = np.mgrid[:size, :size]
    blob = 255 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8)
    return np.stack([np.zeros_like(blob), blob, np.zeros_like(blob)], -1).astype(np.uint8)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source.of(dataset(tmp_path_factory.mktemp("data") / "toy", [episode(seed, pictures=7) for seed in range(3)]))


def test_a_crop_is_centred_on_the_peak_in_pixels_of_the_recording() -> None:
    maps = np.stack([make_map(16, 16), make_map(10, 20), make_map(20.5, 12)])
    centers = find_centers(maps, (128, 64), SIDE)
    assert np.abs(centers - np.array([[66, 33], [42, 41], [84, 25]])).max() <= 2


def test_centres_stay_away_from_the_edges_and_lie_in_the_middle_where_there_is_no_peak() -> None:
    least = SIDE // 2 + JITTER_PX
    maps = np.stack([make_map(0, 0), make_map(31, 31), np.zeros((32, 32, 3), np.uint8)])
    assert find_centers(maps, (128, 128), SIDE).tolist() == [[least] * 2, [128 - least] * 2, [64, 64]]


def test_a_crop_holds_the_pixels_around_its_centre_and_jitter_moves_it() -> None:
    y, x = np.mgrid[:64, :64]
    pictures = np.stack([y, x, y + x], -1).astype(np.uint8)[None].repeat(2, 0)
    centers = np.array([[30, 34], [28, 20]])
    wide = torch.from_numpy(crop_pictures(pictures, centers, SIDE + 2 * JITTER_PX))
    crops = Crops(wide, torch.from_numpy(centers), torch.tensor((64, 64)))
    still, moved = crops.take(torch.arange(2), None), crops.take(torch.arange(2), torch.tensor([[-12, 12], [3, 0]]))
    assert np.array_equal(still.picture.numpy(), crop_pictures(pictures, centers, SIDE))
    assert np.array_equal(moved.picture.numpy(), crop_pictures(pictures, centers + np.array([[-12, 12], [3, 0]]), SIDE))
    assert moved.center.tolist() == [[2 * 18 / 64 - 1, 2 * 46 / 64 - 1], [2 * 31 / 64 - 1, 2 * 20 / 64 - 1]]


def test_acting_crops_as_training_does_where_maps_are_the_true_ones(toy: Source, tmp_path: Path) -> None:
    crops = read_crops(tmp_path, toy, RUN)
    again = read_crops(tmp_path, toy, RUN)  # from its file
    by_processes = read_crops(tmp_path / "other", toy, RUN, workers=2)
    assert torch.equal(crops.picture, by_processes.picture) and torch.equal(crops.center, by_processes.center)
    assert torch.equal(crops.picture, again.picture) and torch.equal(crops.center, again.center)
    ref, row = toy.episodes[1], toy.episodes[0].pictures + 2
    maps = toy.maps(ref, CAMERAS[0], [2 + RUN.data.frame_stride])
    assert maps is not None
    now = make_cropper(toy.pictures(ref, CAMERAS[0], [2]), SIDE)(maps)
    taken = crops.take(torch.tensor([row]), None)
    assert torch.equal(now.picture, taken.picture) and torch.equal(now.center, taken.center)


def test_crops_of_another_fovea_or_dataset_take_the_place_of_the_former(toy: Source, tmp_path: Path) -> None:
    wide = replace(RUN, model=replace(RUN.model, fovea=32))
    near = replace(RUN, model=replace(RUN.model, chunk=16), data=replace(RUN.data, frame_stride=2, execution_horizon=8))
    names = set()
    for run, chosen in ((RUN, toy), (wide, toy), (RUN, source.select_episodes(toy, [0], [])), (near, toy)):
        read_crops(tmp_path, chosen, run)
        (pictures,), (centers,) = tmp_path.glob("fovea-*.u8"), tmp_path.glob("fovea-*.npy")
        assert pictures.stem == centers.stem and len(list(tmp_path.iterdir())) == 2
        names.add(pictures.stem)
    assert len(names) == 4, "maps of another time ahead centre crops elsewhere"


def test_a_shortened_file_of_crops_is_refused(toy: Source, tmp_path: Path) -> None:
    read_crops(tmp_path, toy, RUN)
    (shortened,) = tmp_path.glob("fovea-*.u8")
    shortened.write_bytes(shortened.read_bytes()[:-1])
    with pytest.raises(UserError, match="is damaged; remove it"):
        read_crops(tmp_path, toy, RUN)


def test_what_a_fovea_cannot_look_at_is_refused(toy: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    check_fovea(RUN, toy)
    check_fovea(replace(RUN, model=replace(RUN.model, fovea=0)), toy)
    with pytest.raises(UserError, match="needs 4120x4120: record with --size"):
        check_fovea(replace(RUN, model=replace(RUN.model, fovea=4096)), toy)
    monkeypatch.setattr(Source, "has_maps", False)
    with pytest.raises(UserError, match="has no value maps"):
        check_fovea(RUN, toy)
    with pytest.raises(UserError, match="variant 'no_map' has no value map for a fovea"):
        intent.build_table(replace(RUN.model, variant="no_map"))
    with pytest.raises(UserError, match="fovea must be a multiple of fovea_patch"):
        replace(RUN, model=replace(RUN.model, fovea=20))


def test_actions_are_made_for_the_crop_that_the_predicted_map_asks_for() -> None:
    model = randomised(WorldActionModel(CONFIGS["fovea"]))
    known = replace(context(model.config), fovea=None)
    side, asked = model.config.fovea, []

    def crop(value: int) -> Callable[[torch.Tensor], Fovea]:
        def look(maps: torch.Tensor) -> Fovea:
            asked.append(maps)
            return Fovea(torch.full((2, side, side, 3), value, dtype=torch.uint8), torch.zeros(2, 2))

        return look

    (dark, future), (bright, same) = (
        model.sample_actions(known, 2, 2, flow.seed_rows(0, 2), crop=crop(value)) for value in (0, 200)
    )
    assert not torch.equal(dark, bright)
    assert future.map is not None and same.map is not None
    assert torch.equal(future.map, same.map) and torch.equal(asked[0], future.map)


def test_the_centre_of_a_crop_is_told_in_shares_of_each_side() -> None:
    pictures = np.zeros((1, 64, 96, 3), np.uint8)
    told = make_cropper(pictures, SIDE)(make_map(10, 20)[None])  # row 10.5 of 32 is 21 of 64, column 20.5 62 of 96
    assert told.center[0].tolist() == pytest.approx([2 * 21 / 64 - 1, 2 * 62 / 96 - 1], abs=2 / 64)
    wide = torch.zeros(1, SIDE + 2 * JITTER_PX, SIDE + 2 * JITTER_PX, 3, dtype=torch.uint8)
    crops = Crops(wide, torch.tensor([[32, 24]]), torch.tensor((64, 96)))
    assert crops.take(torch.tensor([0]), None).center.tolist() == [[0.0, -0.5]]


def test_a_crop_becomes_tokens_by_rows_with_waves_of_where_it_lies() -> None:
    """One bright pixel in the black: row 1, column 18 is pixel (1, 2) of the second token."""
    config = replace(CONFIGS["fovea"], fovea=32, fovea_patch=16)
    torch.manual_seed(0)
    embed = Embeddings(config)
    picture = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    picture[0, 1, 18, 2] = 255
    with torch.no_grad():
        tokens = embed.embed_fovea(Fovea(picture, torch.tensor([[0.5, -0.25]])))[0]
    pixels = torch.full((4, 3, 16, 16), -1.0)
    pixels[1, 2, 1, 2] = 1.0
    waves = []
    for place in (0.5, -0.25):  # waves of four sides of the picture, then of half as much each
        turns = [0.5 * math.pi * place * 2**octave for octave in range(7)]
        waves += [*map(math.sin, turns), *map(math.cos, turns)]
    with torch.no_grad():
        expected = pixels.flatten(1) @ embed.fovea.weight.T + embed.fovea.bias + embed.place["f"]
        expected += torch.tensor(waves) @ embed.fovea_center.weight.T + embed.fovea_center.bias
    torch.testing.assert_close(tokens, expected, atol=1e-4, rtol=1e-4)


def test_the_peak_that_counts_is_the_highest_not_the_first_and_faint_blobs_are_none() -> None:
    high, low = make_map(24, 24)[..., 1], make_map(6, 6)[..., 1]
    both = np.maximum(high, low // 4 * 3)
    found = find_peaks(both)
    assert np.abs(found - [[24, 24], [6, 6]]).max() < 0.5
    assert len(find_peaks(np.maximum(high, low // 5 * 2))) == 1, "below half of the highest"
    assert len(find_peaks(high // 3)) == 0


@pytest.mark.parametrize("stride", [2, 4])
def test_every_crop_is_centred_on_the_map_of_the_first_future_frame(
    toy: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    """The peak lies four rows lower in each map; of seven pictures the map of the last stands for those after it."""
    shown = replace(RUN.data, frame_stride=stride, execution_horizon=4 * stride)
    run = replace(RUN, model=replace(RUN.model, chunk=8 * stride), data=shown)

    def show(_: Source, ref: object, camera: str, frames: list[int]) -> NDArray[np.uint8]:
        return np.stack([make_map(20 + 4 * frame, 30, size=64) for frame in frames])

    monkeypatch.setattr(Source, "maps", show)
    monkeypatch.setattr(fovea_files, "PICTURES_AT_ONCE", 3)
    crops = read_crops(tmp_path, toy, run)
    rows = [20 + 4 * min(picture + stride, 6) for picture in range(7)]
    assert crops.center.tolist() == [[row, 30] for row in rows] * len(toy.episodes)
    wide = torch.from_numpy(
        np.concatenate(
            [
                crop_pictures(
                    toy.pictures(ref, CAMERAS[0], range(7)), np.array([[r, 30] for r in rows]), SIDE + 2 * JITTER_PX
                )
                for ref in toy.episodes
            ]
        )
    )
    assert torch.equal(crops.picture, wide)
