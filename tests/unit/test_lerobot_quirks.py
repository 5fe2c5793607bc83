"""LeRobot sets as people have them: pictures in parquet, other paths, task tables, clocks, channels of one name."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lerobot_set import (
    ACTION,
    HEAD,
    NAMES,
    STATE,
    TOML,
    Part,
    counted_part,
    edit_info,
    edit_list,
    edit_tables,
    embed_images,
    told,
    toy_part,
    write,
)

from aim.data import source
from aim.data.formats.lerobot import LeRobotSet
from aim.data.formats.lerobot_columns import ImageColumn
from aim.data.formats.lerobot_layout import READABLE_LEROBOT_VERSIONS
from aim.data.image_fit import ImageFit
from aim.data.mapped import MappedReader, read_recorded
from aim.data.mapping import CameraMapping, ChannelRange, RobotMapping
from aim.data.mapping_file import parse_mapping
from sim.types import UserError

Clock = Callable[[np.ndarray, np.random.Generator], np.ndarray]
OWN: RobotMapping = parse_mapping(tomllib.loads(TOML), "toy.toml")
ALL_VERSIONS = pytest.mark.parametrize("version", READABLE_LEROBOT_VERSIONS)


def open_set(path: Path, mapping: RobotMapping = OWN) -> MappedReader:
    """Open a set with a mapping."""
    return read_recorded(LeRobotSet(path), mapping)


def instructions(reader: MappedReader) -> list[str]:
    """What the robot was told in each episode."""
    return [reader.motion(ref).instruction for ref in reader.episodes]


@ALL_VERSIONS
@pytest.mark.parametrize(("fps", "suffix"), [(25, ".png"), (10, ".png"), (30, ".jpg")])
def test_pictures_in_parquet_are_read_to_the_frame(tmp_path: Path, version: str, fps: int, suffix: str) -> None:
    parts = [counted_part(e, length) for e, length in enumerate((31, 90, 12))]
    data = open_set(embed_images(write(tmp_path / "set", parts, version, fps), parts, suffix))
    films = open_set(write(tmp_path / "films", parts, version, fps))
    for e, ref in enumerate(data.episodes):
        newest = [int(i * fps * 0.08 + 1e-6) for i in range(ref.pictures)]
        assert told(data.frames(ref, "head", range(ref.pictures))) == [(e, frame) for frame in newest]
        assert told(data.frames(ref, "left_wrist", [-1])[:, ::-1]) == [(e, newest[-1])]
        np.testing.assert_array_equal(data.motion(ref).state, films.motion(films.episodes[e]).state)


def test_colours_of_images_are_red_green_blue(tmp_path: Path) -> None:
    part = toy_part(0)
    red = np.zeros_like(part.pictures[HEAD])
    red[..., 0] = 200
    parts = [dataclasses.replace(part, pictures={key: red for key in part.pictures})]
    data = open_set(embed_images(write(tmp_path / "set", parts), parts))
    assert (data.frames(data.episodes[0], "head", [0]) == [200, 0, 0]).all()


@ALL_VERSIONS
def test_a_damaged_or_missing_image_is_named(tmp_path: Path, version: str) -> None:
    parts = [toy_part(seed) for seed in range(2)]
    path = embed_images(write(tmp_path / "set", parts, version), parts)

    def spoil(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        columns[HEAD][0] = {"bytes": b"no image", "path": None}
        columns[HEAD][2] = {"bytes": None, "path": "nowhere.png"}
        return columns

    edit_tables(path, spoil)
    data = open_set(path, dataclasses.replace(OWN, cameras={"wrist": OWN.cameras["left_wrist"]}))
    assert len(data.episodes) == 2
    with pytest.raises(UserError, match="row 0: the image is damaged"):
        open_set(path)


@ALL_VERSIONS
def test_lists_may_have_blank_lines_marks_and_separators_inside_texts(tmp_path: Path, version: str) -> None:
    words = "put it \u2028 into\x0b the \x85 box"
    parts = [dataclasses.replace(toy_part(seed), tasks=(words,)) for seed in range(2)]
    path = write(tmp_path / "set", parts, version)
    for file in (path / "meta").glob("*.json*"):
        lines = [json.dumps(json.loads(line), ensure_ascii=False) for line in file.read_text().split("\n") if line]
        file.write_bytes(b"\xef\xbb\xbf" + ("\r\n".join(lines) + "\r\n\n  \n").encode())
    assert instructions(open_set(path)) == [words] * 2


@ALL_VERSIONS
@pytest.mark.parametrize("table", ["tasks.parquet", "indexed.parquet", "tasks.jsonl"])
def test_tasks_stand_in_a_table_by_index(tmp_path: Path, version: str, table: str) -> None:
    path = write(tmp_path / "set", [toy_part(seed) for seed in range(3)], version)
    edit_list(path, lambda entry: {key: value for key, value in entry.items() if key != "tasks"})
    edit_tables(path, lambda columns: columns | {"task_index": [e % 2 for e in columns["episode_index"]]})
    rows = [{"task_index": 1, "task": "close it"}, {"task_index": 0, "task": "open it"}]
    if table == "tasks.jsonl":
        (path / "meta" / table).write_text("\n".join(map(json.dumps, rows)) + "\n")
    else:
        name = "task" if table == "tasks.parquet" else "__index_level_0__"
        columns = {"task_index": [1, 0], name: ["close it", "open it"]}
        pq.write_table(pa.table(columns), path / "meta/tasks.parquet")
    assert instructions(open_set(path)) == ["open it", "close it", "open it"]


@ALL_VERSIONS
@pytest.mark.parametrize("entry", [{"tasks": "open it"}, {"task": "open it"}, {"tasks": [" open it\n"]}])
def test_a_task_is_a_list_or_a_text(tmp_path: Path, version: str, entry: dict[str, Any]) -> None:
    path = write(tmp_path / "set", [toy_part(seed) for seed in range(2)], version)
    edit_list(path, lambda row: {key: value for key, value in row.items() if key != "tasks"} | entry)
    assert instructions(open_set(path)) == ["open it"] * 2


def test_other_placeholders_of_paths_are_filled(tmp_path: Path) -> None:
    parts = [counted_part(e, 30) for e in range(2)]
    path = write(tmp_path / "set", parts, "v2.1")
    for e in range(2):
        (path / f"data/chunk-000/episode_{e:06d}.parquet").rename(path / f"data/{e}.parquet")
        for key in parts[0].pictures:
            (path / f"videos/chunk-000/{key}/episode_{e:06d}.mp4").rename(path / f"videos/{key}_{e:03d}.mp4")
    edit_info(path, data_path="data/{episode}.parquet", video_path="videos/{camera}_{file_index:03d}.mp4")
    data = open_set(path)
    assert told(data.frames(data.episodes[1], "head", [3])) == [(1, 6)]
    for template in ("data/{number}.parquet", "data/{}.parquet", "data/{episode:q}.parquet"):
        edit_info(path, data_path=template)
        with pytest.raises(UserError, match=r"placeholders: {episode_chunk}, {chunk_index}"):
            open_set(path)


@pytest.mark.parametrize("column", ["frame_index", "timestamp", "index", "task_index"])
@ALL_VERSIONS
def test_bookkeeping_columns_may_be_missing(tmp_path: Path, version: str, column: str) -> None:
    parts = [toy_part(seed) for seed in range(3)]
    path, whole = write(tmp_path / "set", parts, version), open_set(write(tmp_path / "whole", parts, version))
    edit_tables(path, lambda columns: {key: value for key, value in columns.items() if key != column})
    data = open_set(path)
    for ref in data.episodes:
        np.testing.assert_array_equal(data.motion(ref).action, whole.motion(ref).action)


@ALL_VERSIONS
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t, rng: t, None),
        (lambda t, rng: t + 1 / 25, None),  # begins at one frame
        (lambda t, rng: t + 1.7e3, None),
        (lambda t, rng: t + rng.uniform(-0.008, 0.008, len(t)), "deviate by up to"),
        (lambda t, rng: t * 1.003, "deviate by up to"),
        (lambda t, rng: t * 1.06, "ms off at frame"),
        (lambda t, rng: t + (np.arange(len(t)) > 40) / 25, "ms off at frame"),  # a frame was dropped
        (lambda t, rng: t * np.where(np.arange(len(t)) == 50, np.nan, 1.0), "off at frame 50"),
    ],
)
def test_clocks_are_held_against_a_tolerance(
    tmp_path: Path, version: str, change: Clock, says: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "set", [counted_part(0, 90)], version)
    rng = np.random.default_rng(0)
    edit_tables(path, lambda columns: columns | {"timestamp": change(np.array(columns["timestamp"]), rng)})
    refused = says is not None and "off at" in says
    if refused:
        with pytest.raises(UserError, match=rf"{says}.*18\.0 ms are allowed; \[clock\] tolerance_s"):
            open_set(path)
        tolerant = dataclasses.replace(OWN, clock_tolerance_s=0.25)
        if "50" not in str(says):
            assert len(open_set(path, tolerant).episodes) == 1
    else:
        assert len(open_set(path).episodes) == 1
        heard = capsys.readouterr().err
        assert (says in heard) if says else ("deviate" not in heard)


def twins(path: Path) -> Path:
    """Give a set two arms whose channels have the same names."""

    def twice(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return columns | {key: [[*row, *(x + 1 for x in row)] for row in columns[key]] for key in (STATE, ACTION)}

    edit_tables(path, twice)
    features = json.loads((path / "meta/info.json").read_text())["features"]
    for key in (STATE, ACTION):
        features[key] |= {"shape": [8], "names": [list(NAMES), list(NAMES)]}
    edit_info(path, features=features)
    return path


def test_channels_of_one_name_are_named_by_their_numbers(tmp_path: Path) -> None:
    path = twins(write(tmp_path / "set", [toy_part(0)]))
    with pytest.raises(UserError, match=r"'x' is the name of channels 3, 7 of .*; name them by their numbers"):
        open_set(path)
    pair = ChannelRange((6.0, 106.0), (6.0, 106.0))
    names = ("7", "6", "4")
    numbered = dataclasses.replace(OWN, names=names, action_names=names, gripper={"4": pair})
    found, plain = open_set(path, numbered), open_set(write(tmp_path / "plain", [toy_part(0)]))
    shift = np.float32([np.deg2rad(1), np.deg2rad(1), 0])
    expected = plain.motion(plain.episodes[0]).state + shift
    np.testing.assert_allclose(found.motion(found.episodes[0]).state, expected, atol=1e-6)
    with pytest.raises(UserError, match="has no 8; it has grip, spare"):
        open_set(path, dataclasses.replace(numbered, names=("8",), action_names=("8",), gripper={}))


def test_rows_that_are_tables_are_read_by_number(tmp_path: Path) -> None:
    path = write(tmp_path / "set", [toy_part(0)])
    edit_tables(path, lambda c: c | {key: [[row[:2], row[2:]] for row in c[key]] for key in (STATE, ACTION)})
    features = json.loads((path / "meta/info.json").read_text())["features"]
    for key in (STATE, ACTION):
        features[key] |= {"shape": [2, 2], "names": None}
    edit_info(path, features=features)
    names = ("3", "2", "0")
    pair = ChannelRange((5.0, 105.0), (5.0, 105.0))
    found = open_set(path, dataclasses.replace(OWN, names=names, action_names=names, gripper={"0": pair}))
    plain = open_set(write(tmp_path / "plain", [toy_part(0)]))
    np.testing.assert_array_equal(found.motion(found.episodes[0]).state, plain.motion(plain.episodes[0]).state)


def test_a_vector_is_made_of_several_features(tmp_path: Path) -> None:
    path = write(tmp_path / "set", [toy_part(0)])
    features = json.loads((path / "meta/info.json").read_text())["features"]
    features |= {
        "arm": {"dtype": "float32", "shape": [3], "names": list(NAMES[1:])},
        "hand": {"dtype": "float32", "shape": [1]},
    }
    edit_info(path, features=features)
    edit_tables(path, lambda c: c | {"arm": [r[1:] for r in c[STATE]], "hand": [r[0] for r in c[STATE]]})
    pair = ChannelRange((5.0, 105.0), (5.0, 105.0))
    mapping = dataclasses.replace(
        OWN, state=("arm", "hand"), names=("x", "y", "hand:0"), action_names=("x", "y", "grip"),
        gripper={"hand:0": pair}, state_only=("spare",),
    )  # fmt: skip
    found, plain = open_set(path, mapping), open_set(write(tmp_path / "plain", [toy_part(0)]))
    state = found.motion(found.episodes[0]).state
    assert found.info.state.names == ("x", "y", "hand:0", "spare")
    np.testing.assert_array_equal(state[:, :3], plain.motion(plain.episodes[0]).state)
    np.testing.assert_allclose(state[:, 3], np.deg2rad(7.0), atol=1e-6)


def test_a_set_may_be_read_without_state(tmp_path: Path) -> None:
    path = write(tmp_path / "set", [toy_part(0)])
    found = open_set(path, dataclasses.replace(OWN, state=()))
    assert found.motion(found.episodes[0]).state.shape[1] == 0 == len(found.info.state)
    assert source.Source(found).relative == (False, False, False)


@pytest.mark.parametrize(("fit", "shape"), [("letterbox", (64, 64)), ("crop", (32, 32)), ("squeeze", (32, 64))])
def test_pictures_that_are_not_square_are_fitted_and_it_is_said(
    tmp_path: Path, fit: ImageFit, shape: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    part = toy_part(0)
    wide = {key: pictures[:, 16:48] for key, pictures in part.pictures.items()}
    path = write(tmp_path / "set", [dataclasses.replace(part, pictures=wide)])
    mapping = dataclasses.replace(OWN, cameras={"head": CameraMapping(HEAD, fit)})
    data = open_set(path, mapping)
    seen = data.frames(data.episodes[0], "head", [0])[0].astype(int)
    assert seen.shape[:2] == data.info.size == shape
    assert f"head of 32 x 64 is {fit[:5]}" in capsys.readouterr().err
    middle = {"letterbox": seen[16:48], "crop": seen, "squeeze": seen}[fit]
    true = wide[HEAD][0].astype(int)
    assert np.abs(middle - (true[:, 16:48] if fit == "crop" else true)).mean() < 6.0
    if fit == "letterbox":
        assert not seen[:16].any() and not seen[48:].any()


def test_a_cache_of_the_hub_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = tmp_path / "hub/datasets--someone--toys"
    write(hub / "snapshots/abc", [toy_part(0)])
    (hub / "refs").mkdir()
    (hub / "refs/main").write_text("abc\n")
    assert source.open_source(hub, OWN).path == hub / "snapshots/abc"
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HF_LEROBOT_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert source.open_source(Path("someone/toys"), OWN).path == hub / "snapshots/abc"
    with pytest.raises(UserError, match="hf download someone/else --repo-type dataset --local-dir else"):
        source.open_source(Path("someone/else"), OWN)


@ALL_VERSIONS
def test_episodes_are_chosen_and_left_out(tmp_path: Path, version: str) -> None:
    def poison(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        rows = zip(columns["episode_index"], columns[STATE], strict=True)
        return columns | {STATE: [[np.nan, *row[1:]] if e in (1, 3) else row for e, row in rows]}

    path = write(tmp_path / "set", [toy_part(seed) for seed in range(5)], version)
    edit_tables(path, poison)
    with pytest.raises(UserError, match=r"episode 1: .* --without 1,3 leaves out .* \(2 of 5 episodes\)"):
        open_set(path)
    for given in ({"without": (1, 3)}, {"only": (0, 2, 4)}, {"only": (0, 1, 2, 4), "without": (1,)}):
        refs = source.open_source(path, OWN, **given).episodes
        assert [ref.name for ref in refs] == ["episode 0", "episode 2", "episode 4"]
        assert len(open_set(path, dataclasses.replace(OWN, **given)).episodes) == 3
    with pytest.raises(UserError, match="has no episode 9; it has 0-4"):
        source.open_source(path, OWN, without=(9,))


@ALL_VERSIONS
def test_an_episode_without_frames_is_left_out_with_a_note(
    tmp_path: Path, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "set", [toy_part(seed) for seed in range(3)], version)
    edit_list(path, lambda entry: entry | ({"length": 0} if entry["episode_index"] == 1 else {}))
    assert [ref.name for ref in open_set(path).episodes] == ["episode 0", "episode 2"]
    assert "no frames in episodes 1; they are left out" in capsys.readouterr().err


def test_one_frame_too_many_in_a_video_is_cut_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [counted_part(e, 31) for e in range(2)]
    path = write(tmp_path / "set", parts, "v2.1")

    def shorter(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {key: values[:-surplus] for key, values in columns.items()}

    surplus = 2
    edit_tables(path, shorter)
    edit_list(path, lambda entry: entry | {"length": entry["length"] - surplus})
    data = open_set(path)
    assert told(data.frames(data.episodes[1], "head", [-1])) == [(1, 28)]
    assert "holds 2 frames more than episode 1; they are cut" in capsys.readouterr().err
    edit_tables(path, shorter)
    edit_list(path, lambda entry: entry | {"length": entry["length"] - surplus})
    with pytest.raises(UserError, match="holds 31 frames, the episode has 27"):
        open_set(path)


def test_a_wrapping_joint_is_read_the_short_way_once_it_is_declared(tmp_path: Path) -> None:
    """A joint that turns on: 3.1 rad is followed by -3.1, in the state and between state and target."""
    count = np.arange(60)
    turning = np.rad2deg(2.9 + 0.02 * count)
    wrapped = (turning + 180.0) % 360.0 - 180.0
    ahead = (turning + 5.0 + 180.0) % 360.0 - 180.0
    state, action = (np.stack([count * 0 + 50.0, count * 0, x, x * 0], 1).astype(np.float32) for x in (wrapped, ahead))
    part = Part(state, action, counted_part(0, 60).pictures)
    path = write(tmp_path / "set", [part])
    with pytest.raises(UserError, match=r"'y' jumps by 6\.\d radians after frame 1\d; list it in \[joints\] wrap"):
        open_set(path)
    data = open_set(path, dataclasses.replace(OWN, wrap=("y",)))
    move = data.motion(data.episodes[0])
    np.testing.assert_allclose(np.diff(move.state[:, 1]), 0.02 * 25 / 50, atol=1e-4)
    np.testing.assert_allclose(move.action[:, 1] - move.state[:, 1], np.deg2rad(5.0), atol=1e-4)
    still = np.tile(np.float32([50, 0, 179, 0]), (10, 1))
    near = Part(still, still * np.float32([1, 1, -1, 1]), {key: p[:10] for key, p in part.pictures.items()})
    path = write(tmp_path / "near", [near])
    with pytest.raises(UserError, match=r"'y' is 6\.\d radians from the measured angle at frame 0; list it in"):
        open_set(path)


@pytest.mark.parametrize("group", [1, 2, 5])
def test_images_are_found_in_whatever_row_group_they_lie(tmp_path: Path, group: int) -> None:
    shades = [10 * row for row in range(7)]
    cells = [{"bytes": cv2.imencode(".png", np.full((2, 3, 3), shade, np.uint8))[1].tobytes()} for shade in shades]
    pq.write_table(pa.table({HEAD: cells}), tmp_path / "part.parquet", row_group_size=group)
    column = ImageColumn(tmp_path, tmp_path / "part.parquet", HEAD)
    for rows in ([0, 1, 2, 3, 4, 5, 6], [6, 0, 5, 1, 1, 4], [3]):
        assert column.frames(rows)[:, 0, 0, 0].tolist() == [shades[row] for row in rows]
    column.close()
