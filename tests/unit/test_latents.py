"""Tokens are written block by block and mapped: what stops a coding costs one block, and memory holds no dataset."""

from __future__ import annotations

import os
import shutil
import tempfile
import tomllib
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from encoded import encode_directly
from hypothesis import given, settings
from hypothesis import strategies as st
from lerobot_set import TOML, toy_part, write
from toy import CAMERAS, JOINTS, dataset, episode

from aim import presets
from aim.config import CodecConfig, DataConfig, build_token_grid, compute_token_channels, save_run
from aim.data import latent_files, latents, source
from aim.data.formats.lerobot import LeRobotSet
from aim.data.mapped import read_recorded
from aim.data.mapping_file import parse_mapping
from aim.data.read_ahead import read_ahead
from aim.data.view_pictures import read_view_pictures
from aim.model.image_codec import Codec
from aim.train.run_folder import prepare_folder
from sim.types import UserError

CONFIG = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS).codec
CONFIG_TOKENS = len(build_token_grid(CONFIG))
MOVING = DataConfig(shift_augmentations=1, max_shift_px=4)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> source.Source:
    """Return five short episodes."""
    folder = tmp_path_factory.mktemp("toy") / "set"
    return source.of(dataset(folder, [episode(seed, side=32, pictures=4) for seed in range(5)], side=32))


def make_codec(config: CodecConfig) -> Codec:
    """Return a codec that has learned nothing, but tells pictures apart."""
    torch.manual_seed(0)
    made = Codec(config).eval()
    torch.nn.init.normal_(made.analysis, std=0.05)
    return made


@pytest.fixture(scope="module")
def codec() -> Codec:
    """Return a codec of the toy's cameras."""
    return make_codec(CONFIG)


@pytest.fixture(scope="module")
def direct(data: source.Source, codec: Codec) -> latents.Latents:
    """Return the tokens of the five episodes, each coded on its own."""
    return encode_directly(codec, data, MOVING)


