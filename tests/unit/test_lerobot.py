"""A LeRobot set comes as it was recorded: every picture and number at its time, and nothing that is not whole."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from lerobot_set import (
    ACTION,
    HEAD,
    NAMES,
    STATE,
    TOML,
    WRIST,
    Part,
    counted_part,
    embed_images,
    film,
    told,
    toy_part,
    write,
)

from aim.data import source
from aim.data.formats.lerobot import LeRobotSet
from aim.data.formats.lerobot_layout import READABLE_LEROBOT_VERSIONS
from aim.data.mapped import MappedReader, read_recorded
from aim.data.mapping import CameraMapping, ChannelRange, RobotMapping
from aim.data.mapping_file import parse_mapping
from aim.data.reader import Motion
from aim.data.video import VideoReader, summarize_video
from sim.types import CONTROL_HZ, UserError

OWN: RobotMapping = parse_mapping(tomllib.loads(TOML), "toy.toml")
LENGTHS = (31, 90, 12)


def open_set(path: Path, mapping: RobotMapping) -> MappedReader:
    """Open a set with a mapping."""
    return read_recorded(LeRobotSet(path), mapping)


def motions(reader: MappedReader) -> list[Motion]:
    """Numbers of all episodes."""
    return [reader.motion(ref) for ref in reader.episodes]


@pytest.mark.parametrize("version", READABLE_LEROBOT_VERSIONS)
@pytest.mark.parametrize(("fps", "gop"), [(50, 2), (30, 250), (25, 15), (10, 2), (15, 250)])
def test_pictures_and_numbers_are_in_step(tmp_path: Path, version: str, fps: int, gop: int) -> None:
    parts = [counted_part(e, length) for e, length in enumerate(LENGTHS)]
    data = open_set(write(tmp_path / "set", parts, version, fps, gop), OWN)
    assert len(data.episodes) == len(parts)
    for e, ref in enumerate(data.episodes):
        newest = [int(Fraction(8, 100) * i * fps) for i in range(ref.pictures)]
        assert Fraction(8, 100) * (ref.pictures - 1) * fps <= LENGTHS[e] - 1 < Fraction(8, 100) * ref.pictures * fps
        assert told(data.frames(ref, "head", range(ref.pictures))) == [(e, frame) for frame in newest]
        move = data.motion(ref)
        assert move.state.shape == move.action.shape == (4 * (ref.pictures - 1), 3)
        moment = np.arange(len(move.state)) / CONTROL_HZ * fps  # in frames
        np.testing.assert_allclose(np.rad2deg(move.state[:, 0]), moment, atol=1e-3)
        np.testing.assert_allclose(np.rad2deg(move.action[:, 0]), moment + 0.5, atol=1e-3)
        np.testing.assert_allclose(np.rad2deg(move.state[:, 1]), e, atol=1e-3)
        np.testing.assert_allclose(move.state[:, 2], 0.45, atol=1e-6)
        frames = np.floor(np.rad2deg(move.state[::4, 0]) + 1e-3).astype(int).tolist()
        assert frames == newest[:-1]  # picture i is what was seen at control step 4 i


def test_an_episode_begins_at_its_frame_where_its_time_is_a_little_below(tmp_path: Path) -> None:
    """29 / 25 s times 25 is below 29 in floating point."""
    assert 29 / 25 * 25 < 29
    parts = [counted_part(e, length) for e, length in enumerate((29, 13))]
    data = open_set(write(tmp_path / "set", parts, fps=25, per_file=2), OWN)
    assert told(data.frames(data.episodes[1], "head", range(7))) == [(1, 2 * picture) for picture in range(7)]


@pytest.mark.parametrize(("gop", "codec"), [(2, "libx264"), (250, "libx264"), (2, "libsvtav1"), (30, "mpeg4")])
def test_pictures_come_in_any_order(tmp_path: Path, gop: int, codec: str) -> None:
    parts = [counted_part(e, 90) for e in range(3)]
    data = open_set(write(tmp_path / "set", parts, gop=gop, per_file=3, codec=codec), OWN)
    draw = np.random.default_rng(0)
    for e in (2, 0, 1, 2):
        frames = draw.permutation(data.episodes[e].pictures).tolist()
        assert told(data.frames(data.episodes[e], "head", frames)) == [(e, 2 * frame) for frame in frames]
        upside_down = data.frames(data.episodes[e], "left_wrist", [-1])[:, ::-1]
        assert told(upside_down) == [(e, 2 * (data.episodes[e].pictures - 1))]
    data.close()
    assert told(data.frames(data.episodes[1], "head", [0])) == [(1, 0)]


@pytest.mark.parametrize("version", READABLE_LEROBOT_VERSIONS)
@pytest.mark.parametrize("rate", [Fraction(249, 10), Fraction(30000, 1201), Fraction(253, 10)])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_video_of_a_slightly_other_rate_is_counted(tmp_path: Path, version: str, rate: Fraction, codec: str) -> None:
    """By their times half of the frames would be others."""
    part = counted_part(0, 249)
    path = write(tmp_path / "set", [part], version, gop=12)
    for video in (path / "videos").rglob("*.mp4"):
        film(video, part.pictures[HEAD if HEAD in str(video) else WRIST], rate, 12, codec)
    data = open_set(path, OWN)
    pictures = list(range(0, data.episodes[0].pictures, 3))
    for asked in (pictures, pictures[::-1]):
        assert told(data.frames(data.episodes[0], "head", asked)) == [(0, 2 * picture) for picture in asked]


@pytest.mark.parametrize("rate", [Fraction(249, 10), Fraction(30000, 1201), Fraction(2502, 100)])
def test_a_shared_video_keeps_to_the_rate_to_the_frame(tmp_path: Path, rate: Fraction) -> None:
    parts = [counted_part(e, length) for e, length in enumerate((90, 700))]
    path = write(tmp_path / "set", parts)
    assert len(open_set(path, OWN).episodes) == 2
    shown = np.concatenate([part.pictures[HEAD] for part in parts])
    film(next((path / f"videos/{HEAD}").rglob("*.mp4")), shown, rate, 12)
    with pytest.raises(UserError, match="does not keep to 25 frames a second: its last frame is number 789, by its"):
        open_set(path, OWN)


def test_all_versions_hold_the_same(tmp_path: Path) -> None:
    parts = [toy_part(seed) for seed in range(3)]
    a, b, c = (open_set(write(tmp_path / version, parts, version), OWN) for version in READABLE_LEROBOT_VERSIONS)
    for one, other in zip(motions(a), motions(b), strict=True):
        np.testing.assert_array_equal(one.state, other.state)
        np.testing.assert_array_equal(one.action, other.action)
        assert one.instruction == other.instruction
    assert (a.info.robot, a.info.cameras) == ("toyarm", ("head", "left_wrist"))
    assert a.info.action.kinds == a.info.state.kinds == ("joint_position", "joint_position", "gripper")
    assert a.maps(a.episodes[0], "head", [0]) is None and not a.info.has_maps
    true = parts[2].pictures[WRIST][::2].astype(int)
    for one, other in zip(motions(b), motions(c), strict=True):
        np.testing.assert_array_equal(one.state, other.state)
    for data in (a, b, c):
        assert np.abs(data.frames(data.episodes[2], "left_wrist", range(7)) - true).mean() < 6.0


PLACES = {name: place for place, name in enumerate(NAMES)}


@pytest.mark.parametrize("names", [
    [list(NAMES)], {"motors": list(NAMES)}, None, ["state"], PLACES, dict(reversed(PLACES.items())), {"motors": PLACES},
    {"left": dict(list(PLACES.items())[:2]), "right": [*NAMES[2:]]}, {"a": 0}, PLACES | {"x": True}, {},
])  # fmt: skip
def test_names_are_found_however_nested_and_numbered_where_there_are_none(tmp_path: Path, names: object) -> None:
    path = write(tmp_path / "set", [toy_part(0)], names=names)
    plain = set(NAMES) <= set(re.findall(r"\w+", str(names))) and "True" not in str(names)
    gripper = {"0": ChannelRange((5.0, 105.0), (5.0, 105.0))}
    numbered = dataclasses.replace(OWN, names=("3", "2", "0"), action_names=("3", "2", "0"), gripper=gripper)
    own = OWN if plain else numbered
    expected = motions(open_set(write(tmp_path / "named", [toy_part(0)]), OWN))[0]
    np.testing.assert_array_equal(motions(open_set(path, own))[0].state, expected.state)


def test_the_identity_is_that_of_numbers_and_videos(tmp_path: Path) -> None:
    parts = [toy_part(seed) for seed in range(3)]
    path = write(tmp_path / "set", parts)

    def names() -> list[str]:
        return [ref.identity for ref in open_set(path, OWN).episodes]

    first = names()
    assert len(set(first)) == 3
    assert names() == first
    video = path / f"videos/{HEAD}/chunk-000/file-001.mp4"
    os.utime(video, ns=(0, video.stat().st_mtime_ns + 1))
    assert names() == first  # known by contents, not by times
    shutil.copytree(path, tmp_path / "copy")
    assert [ref.identity for ref in open_set(tmp_path / "copy", OWN).episodes] == first
    film(video, parts[1].pictures[HEAD], 25, 2)
    assert [a == b for a, b in zip(names(), first, strict=True)] == [True, True, False]
    shutil.copy(tmp_path / "copy" / video.relative_to(path), video)
    pair = (0.0, 110.0)
    calmer = dataclasses.replace(OWN, gripper={"grip": ChannelRange(pair, pair)})
    cropped = dataclasses.replace(OWN, cameras={n: CameraMapping(c.feature, "crop") for n, c in OWN.cameras.items()})
    for changed in (calmer, cropped):
        assert all(ref.identity not in first for ref in open_set(path, changed).episodes)


@pytest.mark.parametrize("version", ["v2.1", "v2.0"])
def test_the_identity_of_an_episodes_own_file_is_that_of_all_of_it(tmp_path: Path, version: str) -> None:
    path = write(tmp_path / "set", [toy_part(seed) for seed in range(2)], version)
    first = [ref.identity for ref in open_set(path, OWN).episodes]
    video = sorted((path / "videos").rglob("*.mp4"))[-1]
    video.write_bytes(video.read_bytes() + b"\0\0\0\x09free.")
    assert [ref.identity == old for ref, old in zip(open_set(path, OWN).episodes, first, strict=True)] == [True, False]


def write_growing(path: Path, parts: Sequence[Part], images: bool, gop: int) -> Path:
    """Write a set whose episodes share one file, into which each was put as it had been encoded by itself."""
    write(path, parts, per_file=len(parts), gop=gop)
    if images:
        return embed_images(path, parts)
    for key in parts[0].pictures:
        with av.open(str(next((path / f"videos/{key}").rglob("*.mp4"))), "w") as whole:
            stream, frames = None, 0
            for part in parts:
                film(path / "part.mp4", part.pictures[key], 25, gop)
                with av.open(str(path / "part.mp4")) as own:
                    stream = stream or whole.add_stream_from_template(own.streams.video[0])
                    for packet in own.demux(own.streams.video[0]):
                        if packet.dts is not None and packet.pts is not None:
                            shift = round(frames / 25 / packet.time_base)
                            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                            whole.mux(packet)
                frames += len(part.state)
    return path


@pytest.mark.parametrize(("images", "gop"), [(True, 2), (False, 2), (False, 12)])
def test_a_shared_file_may_grow_and_its_episodes_stay_what_they_were(tmp_path: Path, images: bool, gop: int) -> None:
    parts = [counted_part(e, length) for e, length in enumerate((31, 20, 27, 12))]

    def names(count: int, changed: int | None = None, frame: int = 0) -> list[str]:
        taken = list(parts[:count])
        if changed is not None:
            shown = {key: pictures.copy() for key, pictures in taken[changed].pictures.items()}
            shown[HEAD][frame] = 255 - shown[HEAD][frame]
            taken[changed] = dataclasses.replace(taken[changed], pictures=shown)
        path = tmp_path / f"{count} {changed} {frame}"
        data = open_set(write_growing(path, taken, images, gop), OWN)
        assert told(data.frames(data.episodes[-1], "head", [2])) == [(count - 1, 4)]
        found = [ref.identity for ref in data.episodes]
        assert told(data.frames(data.episodes[0], "head", [1])) == [(0, 2)] and len({*found}) == count
        return found

    whole = names(4)
    assert names(1) == whole[:1] and names(3) == whole[:3]
    for frame in (0, 10, 19):  # the first, the middle and the last
        same = [a == b for a, b in zip(names(4, 1, frame), whole, strict=True)]
        assert same == [True, False, True, True]


def test_words_are_the_sets_or_else_the_mappings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [dataclasses.replace(toy_part(i), tasks=tasks) for i, tasks in enumerate([("a",), (), ("b", "c"), (" ",)])]
    path = write(tmp_path / "set", parts)
    assert [move.instruction for move in motions(open_set(path, OWN))] == ["a", "do it", "b", "do it"]
    assert "there are 1 such" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"episode 1 names no task; give the mapping \[text\] default"):
        open_set(path, dataclasses.replace(OWN, text=""))


def poisoned(part: Part) -> Part:
    """Return the part with a number missing."""
    state = part.state.copy()
    state[5, NAMES.index("y")] = np.nan
    return dataclasses.replace(part, state=state)


def test_what_is_not_a_number_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "set", [toy_part(0), poisoned(toy_part(1))])
    with pytest.raises(UserError, match=rf"episode 1: {STATE} 'y' is not finite at frame 5"):
        open_set(path, OWN)
    spared = dataclasses.replace(OWN, names=("x", "grip"), action_names=("x", "grip"))
    assert len(open_set(path, spared).episodes) == 2  # a channel that is not used may hold anything


def edited(path: Path, **changes: object) -> None:
    """Change what a set's `info.json` says."""
    file = path / "meta/info.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize("version", READABLE_LEROBOT_VERSIONS)
