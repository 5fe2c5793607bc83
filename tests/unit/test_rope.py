"""Rotary positions written out by hand: the canvas of the views, times of frames and actions, and the angles."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from models import CONFIGS, history

from aim.model import rope

GRID = (
    *((0, y, x) for y in range(2) for x in range(3)),
    *((1, y, x) for y in range(2) for x in range(2)),
    (2, 0, 0),
)  # a head of two by three tokens, a wrist of two by two and one of a single token


def test_wrists_stand_side_by_side_below_the_head() -> None:
    places = rope.compute_canvas_positions(replace(CONFIGS["tiny-paper"], token_grid=GRID))
    assert places.tolist() == [
        [0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2],
        [2, 0], [2, 1], [3, 0], [3, 1],
        [2, 2],
    ]  # fmt: skip
    assert len({tuple(place) for place in places.tolist()}) == len(GRID), "no two tokens share a place"


def test_frames_count_from_the_present_one_and_actions_lie_between_them() -> None:
    config = replace(history("tiny", 3, 32), token_grid=GRID)
    found = rope.compute_positions(config)
    tokens = len(GRID)
    for kind, times in (("past_obs", [-3, -2, -1]), ("x", [1, 2]), ("m", [1, 2]), ("c", [1, 2])):
        assert found[kind][:, 0].tolist() == [time for time in times for _ in range(tokens)], kind
        assert torch.equal(found[kind][:tokens, 1:], rope.compute_canvas_positions(config))
    assert found["o"][:, 0].tolist() == [0] * (tokens + 1)
    # four control steps a token, sixteen a frame: the middle of the first token is two steps after the present
    assert found["a"][:, 0].tolist() == [(2 + 4 * token) / 16 for token in range(8)]
    assert found["past_act"][:, 0].tolist() == [(-30 + 4 * token) / 16 for token in range(8)]
    assert not found["a"][:, 1:].any()


def test_a_crop_lies_in_the_present_below_all_views() -> None:
    places = rope.compute_fovea_positions(replace(CONFIGS["fovea"], fovea=32, fovea_patch=16))
    assert places.tolist() == [[0, 64, 0], [0, 64, 1], [0, 65, 0], [0, 65, 1]]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_axis_turns_channels_of_its_own(axis: int) -> None:
    """Of sixteen channels eight pairs: four for time, two for down, two for across, each slower than the one before."""
    place = torch.zeros(1, 3)
    place[0, axis] = 1.5
    angles = [0.0] * 8
    first, pairs = ((0, 4), (4, 2), (6, 2))[axis]
    for pair in range(pairs):
        angles[first + pair] = 1.5 * 100.0 ** (-pair / pairs)
    z = torch.randn(1, 1, 1, 16, generator=torch.Generator().manual_seed(0))
    turned = rope.apply_rope(z, rope.build_rope_table(place, 16, 100.0))
    for pair, angle in enumerate(angles):
        a, b = float(z[..., pair]), float(z[..., pair + 8])
        assert float(turned[..., pair]) == pytest.approx(a * math.cos(angle) - b * math.sin(angle), abs=1e-6)
        assert float(turned[..., pair + 8]) == pytest.approx(b * math.cos(angle) + a * math.sin(angle), abs=1e-6)
