"""A recorded set that is read says what is odd, every kind of it, and follows joints over their turns."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_set import MemorySet, map_joints

from aim.commands.imagine import imagine_futures
from aim.data.mapped import MAX_FILE_NOTES, choose_episodes, measure_space, read_recorded
from aim.data.mapping_file import MAPPING_FILE, mapping_to_json
from sim.types import UserError

FRAMES, FPS = 61, 25


def swing(episode: int) -> np.ndarray:
    """Joints (FRAMES, 2) that swing, in radians."""
    seconds = np.arange(FRAMES)[:, None] / FPS
    return np.array([0.5, 0.4]) * np.sin(seconds * [1.0, 1.3] + episode)


@pytest.mark.parametrize("count", [0, 1, MAX_FILE_NOTES, MAX_FILE_NOTES + 1, 3 * MAX_FILE_NOTES])
def test_notes_on_files_hide_no_others(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    """However many files are odd: what is odd in the motions is said, and how many files were left out."""
    frozen = [(swing(e) * [0.0, 1.0], swing(e)) for e in range(3 * MAX_FILE_NOTES)]
    read_recorded(MemorySet(frozen, "ab", "ab", file_notes=count), map_joints("ab"))
    heard = capsys.readouterr().err
    assert heard.count(" is odd") == min(count, MAX_FILE_NOTES)
    assert (f"{count - MAX_FILE_NOTES} more such notes on files" in heard) == (count > MAX_FILE_NOTES)
    assert "the state of 'a' stands still while its action moves, in 60 of 60 episodes" in heard


NUMBERS = st.sets(st.integers(0, 5)).map(lambda numbers: tuple(sorted(numbers)))


@given(only=NUMBERS, without=NUMBERS, own_only=NUMBERS, own_without=NUMBERS)
def test_what_is_asked_for_is_read_whatever_the_mapping_lists(
    only: tuple[int, ...], without: tuple[int, ...], own_only: tuple[int, ...], own_without: tuple[int, ...]
) -> None:
    recorded = MemorySet([(swing(e), swing(e)) for e in range(6)], "ab", "ab")
    mapping = dataclasses.replace(map_joints("ab"), only=own_only, without=own_without)
    usual = set(own_only or range(6)) - set(own_without)
    wanted = sorted((set(only) or usual) - set(without))
    if wanted:
        assert choose_episodes(recorded, mapping, only, without) == wanted
        return
    with pytest.raises(UserError, match="no episode is left to read"):
        choose_episodes(recorded, mapping, only, without)


@pytest.mark.parametrize("lists", [{"only": (7,)}, {"without": (7,)}, {"only": (1, 9), "without": (1,)}, {}])
@pytest.mark.parametrize("asked", ["", "1", "1,4"])
def test_the_mapping_that_a_run_keeps_chooses_no_episodes_of_other_data(
    tmp_path: Path, lists: dict[str, tuple[int, ...]], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = dataclasses.replace(map_joints("ab"), **lists)
    (tmp_path / MAPPING_FILE).write_text(mapping_to_json(mapping))
    recorded = MemorySet([(swing(e), swing(e)) for e in range(5)], "ab", "ab")

    def read(*told: Any) -> NoReturn:  # noqa: ANN401
        """Say which episodes are read, in place of reading them."""
        raise UserError(f"reads {choose_episodes(recorded, *told[1:])}")

    monkeypatch.setattr("aim.data.source.open_source", read)
    wanted = [int(number) for number in asked.split(",") if asked] or [0, 1, 2, 3, 4]
    with pytest.raises(UserError, match=re.escape(f"reads {wanted}")):
        imagine_futures(policy=tmp_path, data=tmp_path, out=tmp_path / "out", episodes=asked)


@pytest.mark.parametrize("turns", [-7.5, -1.0, 0.4, 3.0, 9.0])
def test_a_joint_that_wraps_may_turn_as_often_as_it_likes(turns: float) -> None:
    true = np.linspace(0, turns * 2 * np.pi, FRAMES + 1)
    seen = (true + np.pi) % (2 * np.pi) - np.pi
    rows = np.stack([seen, 0.3 * np.sin(true)], 1)
    data = read_recorded(MemorySet([(rows[:-1], rows[1:])], "ab", "ab"), map_joints("ab", wrap=["a"]))
    move = data.motion(data.episodes[0])
    moment = np.arange(len(move.state)) / 50 * FPS
    for found, frame in ((move.state, moment), (move.action, moment + 1)):
        np.testing.assert_allclose(found[:, 0] - seen[0], turns * 2 * np.pi * frame / FRAMES, atol=1e-4)


def test_a_recorded_space_says_rate_and_bounds_but_none_of_angles_that_turn() -> None:
    rows = swing(0)
    info = read_recorded(MemorySet([(rows, rows * 0.5)], "ab", "ab"), map_joints("ab", wrap=["a"])).info
    assert info.recorded_hz == FPS and info.state.rate_hz == info.action.rate_hz == 50
    for space, share in ((info.state, 1.0), (info.action, 0.5)):
        assert space.names == ("a", "b") and (space.low[0], space.high[0]) == (-np.inf, np.inf)
        np.testing.assert_allclose([space.low[1], space.high[1]], share * np.array([rows.min(0)[1], rows.max(0)[1]]))


@pytest.mark.parametrize(("joints", "said"), [
    ({}, "a reaches 300 radians in the state, where units is 'radians'; mend the mapping"),
    ({"wrap": ["b"]}, "a reaches 300 radians in the state"),
    ({"kind": "joint_delta", "wrap": ["a", "b"]}, "a reaches 300 radians in the action"),  # which is never followed
    ({"kind": "ee_pose"}, r"a reaches 300 metres or radians in the state, where it has no \[scale\]; mend the mapping"),
    ({"kind": "ee_delta"}, r"a reaches 300 metres or radians in the state, where it has no \[scale\]"),
])  # fmt: skip
def test_numbers_out_of_reach_are_named_with_what_mends_them(joints: dict[str, object], said: str) -> None:
    wide = 300 * np.sin(np.linspace(0, 2, FRAMES * 100))[:, None] * [1.0, 1e-3]
    with pytest.raises(UserError, match=said):
        read_recorded(MemorySet([(wide, wide)], "ab", "ab"), map_joints("ab", **joints))


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_a_recorded_space_says_how_fast_each_channel_went_either_way(way: float) -> None:
    """A displacement of 0.03 in 20 ms is 1.5 a second, 0.02 from a target to the next 1; episodes do not go on."""
    parts = [np.array([[-0.03, 0.0], [0.01, 0.02]]), np.array([[0.02, 9.0], [0.0, 9.01]])]
    moved = [(way * part).astype(np.float32) for part in parts]
    space = measure_space("ab", ("joint_delta", "joint_position"), moved, np.zeros(2, bool))
    np.testing.assert_allclose(space.max_speed, [1.5, 1.0], rtol=1e-4)
    np.testing.assert_allclose(sorted([way * space.low[0], way * space.high[0]]), [-0.03, 0.02], rtol=1e-4)
