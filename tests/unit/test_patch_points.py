"""Points of patches against pixel after pixel, `sim.camera`'s projection and rigid motion."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from synthetic import episode

from aim.config import View
from aim.data import flat, shard, store
from aim.data.patch_points import Grid, compute_episode_points, compute_observed_points, compute_patch_points
from aim.data.store import Dataset, Recipe
from aim.model.embed import embed_points
from aim.model.image_codec import make_zero_shifts
from sim import robots, tasks
from sim.camera import compute_intrinsics, project_points
from sim.envs.env import Env
from sim.episodes import record
from sim.geometry import quat_to_matrix
from sim.types import Episode, Observation, UserError

VIEWS = (View("wrist", 64, 64), View("head", 32, 96))
GRIDS = ((2, 2), (1, 3))


def rigid(draw: np.random.Generator) -> NDArray[np.float64]:
    """Return a random rigid transform (4 4)."""
    turn = draw.normal(size=4)
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = quat_to_matrix(turn / np.linalg.norm(turn)), draw.normal(size=3)
    return transform


def one_by_one(depth: NDArray, k: NDArray, extrinsics: NDArray, grid: Grid) -> NDArray[np.float64]:
    """Return what `compute_patch_points` must return of one picture (h w), a pixel at a time."""
    (h, w), back = depth.shape, np.linalg.inv(extrinsics)
    total = np.zeros((grid[0], grid[1], 4))
    for v in range(h):
        for u in range(w):
            if depth[v, u] > 0 and np.isfinite(depth[v, u]):
                world = back @ np.append(np.linalg.inv(k) @ [u, v, 1.0] * depth[v, u], 1.0)
                total[int((v + 0.5) / h * grid[0]), int((u + 0.5) / w * grid[1])] += world
    return (total / np.maximum(total[..., 3:], 1)).reshape(-1, 4)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), h=st.integers(4, 40), w=st.integers(4, 40), down=st.integers(1, 4),
       across=st.integers(1, 4), holes=st.floats(0, 1))  # fmt: skip
def test_a_point_is_the_mean_over_its_pixels(seed: int, h: int, w: int, down: int, across: int, holes: float) -> None:
    draw = np.random.default_rng(seed)
    depth = draw.uniform(0.1, 3.0, (h, w)).astype(np.float32)
    depth[draw.uniform(size=(h, w)) < holes] = draw.choice([0.0, np.nan, np.inf, -1.0])
    k, eye = compute_intrinsics(draw.uniform(0.4, 1.6), (h, w)), rigid(draw)
    found = compute_patch_points(depth, k, eye, (down, across))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, one_by_one(depth, k, eye, (down, across)), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_what_a_patch_shows_of_a_plane_lies_on_it_and_within_the_patch(seed: int) -> None:
    draw = np.random.default_rng(seed)
    (h, w), (down, across) = (48, 64), (3, 4)
    k, eye = compute_intrinsics(draw.uniform(0.5, 1.2), (h, w)), rigid(draw)
    normal = np.append(draw.uniform(-0.5, 0.5, 2), 1.0)
    rows, columns = np.mgrid[:h, :w]
    depth = 1.0 / (np.stack([columns, rows, np.ones((h, w))], -1) @ np.linalg.inv(k).T @ normal)
    found = compute_patch_points(depth.astype(np.float32), k, eye, (down, across))
    local = found @ eye.T
    np.testing.assert_allclose(local[:, :3] @ normal, 1.0, atol=1e-5)
    uv, _ = project_points(found[:, :3], k, eye)
    centres = (np.stack(np.divmod(np.arange(down * across), across)[::-1], -1) + 0.5) * 16 - 0.5
    assert (np.abs(uv - centres) < 8).all()
    flat_on = compute_patch_points(np.full((h, w), 0.7, np.float32), k, eye, (down, across))
    np.testing.assert_allclose(project_points(flat_on[:, :3], k, eye)[0], centres, atol=2e-3)


def test_points_move_with_the_world() -> None:
    draw = np.random.default_rng(2)
    depth = draw.uniform(0.2, 2.0, (5, 32, 32)).astype(np.float32)
    depth[2, :16, :16] = 0.0
    k, eyes, move = compute_intrinsics(0.8, (32, 32)), np.stack([rigid(draw) for _ in range(5)]), rigid(draw)
    before = compute_patch_points(depth, k, eyes, (2, 2))
    after = compute_patch_points(depth, k, eyes @ np.linalg.inv(move), (2, 2))
    np.testing.assert_allclose(after, before @ move.T, atol=1e-5)
    assert not before[2, 0].any() and not after[2, 0].any() and (before[..., 3] == 1).sum() == 19


def test_pictures_do_not_depend_on_each_other() -> None:
    draw = np.random.default_rng(3)
    depth = draw.uniform(0.2, 2.0, (2, 3, 24, 32)).astype(np.float32)
    k = np.stack([compute_intrinsics(f, (24, 32)) for f in (0.6, 0.9)])[:, None]
    eyes = np.stack([[rigid(draw) for _ in range(3)] for _ in range(2)])
    every = compute_patch_points(depth, k, eyes, (3, 2))
    assert every.shape == (2, 3, 6, 4)
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(
            every[place], compute_patch_points(depth[place], k[place[0], 0], eyes[place], (3, 2))
        )


def test_more_patches_than_pixels_are_refused() -> None:
    with pytest.raises(UserError, match="2x8 are too small for 4x4 patches"):
        compute_patch_points(np.ones((2, 8), np.float32), np.eye(3), np.eye(4), (4, 4))


def kept(path: Path, made: Episode, size: tuple[int, int], robot: str = "aloha") -> Dataset:
    """Write an episode as a dataset of its own."""
    name = json.loads(made.task)["name"]
    cameras = tuple(made.images)
    store.write_recipe(path, Recipe((name,), robot, cameras, size, depth=bool(made.depth), block=1, seed=made.seed))
    (path / store.SHARDS_FOLDER).mkdir()
    file = path / store.SHARDS_FOLDER / shard.format_file_name(name, made.seed)
    shard.write_shard(file, name, range(made.seed, made.seed + 1), [made])
    return store.open_dataset(path)


def test_points_of_an_episode_come_view_by_view(tmp_path: Path) -> None:
    made = episode(seed=5, depth=True, size=(24, 36))
    data = kept(tmp_path / "set", made, (24, 36))
    found = compute_episode_points(data, data.episodes[0], VIEWS, GRIDS, make_zero_shifts(len(VIEWS)))
    assert found.shape == (4, 7, 4)
    again = flat.unflatten(flat.flatten(made))
    for view, grid, part in zip(VIEWS, GRIDS, np.split(found, [4], axis=1), strict=True):
        name = view.name
        alone = compute_patch_points(again.depth[name], made.intrinsics[name], made.extrinsics[name], grid)
        np.testing.assert_array_equal(part, alone)
    data.close()


def test_the_mend_is_named_where_there_is_no_depth(tmp_path: Path) -> None:
    data = kept(tmp_path / "set", episode(seed=5), (12, 16))
    with pytest.raises(UserError, match=r"has no depth pictures; record .* with `aim generate --depth`"):
        compute_episode_points(data, data.episodes[0], VIEWS, GRIDS, make_zero_shifts(len(VIEWS)))
    data.close()
    seen = Observation({}, np.zeros((1, 14), np.float32), ("",), np.zeros(1))
    with pytest.raises(UserError, match="no depth of wrist, head"):
        compute_observed_points(seen, VIEWS, GRIDS)


def test_a_policy_sees_the_points_that_were_recorded(tmp_path: Path) -> None:
    task, robot, size = tasks.load_task("click_bell"), robots.load_robot("panda"), (64, 64)
    views, grids = tuple(View(name, 32, 64) for name in robot.camera_names), ((2, 4),) * len(robot.camera_names)
    made = next(iter(record.record_episodes(task, robot, [1], size=size, depth=True)))
    data = kept(tmp_path / "set", dataclasses.replace(made, success=True), size, "panda")
    stored = compute_episode_points(data, data.episodes[0], views, grids, make_zero_shifts(len(views)))
    env = Env(task, robot, size=size, depth=True)
    env.reset([1])
    env.step(made.action[None, :8])  # two pictures on
    np.testing.assert_allclose(compute_observed_points(env.observe(), views, grids)[0], stored[2], atol=1e-3)
    assert np.abs(stored[0] - stored[-1]).max() > 0.02  # the wrist has gone to the bell
    assert stored[..., 3].all() and np.abs(stored[:, :, :3]).max() < 6.0  # all within the room
    env.close()
    data.close()


def test_a_point_becomes_waves_of_its_coordinates_and_nothing_where_it_is_not_known() -> None:
    point = [0.3, -1.0, 2.0]
    turns = [0.5 * math.pi * value * 2**octave for value in point for octave in range(7)]
    found = embed_points(torch.tensor([[[*point, 1.0], [*point, 0.0]]]))[0]
    expected = [*point, *map(math.cos, turns), *map(math.sin, turns), 1.0]
    torch.testing.assert_close(found[0], torch.tensor(expected), atol=1e-4, rtol=0)
    assert not found[1].any()
