"""Damaged copies of a set are refused or reported in one line, whatever was damaged and wherever; good ones are not."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from lerobot_set import (
    ACTION,
    HEAD,
    STATE,
    TOML,
    Part,
    counted_part,
    edit_info,
    edit_list,
    edit_tables,
    embed_images,
    film,
    write,
)

from aim.data.formats.lerobot import LeRobotSet
from aim.data.formats.lerobot_layout import READABLE_LEROBOT_VERSIONS
from aim.data.mapped import read_recorded
from aim.data.mapping_file import parse_mapping
from aim.data.recorded_checks import verify_recorded
from sim.types import UserError

OWN = parse_mapping(tomllib.loads(TOML), "toy.toml")
LENGTHS = (40, 40, 25, 33)
ALL_VERSIONS = pytest.mark.parametrize("version", READABLE_LEROBOT_VERSIONS)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a good set of each version, and one with pictures in parquet."""
    folder = tmp_path_factory.mktemp("good")
    parts = [moving_part(e, length) for e, length in enumerate(LENGTHS)]
    for version in READABLE_LEROBOT_VERSIONS:
        write(folder / version, parts, version, per_file=4)
    embed_images(write(folder / "images", parts, per_file=4), parts)
    return folder


def moving_part(episode: int, frames: int) -> Part:
    """Return an episode whose joints swing, each action the next state."""
    seconds = np.arange(frames + 1)[:, None] / 25
    joints = 40 * np.sin(2 * seconds + np.float32([0.3, 1.1, 2.0, 0.7]) + episode)
    joints[:, 0] = 55 + joints[:, 0]
    rows = joints.astype(np.float32)
    return Part(rows[:-1], rows[1:], counted_part(episode, frames).pictures)


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    """Return a folder with copies of the good sets."""
    shutil.copytree(good, tmp_path / "copies")
    return tmp_path / "copies"


def refuse(path: Path, says: str) -> None:
    """Demand that a set is refused in one line."""
    with pytest.raises(UserError, match=says) as error:
        read_recorded(LeRobotSet(path), OWN)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*READABLE_LEROBOT_VERSIONS, "images"])
