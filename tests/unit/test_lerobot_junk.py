"""Whatever stands in a set where something else should, wherever: it is read, or refused in one line."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lerobot_set import ACTION, HEAD, STATE, TOML, counted_part, edit_info, edit_list, edit_tables, embed_images, write

from aim.data.formats.lerobot import LeRobotSet
from aim.data.formats.lerobot_layout import READABLE_LEROBOT_VERSIONS
from aim.data.mapped import read_recorded
from aim.data.mapping_file import parse_mapping
from aim.data.recorded_checks import survey_recorded, verify_recorded
from aim.data.scaffold import write_scaffold
from sim.types import UserError

OWN = parse_mapping(tomllib.loads(TOML), "toy.toml")
HEAD_ALONE = dataclasses.replace(OWN, cameras={"head": OWN.cameras["head"]})
FRAMES = 12
JUNK: tuple[object, ...] = (None, 4, -1, float("nan"), "text", True, [], [3], ["a"], {}, {"a": 1})
BOTH_LAYOUTS = pytest.mark.parametrize("version", ["v3.0", "v2.1"])  # v2.0 is laid out as v2.1
ALL_VERSIONS = pytest.mark.parametrize("version", READABLE_LEROBOT_VERSIONS)
Verb = Callable[[LeRobotSet], object]
VERBS: tuple[Verb, ...] = (
    survey_recorded,
    verify_recorded,
    write_scaffold,
    lambda found: read_recorded(found, HEAD_ALONE),
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a good set of each version, of videos and of images."""
    folder = tmp_path_factory.mktemp("good")
    parts = [counted_part(episode, FRAMES) for episode in range(2)]
    for version in READABLE_LEROBOT_VERSIONS:
        write(folder / version, parts, version)
        embed_images(write(folder / f"{version} images", parts, version), parts)
    return folder


@pytest.fixture
def copies(good: Path, tmp_path: Path) -> Path:
    """Return a folder with copies of the good sets."""
    return Path(shutil.copytree(good, tmp_path / "copies"))


def try_verbs(path: Path) -> list[str]:
    """Do all that is done with a set; the lines of what was refused or reported. Any other error comes through."""
    lines: list[str] = []
    for verb in VERBS:
        try:
            lines += getattr(verb(LeRobotSet(path)), "problems", ())
        except UserError as error:
            lines.append(str(error))
    assert not any("\n" in line for line in lines)
    return lines


def replace_parts(value: Any, junk: object) -> Iterator[Any]:  # noqa: ANN401
    """Yield copies of nested lists and tables, in each of which one part is replaced, or left out."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        for change in (lambda there, key: there.update({key: junk}), lambda there, key: there.pop(key)):
            changed = copy.deepcopy(value)
            if isinstance(value, dict):
                change(changed, key)
            else:
                changed[key] = junk
            yield changed
        for inner in replace_parts(value[key], junk):
            changed = copy.deepcopy(value)
            changed[key] = inner
            yield changed


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_junk_in_what_a_set_says_of_itself(copies: Path, junk: object) -> None:
    file = copies / "v3.0 images/meta/info.json"
    info = json.loads(file.read_text())
    info["features"] = {key: info["features"][key] for key in (STATE, ACTION, HEAD, "timestamp")}
    for changed in replace_parts(info, junk):
        file.write_text(json.dumps(changed))
        try_verbs(file.parents[1])


@BOTH_LAYOUTS
@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_junk_in_the_list_of_episodes(copies: Path, version: str, junk: object, tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    edit_list(copies / version, lambda row: seen.append(row) or row)
    for place, key in enumerate([*seen[0], f"stats/{STATE}/min", f"stats/{STATE}/max"]):
        path = shutil.copytree(copies / version, tmp_path / str(place))
        try:
            edit_list(path, lambda row, key=key: row | {f"stats/{STATE}/min": [0.0] * 4, key: junk})
        except (pa.ArrowException, TypeError):
            continue  # no parquet file holds such
        try_verbs(path)


@BOTH_LAYOUTS
@pytest.mark.parametrize("file", ["tasks.jsonl", "episodes_stats.jsonl", "episodes.jsonl", "tasks.parquet"])
@pytest.mark.parametrize("junk", [*JUNK, {"min": ["a"], "max": ["b"]}, {STATE: {"min": ["a"], "max": ["b"]}}], ids=repr)
def test_junk_in_the_lists_beside(copies: Path, version: str, file: str, junk: object) -> None:
    for row in (junk, {"episode_index": 0, "stats": junk}, {"task_index": junk}, {"task_index": 0, "task": junk}):
        (copies / version / "meta" / file).write_text(json.dumps(row) + "\n")
        try_verbs(copies / version)


@ALL_VERSIONS
def test_known_damage_is_named(copies: Path, version: str) -> None:
    def features(**changes: object) -> dict[str, Any]:
        found = json.loads((copies / version / "meta/info.json").read_text())["features"]
        return found | {STATE: found[STATE] | changes}

    path = copies / version
    before = features()
    edit_info(path, features=features(shape=4))
    assert set(try_verbs(path)) == {
        f"{path}/meta/info.json is damaged (TypeError: 'int' object is not iterable); download it anew"
    }
    edit_info(path, features=before)
    edit_list(path, lambda row: row | {"tasks": [3]})
    assert any("episode 0 is damaged (AttributeError: " in line for line in try_verbs(path))


def test_times_that_are_no_numbers_are_named(copies: Path) -> None:
    for part, said in (("from", "from_timestamp nan s is not at a frame"), ("to", "to_timestamp is nan frames")):
        path = Path(shutil.copytree(copies / "v3.0", copies / part))
        key = f"videos/{HEAD}/{part}_timestamp"
        edit_list(path, lambda row, key=key: row | {key: float("nan")})
        lines = try_verbs(path)
        assert sum(said in line for line in lines) == 3, lines  # two episodes are verified, the first is read


@ALL_VERSIONS
def test_images_without_their_column(copies: Path, version: str) -> None:
    path = copies / f"{version} images"
    edit_tables(path, lambda columns: {name: column for name, column in columns.items() if name != HEAD})
    lines = try_verbs(path)
    assert sum(f"has no column '{HEAD}'; it has {STATE}" in line for line in lines) == 3, lines


@ALL_VERSIONS
@pytest.mark.parametrize("junk", [b"\xff" * 40, b"\0" * 40, bytes(range(40))], ids=["ff", "00", "counting"])
def test_pages_that_are_damaged(copies: Path, version: str, junk: bytes) -> None:
    """In whichever column of a parquet file the first page is damaged, what is read of it is one line."""
    file = sorted((copies / f"{version} images/data").rglob("*.parquet"))[0]
    whole, group = file.read_bytes(), pq.ParquetFile(file).metadata.row_group(0)
    damaged = 0
    for column in (group.column(i) for i in range(group.num_columns)):
        start = column.dictionary_page_offset or column.data_page_offset
        file.write_bytes(whole[:start] + junk + whole[start + len(junk) :])
        damaged += any("is damaged" in line for line in try_verbs(copies / f"{version} images"))
    assert damaged > 4