def test_a_set_that_is_not_whole_is_refused(tmp_path: Path, version: str) -> None:
    def made(name: str) -> Path:
        return write(tmp_path / name, [toy_part(seed) for seed in range(2)], version)

    def refused(path: Path, said: str) -> None:
        with pytest.raises(UserError, match=said) as error:
            open_set(path, OWN)
        assert "\n" not in str(error.value)

    path = made("lists")
    edited(path, total_episodes=3)
    refused(path, "lists 2 episodes, its info.json says 3")
    edited(path, total_episodes=2, codebase_version="v1.6")
    refused(path, r"version 'v1.6'; valid are v3.0, v2.1, v2.0")
    edited(path, codebase_version=version, fps=30)
    refused(path, "runs at 25 frames a second, info.json says 30")
    (path / "meta/info.json").write_text("{")
    refused(path, "info.json is damaged")

    path = made("rows")
    file = sorted((path / "data").rglob("*.parquet"))[-1]
    pq.write_table(pq.ParquetFile(file).read().slice(0, 9), file)
    refused(path, "has [09] rows in .*, not frames 0 to 12")
    file.write_bytes(b"PAR1 and nothing else")
    refused(path, "is damaged")
    file.unlink()
    refused(path, "is missing")

    path = made("films")
    video = sorted((path / "videos").rglob("*.mp4"))[-1]
    film(video, toy_part(1).pictures[HEAD][:9], 25, 2)
    refused(path, "holds 9 frames, the episode ends at")
    video.write_bytes(b"no video")
    refused(path, "is no video")


