"""Several folders read as one dataset: every episode as it is in its own folder, and what does not match is a line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import synthetic
from lerobot_set import TOML, toy_part, write

from aim.data import source
from aim.data.action_space import ActionSpace, ChannelKind
from aim.data.collect.local import collect_dataset
from aim.data.joined import JoinedReader, _join_spaces
from aim.data.store import Recipe
from sim.types import UserError

RECIPE = Recipe(tasks=("bell",), robot="aloha", cameras=synthetic.CAMERAS, size=(12, 16))


def make(path: Path, recipe: Recipe = RECIPE, **changes: object) -> Path:
    """Record two episodes with some of the recipe changed."""
    collect_dataset(dataclasses.replace(recipe, **changes), 2, path, 1, synthetic.recorded)  # pyright: ignore
    return path


def test_every_episode_is_as_in_its_own_folder(tmp_path: Path) -> None:
    folders = [make(tmp_path / "one", depth=True), make(tmp_path / "two", seed=20, depth=True)]
    joined = source.open_sources(folders)
    alone = [source.open_source(folder) for folder in folders]
    pairs = [(each, ref) for each in alone for ref in each.episodes]
    assert len(joined.episodes) == len(pairs) == 4
    assert [ref.index for ref in joined.episodes] == [0, 1, 2, 3]
    for ref, (own, there) in zip(joined.episodes, pairs, strict=True):
        assert (ref.identity, ref.pictures) == (there.identity, there.pictures) and str(own.path) in ref.name
        for name in ("state", "action", "instruction"):
            np.testing.assert_array_equal(vars(joined.motion(ref))[name], vars(own.motion(there))[name])
        for camera in joined.cameras:
            np.testing.assert_array_equal(joined.pictures(ref, camera, [0, -1]), own.pictures(there, camera, [0, -1]))
            maps = joined.maps(ref, camera, [1]), own.maps(there, camera, [1])
            np.testing.assert_array_equal(*maps)  # pyright: ignore
    joined.reader.close()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cameras": ("head",)}, "must have the same cameras: .*one has head, wrist, .*two head"),
        ({"size": (16, 16)}, "must have the same size of pictures: .*one has 12x16, .*two 16x16"),
        ({"depth": True}, "must have the same depth"),
        ({"seed": 0}, r"2 episodes are in two of the --data folders, as .*one: bell seed 0; give each once"),
    ],
)
def test_folders_that_do_not_match_are_refused(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    folders = [make(tmp_path / "one"), make(tmp_path / "two", **{"seed": 20, **changes})]
    with pytest.raises(UserError, match=says) as error:
        source.open_sources(folders)
    assert "\n" not in str(error.value)


def test_another_robot_and_another_mapping_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(TOML)
    (tmp_path / "text.toml").write_text(TOML.replace("do it", "do that"))
    sets = [write(tmp_path / name, [toy_part(seed)]) for seed, name in enumerate(("one", "two"))]
    ours = make(tmp_path / "ours")
    with pytest.raises(UserError, match=r"the same robot: .*ours has aloha, .*one toyarm"):
        JoinedReader([source.open_source(ours).reader, source.open_source(sets[0], tmp_path / "own.toml").reader])
    mappings = [tmp_path / "own.toml", tmp_path / "text.toml"]
    readers = [source.open_source(path, own).reader for path, own in zip(sets, mappings, strict=True)]
    with pytest.raises(UserError, match="are read by other mappings; give one --mapping for both"):
        JoinedReader(readers)
    both = source.open_sources(sets, tmp_path / "own.toml")
    assert len(both.episodes) == 2 and both.own is not None
    low = [min(source.open_source(path, mappings[0]).info.action.low[0] for path in sets), both.info.action.low[0]]
    assert low[0] == low[1], "bounds are the widest"


def test_numbers_of_episodes_are_those_of_one_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="count the episodes of one folder"):
        source.open_sources([tmp_path, tmp_path], None, (0,))
    with pytest.raises(UserError, match="give --data"):
        source.open_sources([])


def test_bounds_and_speeds_are_the_widest_of_all() -> None:
    kinds: tuple[ChannelKind, ...] = ("joint_position", "gripper")
    one = ActionSpace(("a", "b"), kinds, (-1.0, 0.0), (2.0, 1.0), (3.0, 0.5), 50.0)
    two = ActionSpace(("a", "b"), kinds, (-2.0, 0.1), (1.0, 1.5), (2.0, 0.7), 50.0)
    for spaces in ([one, two], [two, one]):
        assert _join_spaces(spaces) == ActionSpace(("a", "b"), kinds, (-2.0, 0.0), (2.0, 1.5), (3.0, 0.7), 50.0)