@pytest.fixture(scope="module")
def coded(data: source.Source, codec: Codec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the tokens of the five episodes; tests change copies of it."""
    folder = tmp_path_factory.mktemp("coded") / "latents"
    latents.cached(folder, codec, data, MOVING)
    return folder


def same(a: latents.Latents, b: latents.Latents) -> bool:
    """Tell whether two sets of tokens are the same."""
    return all(torch.equal(vars(a)[name], vars(b)[name]) for name in ("rgb", "map", "starts", "shifts"))


@pytest.mark.parametrize("block", [1, 5, 8, 1000])
def test_files_hold_what_memory_would(
    data: source.Source,
    codec: Codec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    block: int,
    direct: latents.Latents,
) -> None:
    monkeypatch.setattr(latents, "BLOCK_PICTURES", block)
    assert same(latents.cached(tmp_path, codec, data, MOVING), direct)


def test_processes_that_read_ahead_change_nothing(
    data: source.Source, codec: Codec, tmp_path: Path, direct: latents.Latents
) -> None:
    assert same(latents.cached(tmp_path, codec, data, MOVING, workers=2), direct)


def read_or_refuse(data: source.Source, ref: source.Ref) -> int:
    """Return an episode's number of pictures; `UserError` for the fourth episode."""
    if ref == data.episodes[3]:
        raise UserError(f"{ref.identity} is damaged")
    return ref.pictures


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_reader_refuses_is_one_line_and_comes_in_its_turn(data: source.Source, workers: int) -> None:
    found = read_ahead(data, data.episodes, read_or_refuse, workers)
    assert [next(found) for _ in range(3)] == [4, 4, 4]
    with pytest.raises(UserError) as error:
        next(found)
    assert str(error.value) == f"{data.episodes[3].identity} is damaged"


@pytest.mark.parametrize("stopped_after", range(5))
def test_what_stops_a_coding_costs_one_block(
    data: source.Source,
    codec: Codec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopped_after: int,
    direct: latents.Latents,
) -> None:
    monkeypatch.setattr(latents, "BLOCK_PICTURES", 1)  # an episode a block
    read, true = [], data.reader.frames

    def frames(ref: source.Ref, camera: str, pictures: list[int]) -> np.ndarray:
        if camera == CAMERAS[0]:
            read.append(ref.index)
        if ref.index > stopped_after and len(read) < 100 and not resumed:
            raise KeyboardInterrupt
        return true(ref, camera, pictures)

    resumed: list[bool] = []
    monkeypatch.setattr(data.reader, "frames", frames)
    if stopped_after < 4:
        with pytest.raises(KeyboardInterrupt):
            latents.cached(tmp_path, codec, data, MOVING)
    else:
        latents.cached(tmp_path, codec, data, MOVING)
    folder = tmp_path / latents.identity(codec, data.episodes, MOVING)
    done = latent_files.count_done(folder)
    assert done in (stopped_after, stopped_after + 1)  # the reader is one episode ahead
    resumed.append(True)
    read.clear()
    found = latents.cached(tmp_path, codec, data, MOVING)
    assert sorted(set(read)) == list(range(done, 5)), "what was kept is not coded again"
    assert same(found, direct)


def test_another_codec_is_another_folder_and_the_old_one_goes(
    data: source.Source, codec: Codec, tmp_path: Path
) -> None:
    latents.cached(tmp_path, codec, data, MOVING)
    (tmp_path / "old.safetensors").write_bytes(b"tokens as they were kept before")
    plain = latents.cached(tmp_path, codec, data, DataConfig())
    assert [entry.name for entry in tmp_path.iterdir()] == [latents.identity(codec, data.episodes, DataConfig())]
    assert same(plain, encode_directly(codec, data))


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_of_a_dataset_that_grew_only_the_new_episodes_are_coded(
    data: source.Source, codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_after: int
) -> None:
    """Three of five episodes come first, the coding of which may have been stopped."""
    monkeypatch.setattr(latents, "BLOCK_PICTURES", 1)
    first = source.Source(data.reader, [data.episodes[i] for i in (4, 0, 2)])
    grown = source.Source(data.reader, [*first.episodes, data.episodes[1], data.episodes[3]])
    write, written = latent_files.write_block, []

    def write_and_stop(*words: object) -> None:
        write(*words)  # pyright: ignore[reportArgumentType]
        written.append(words)

    class Signals(list[int]):
        def __bool__(self) -> bool:
            return len(written) + 1 >= stopped_after

    monkeypatch.setattr(latent_files, "write_block", write_and_stop)
    if stopped_after < 3:
        with pytest.raises(KeyboardInterrupt, match=f"kept the tokens of {stopped_after} of 3 episodes"):
            latents.cached(tmp_path, codec, first, MOVING, Signals())
    else:
        latents.cached(tmp_path, codec, first, MOVING)
    read, true = [], data.reader.frames
    monkeypatch.setattr(data.reader, "frames", lambda ref, *words: (read.append(ref.index), true(ref, *words))[1])
    found = latents.cached(tmp_path, codec, grown, MOVING)
    assert set(read) == {ref.index for ref in grown.episodes[stopped_after:]}
    assert same(found, encode_directly(codec, grown, MOVING))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("change", ["short", "progress"])
def test_damaged_files_are_a_line(data: source.Source, codec: Codec, coded: Path, tmp_path: Path, change: str) -> None:
    tmp_path = Path(shutil.copytree(coded, tmp_path / "latents"))
    folder = tmp_path / latents.identity(codec, data.episodes, MOVING)
    for whole in (True, False):
        if not whole:
            (folder / "progress.json").write_text('{"episodes": 4}')
        (folder / {"short": "rgb.f16", "progress": "progress.json"}[change]).write_bytes(b"{")
        with pytest.raises(UserError, match=r"is damaged; remove .*, and it is made anew") as error:
            latents.cached(tmp_path, codec, data, MOVING)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("lost", [["rgb"], ["map"], ["rgb", "map"]])
@pytest.mark.parametrize("done", [1, 4, 5])
def test_a_file_that_is_lost_is_coded_again(
    data: source.Source,
    codec: Codec,
    coded: Path,
    direct: latents.Latents,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lost: list[str],
    done: int,
) -> None:
    """However many episodes were whole, and even where the coding is stopped before its first block is written."""
    tmp_path = Path(shutil.copytree(coded, tmp_path / "latents"))
    folder = tmp_path / latents.identity(codec, data.episodes, MOVING)
    (folder / "progress.json").write_text(f'{{"episodes": {done}}}')
    for kind in lost:
        (folder / f"{kind}.f16").unlink()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(latent_files, "write_block", stop)
        latents.cached(tmp_path, codec, data, MOVING)
    assert same(latents.cached(tmp_path, codec, data, MOVING), direct)


@pytest.mark.parametrize("done", [0, 3, 5])
@pytest.mark.parametrize("lost", [(), ("rgb",)])
def test_what_is_taken_over_from_another_run_is_not_written_over(
    data: source.Source,
    codec: Codec,
    coded: Path,
    direct: latents.Latents,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    done: int,
    lost: tuple[str, ...],
) -> None:
    """However much of its tokens is coded, and whatever is lost in between; what is whole is not coded again."""
    run, one, other = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS), tmp_path / "one", tmp_path / "other"
    (one / "codec").mkdir(parents=True)
    save_run(run, one)
    for name in ("codec/codec.safetensors", "codec/training.safetensors", "latents/fovea-1.u8", "latents/fovea-1.part"):
        (one / name).parent.mkdir(exist_ok=True)
        (one / name).write_text(name)
    shutil.copytree(coded, one / "latents", dirs_exist_ok=True)
    folder = latents.identity(codec, data.episodes, MOVING)
    (one / "latents" / folder / "progress.json").write_text(f'{{"episodes": {done}, "total": 5}}')
    prepare_folder(run, data, other, False, one, None, None, "")
    there = {path.name for path in other.rglob("*") if path.is_file()}
    assert {"codec.safetensors", "fovea-1.u8"} <= there and not {"training.safetensors", "fovea-1.part"} & there
    for kind in lost:
        (other / "latents" / folder / f"{kind}.f16").unlink(missing_ok=True)
    before = {path: path.read_bytes() for path in one.rglob("*") if path.is_file()}
    written, write = [], latent_files.write_block
    monkeypatch.setattr(latent_files, "write_block", lambda *words: (written.append(words), write(*words)))
    assert same(latents.cached(other / "latents", codec, data, MOVING), direct)
    assert bool(written) == (done < 5 or bool(lost))
    if written:
        with (other / "latents" / folder / "rgb.f16").open("r+b") as file:
            file.write(b"mine")
    assert {path: path.read_bytes() for path in one.rglob("*") if path.is_file()} == before