def test_a_good_set_is_read_without_a_word(good: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(read_recorded(LeRobotSet(good / name), OWN).episodes) == len(LENGTHS)
    assert capsys.readouterr().err == ""
    assert verify_recorded(LeRobotSet(good / name)).problems == ()


@ALL_VERSIONS
@pytest.mark.parametrize(("column", "channel", "frame", "value"), [
    (STATE, 3, 0, np.nan), (STATE, 2, 39, np.inf), (ACTION, 0, 7, np.nan), (ACTION, 3, 24, -np.inf),
])  # fmt: skip
def test_numbers_that_are_none(copy: Path, version: str, column: str, channel: int, frame: int, value: float) -> None:
    def poison(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for row, (episode, at) in enumerate(zip(columns["episode_index"], columns["frame_index"], strict=True)):
            if (episode, at) == (1, frame):
                columns[column][row][channel] = value
        return columns

    edit_tables(copy / version, poison)
    refuse(copy / version, rf"episode 1: {column} '\w+' is not finite at frame {frame}; --without 1 ")
    assert "is not finite" in " ".join(verify_recorded(LeRobotSet(copy / version)).problems)


def drop_row(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Leave out a row of episode 2."""
    keep = [not (e == 2 and f == 11) for e, f in zip(columns["episode_index"], columns["frame_index"], strict=True)]
    return {name: [value for value, kept in zip(values, keep, strict=True) if kept] for name, values in columns.items()}


def swap_rows(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Exchange two rows of episode 2."""
    order = list(range(len(columns["frame_index"])))
    places = [i for i in order if columns["episode_index"][i] == 2]
    if places:
        order[places[4]], order[places[9]] = places[9], places[4]
    return {name: [values[i] for i in order] for name, values in columns.items()}


def repeat_row(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Have a row of episode 2 twice."""
    order = list(range(len(columns["frame_index"])))
    places = [i for i in order if columns["episode_index"][i] == 2]
    if places:
        order.insert(places[5], places[5])
    return {name: [values[i] for i in order] for name, values in columns.items()}


@pytest.mark.parametrize("name", [*READABLE_LEROBOT_VERSIONS, "images"])
@pytest.mark.parametrize("change", [drop_row, swap_rows, repeat_row])
def test_rows_that_are_not_the_frames(copy: Path, name: str, change: Any) -> None:  # noqa: ANN401
    edit_tables(copy / name, change)
    refuse(copy / name, "episode 2 has .* rows in .*, not frames 0 to 24; --without 2 ")


@ALL_VERSIONS
@pytest.mark.parametrize("by", [-3, -1, 1, 3])
def test_lengths_that_are_not_those_of_the_rows(copy: Path, version: str, by: int) -> None:
    edit_list(copy / version, lambda row: row | ({"length": row["length"] + by} if row["episode_index"] == 3 else {}))
    refuse(copy / version, "episode 3")


@ALL_VERSIONS
@pytest.mark.parametrize("fps", [5, 20, 24, 30, 50, 0, -25, float("nan")])
def test_a_rate_that_is_not_the_recordings(copy: Path, version: str, fps: float) -> None:
    edit_info(copy / version, fps=fps)
    refuse(copy / version, "frames a second, info.json says|fps is .*; valid are numbers above 0")


@pytest.mark.parametrize("fps", [20, 24, 30, 50])
def test_a_rate_that_is_not_that_of_the_clock(copy: Path, fps: float) -> None:
    edit_info(copy / "images", fps=fps)
    refuse(copy / "images", f"timestamp is not frame_index / {fps}: .* ms off at frame")


@ALL_VERSIONS
def test_episodes_that_are_swapped_in_the_list(copy: Path, version: str) -> None:
    other = {2: 3, 3: 2}
    edit_list(
        copy / version, lambda row: row | {"episode_index": other.get(row["episode_index"], row["episode_index"])}
    )
    refuse(copy / version, "episode 2")


def test_pictures_that_are_swapped_between_equal_episodes(copy: Path) -> None:
    span = f"videos/{HEAD}/"

    def swap(row: dict[str, Any]) -> dict[str, Any]:
        times = {0: (1.6, 3.2), 1: (0.0, 1.6)}
        if row["episode_index"] not in times:
            return row
        start, end = times[row["episode_index"]]
        return row | {f"{span}from_timestamp": start, f"{span}to_timestamp": end}

    edit_list(copy / "v3.0", swap)
    refuse(copy / "v3.0", "from_timestamp of episode 1 lies .* frames before episode 0 ends in the same video")


@pytest.mark.parametrize("episode", range(len(LENGTHS)))
@pytest.mark.parametrize("frames", [-12, -2, 2, 12.5, 40])
@pytest.mark.parametrize("both", [True, False])
def test_a_span_of_a_video_that_was_moved(copy: Path, episode: int, frames: float, both: bool) -> None:
    """Wherever the span of an episode is moved to, and whether its end moves too: nothing learns from a neighbour."""
    span = f"videos/{HEAD}/"

    def move(row: dict[str, Any]) -> dict[str, Any]:
        parts = ("from_timestamp", "to_timestamp") if both else ("from_timestamp",)
        if row["episode_index"] != episode:
            return row
        return row | {span + part: row[span + part] + frames / 25 for part in parts}

    edit_list(copy / "v3.0", move)
    refuse(copy / "v3.0", "from_timestamp|holds .* frames, the episode ends at")


@pytest.mark.parametrize("frames", [-5, -2, 2, 5])
def test_the_end_of_a_span_is_held_against_the_length(copy: Path, frames: int) -> None:
    key = f"videos/{HEAD}/to_timestamp"
    edit_list(copy / "v3.0", lambda row: row | {key: row[key] + frames / 25})
    refuse(copy / "v3.0", "from_timestamp to to_timestamp is .* frames, the episode has")


@ALL_VERSIONS
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_video_that_was_cut(copy: Path, version: str, share: float) -> None:
    video = sorted((copy / version / "videos").rglob("*.mp4"))[0]
    video.write_bytes(video.read_bytes()[: int(share * video.stat().st_size)])
    refuse(copy / version, "is cut short|is no video")


@ALL_VERSIONS
@pytest.mark.parametrize("rate", [20, 30])
def test_a_video_of_another_rate(copy: Path, version: str, rate: int) -> None:
    for video in (copy / version / "videos").rglob("*.mp4"):
        film(video, np.zeros((sum(LENGTHS), 64, 64, 3), np.uint8), rate, 2)
    refuse(copy / version, f"runs at {rate} frames a second, info.json says 25")


@ALL_VERSIONS
@pytest.mark.parametrize("width", [3, 5])
def test_shapes_that_are_not_those_of_the_rows(copy: Path, version: str, width: int) -> None:
    features = json.loads((copy / version / "meta/info.json").read_text())["features"]
    features[STATE] |= {"shape": [width], "names": [*"xy", "grip", *"ab"][:width]}
    edit_info(copy / version, features=features)
    refuse(copy / version, f"{STATE} has 4 numbers a row, info.json says {width}")


@ALL_VERSIONS
def test_rows_of_different_lengths(copy: Path, version: str) -> None:
    file = sorted((copy / version / "data").rglob("*.parquet"))[0]
    table = pq.ParquetFile(file).read()
    column = table[STATE].to_pylist()
    column[3] = column[3][:2]
    pq.write_table(table.set_column(table.column_names.index(STATE), STATE, [column]), file)
    refuse(copy / version, f"rows of {STATE} differ in length")


@ALL_VERSIONS
def test_statistics_that_are_not_those_of_the_rows(
    copy: Path, version: str, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    path = copy / version
    parts = [moving_part(e, length) for e, length in enumerate(LENGTHS)]
    true = [{"min": part.state.min(0).tolist(), "max": part.state.max(0).tolist()} for part in parts]

    def write_stats(stats: list[dict[str, list[float]]]) -> None:
        if version == "v3.0":
            edit_list(path, lambda row: row | {f"stats/{STATE}/{k}": v for k, v in stats[row["episode_index"]].items()})
        else:
            lines = [json.dumps({"episode_index": e, "stats": {STATE: each}}) for e, each in enumerate(stats)]
            (path / "meta/episodes_stats.jsonl").write_text("\n".join(lines) + "\n")

    write_stats(true)
    read_recorded(LeRobotSet(path), OWN)
    assert capsys.readouterr().err == ""
    write_stats([true[1], true[0], *true[2:]])  # of two episodes that were swapped
    read_recorded(LeRobotSet(path), OWN)
    heard = capsys.readouterr().err
    assert "episode 0: " in heard and "its statistics say" in heard and "there are 2 such" in heard


@ALL_VERSIONS
def test_odd_motions_are_reported(copy: Path, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    def freeze(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return columns | {STATE: [[*row[:3], 10.0] for row in columns[STATE]]}

    edit_tables(copy / version, freeze)
    read_recorded(LeRobotSet(copy / version), OWN)
    assert "the state of 'x' stands still while its action moves, in 4 of 4 episodes" in capsys.readouterr().err


@ALL_VERSIONS
def test_differences_that_are_mapped_as_targets_are_refused(copy: Path, version: str) -> None:
    def differ(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        pairs = zip(columns[STATE], columns[ACTION], strict=True)
        return columns | {ACTION: [[a[0], *(y - x for x, y in zip(s[1:], a[1:], strict=True))] for s, a in pairs]}

    edit_tables(copy / version, differ)
    refuse(copy / version, r"actions of x, y are differences, not targets; give the mapping \[joints\] kind = ")
    deltas = dataclasses.replace(OWN, kind="joint_delta")
    data = read_recorded(LeRobotSet(copy / version), deltas)
    for ref, length in zip(data.episodes, LENGTHS, strict=True):
        move, part = data.motion(ref), moving_part(ref.index, length)
        end = len(move.action) / 50 * 25  # in frames
        whole = int(end)
        true = np.deg2rad(part.state[whole] - part.state[0])[[3, 2]]
        if end == whole:
            np.testing.assert_allclose(move.action[:, :2].sum(0), true, atol=1e-4)