def test_a_video_that_ends_early_says_so_when_read(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", counted_part(0, 20).pictures[HEAD], 25, 2)
    opened = VideoReader(tmp_path / "a.mp4", 25.0)
    assert summarize_video(tmp_path / "a.mp4") == (20, 25.0, 0.76)
    with pytest.raises(UserError, match="has no frame 20"):
        opened.frames([3, 20])
    assert told(opened.frames([4])) == [(0, 4)]  # and goes on serving what is there


def test_a_mapping_that_does_not_fit_is_refused_with_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "set", [toy_part(0)])
    wrong = {
        "no camera 'top' for 'head'; it has observation.images.top, observation.images.gripper_cam":
            {"cameras": {"head": CameraMapping("top")}},
        f"no feature 'state'; it has {STATE}, {ACTION}": {"state": ("state",)},
        f"{ACTION} has no z; it has grip, spare, y, x": {"action_names": ("x", "z", "grip")},
        "grip reaches from": {"gripper": {"grip": ChannelRange((0.0, 1.0), (0.0, 1.0))}},
        "x reaches": {"units": "radians"},
    }  # fmt: skip
    for said, change in wrong.items():
        with pytest.raises(UserError) as error:
            open_set(path, dataclasses.replace(OWN, **change))
        assert said in str(error.value)
        assert "\n" not in str(error.value)


def test_without_a_mapping_one_line_says_what_to_map(tmp_path: Path) -> None:
    path = write(tmp_path / "set", [toy_part(0)])
    with pytest.raises(UserError) as error:
        source.open_source(path)
    said = str(error.value)
    assert "--mapping" in said and "\n" not in said
    assert HEAD in said and f"{STATE} with grip, spare, y, x" in said
    (tmp_path / "own.toml").write_text(TOML)
    assert isinstance(source.open_source(path, tmp_path / "own.toml").reader, MappedReader)
    with pytest.raises(UserError, match="no dataset at"):
        source.open_source(tmp_path / "nothing", tmp_path / "own.toml")


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "set", [toy_part(0)])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r'need av: pip install "aim-world-action\[lerobot\]"'):
        open_set(path, OWN)