def test_a_full_disk_is_known_before_the_work(
    data: source.Source, codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10, 10, 1000))
    said = r"20 pictures, each coded 2 times, take 0 MB, beside which 67 MB must stay free, on the disk of"
    with pytest.raises(UserError, match=said):
        latents.cached(tmp_path, codec, data, MOVING)
    shutil.rmtree(tmp_path)
    with pytest.raises(UserError, match=said):
        latents.check_disk_room(tmp_path, data, codec.config, MOVING)
    need = 2 * 2 * 2 * 20 * CONFIG_TOKENS * compute_token_channels(CONFIG)  # kinds, versions, bytes a number, pictures
    for free, fits in ((need + 2**26 - 1, False), (need + 2**26, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: Usage(10**9, 10, free))
        if fits:
            latents.check_disk_room(tmp_path, data, codec.config, MOVING)
        else:
            with pytest.raises(UserError, match="must stay free"):
                latents.check_disk_room(tmp_path, data, codec.config, MOVING)


def test_a_set_without_maps_keeps_one_black_one(tmp_path: Path) -> None:
    mapping = parse_mapping(tomllib.loads(TOML), "toy.toml")
    recorded = LeRobotSet(write(tmp_path / "set", [toy_part(seed) for seed in range(2)]))
    unmapped = source.Source(read_recorded(recorded, mapping))
    codec = make_codec(presets.tiny("toyarm", unmapped.cameras, 3, 3).codec)
    found = latents.cached(tmp_path / "kept", codec, unmapped, MOVING)
    assert not list(tmp_path.rglob("map.f16"))
    assert found.map.shape == found.rgb.shape
    black = latents.black_tokens(codec).half()[0]
    assert (found.map == black).all()
    assert same(found, encode_directly(codec, unmapped, MOVING))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 9))
def test_every_row_is_written_once(lengths: list[int], block: int) -> None:
    """Whatever the lengths of the episodes and the blocks: each row of each version lies in its place."""
    total = sum(lengths)
    tokens = torch.arange(2 * total * 3 * 2).view(2, total, 3, 2).half()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "key"
        latent_files.reserve(folder, tuple(tokens.shape), ["rgb"])
        first = 0
        while first < total:
            part = tokens[:, first : first + block]
            latent_files.write_block(folder, tuple(tokens.shape), first, {"rgb": part}, first, len(tokens))
            first += part.shape[1]
        assert torch.equal(latent_files.open_tokens(folder, tuple(tokens.shape), "rgb"), tokens)


def test_a_block_is_on_the_disk_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, fsync, rename = [], os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: (calls.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name), fsync(handle))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append(f"becomes {Path(b).name}"), rename(a, b)))
    shape, tokens = (1, 2, 3, 2), torch.ones(1, 2, 3, 2).half()
    for name in ("old", "new"):
        latent_files.reserve(tmp_path / name, shape, ["rgb"])
    calls.clear()
    latent_files.write_block(tmp_path / "old", shape, 0, {"rgb": tokens}, 1, 1)
    assert calls == ["rgb.f16", "becomes progress.json"]
    latent_files.take_over_rows(tmp_path / "old", shape, tmp_path / "new", shape, 2, ["rgb"], 1, 1)
    assert calls[2:] == ["rgb.f16", "becomes progress.json"]


def test_pictures_are_moved_up_to_the_most_both_ways_and_otherwise_in_each_version(data: source.Source) -> None:
    shifts = latents.drawn_shifts(data, DataConfig(shift_augmentations=20, max_shift_px=1), 3)
    assert shifts.shape == (21, 5, 3, 2) and shifts.unique().tolist() == [-1, 0, 1]
    assert len(shifts[1:].flatten(1).unique(dim=0)) == 20, "no version is another one"
    assert len(shifts[1:].transpose(0, 1).flatten(1).unique(dim=0)) == 5, "no episode is moved as another one"


def test_each_episode_is_moved_by_its_own_shift(data: source.Source, codec: Codec, direct: latents.Latents) -> None:
    made = direct
    for number, ref in enumerate(data.episodes[:2]):
        rows = slice(int(made.starts[number]), int(made.starts[number + 1]))
        seen = read_view_pictures(data, ref, codec.config, range(ref.pictures))
        shown = [seen[view, "rgb"] for view in range(len(CAMERAS))]
        tokens = codec.encode(shown, "rgb", made.shifts[1, number].tolist()).half()
        assert torch.equal(made.rgb[1, rows], tokens)


def test_tokens_have_the_name_of_all_that_decides_what_they_are(data: source.Source, codec: Codec) -> None:
    other = make_codec(CONFIG)
    with torch.no_grad():
        other.analysis[0, 0, 0, 0] += 1e-3
    episodes = data.episodes
    names = [
        latents.identity(codec, episodes, MOVING),
        latents.identity(other, episodes, MOVING),
        latents.identity(codec, episodes[:-1], MOVING),
        latents.identity(codec, episodes[::-1], MOVING),
        latents.identity(codec, episodes, DataConfig(shift_augmentations=2, max_shift_px=4)),
        latents.identity(codec, episodes, DataConfig(shift_augmentations=1, max_shift_px=5)),
    ]
    assert len(set(names)) == len(names)
    assert latents.identity(make_codec(CONFIG), tuple(episodes), MOVING) == names[0]
