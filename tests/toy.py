"""A toy world with the very types of the real one: a hand, moved by two joints, goes to a spot and closes.

The head sees the spot as a small red disc and the hand as a large grey one, on a picture of a wooden colour; the wrist
sees the spot from the hand. The joints are the hand's place, so that what must be done can be told from the picture
alone, and only if pictures, states and actions are in step.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aim.data import shard, store
from aim.data.store import Dataset, Recipe
from sim.types import CONTACT_DTYPE, STEPS_PER_IMAGE, Episode, Observation, Provenance

CAMERAS = ("head", "left_wrist", "right_wrist")
JOINTS = 14
X, Y, GRIP = 0, 1, 6  # the channels that do something
SPEED = 0.02  # per control step; the table reaches from -1 to 1
RADIUS = {"hand": 0.16, "spot": 0.1}
SAY = "go to the red spot"


def episode(seed: int, side: int = 64, pictures: int = 17) -> Episode:
    """Return a straight run to the spot of `seed`, which ends with the gripper closed."""
    spot, start = places(seed)
    steps = (pictures - 1) * STEPS_PER_IMAGE
    state = np.zeros((steps + 1, JOINTS), np.float32)
    action = np.zeros((steps, JOINTS), np.float32)
    state[0, [X, Y]], state[:, GRIP] = start, 1.0
    for t in range(steps):
        action[t] = expert(state[t], spot)
        state[t + 1] = moved(state[t], action[t])
    seen = state[::STEPS_PER_IMAGE]
    images = {camera: np.stack([draw(camera, row, spot, side) for row in seen]) for camera in CAMERAS}
    maps = {camera: np.stack([value(camera, row, spot, side) for row in seen]) for camera in CAMERAS}
    return Episode(
        task=json.dumps({"name": "reach"}), robot="aloha", seed=seed, success=True, instruction=SAY, images=images,
        maps=maps, visible={c: np.ones((pictures, 3), bool) for c in CAMERAS}, depth={},
        intrinsics=dict.fromkeys(CAMERAS, np.eye(3)),
        extrinsics=dict.fromkeys(CAMERAS, np.tile(np.eye(4), (pictures, 1, 1))),
        state=state, action=action, executed=action, tool_pose=np.zeros((steps + 1, 2, 7), np.float32),
        bodies=("spot",),
        body_pose=np.zeros((steps + 1, 1, 7), np.float32), joints=(), joint=np.zeros((steps + 1, 0), np.float32),
        sim_state=np.zeros((steps + 1, 1)), contacts=np.zeros(0, CONTACT_DTYPE), events=(), provenance=Provenance(),
    )  # fmt: skip


def dataset(path: Path, episodes: Sequence[Episode], side: int = 64) -> Dataset:
    """Write episodes with seeds 0, 1, ... to `path` and return them as a dataset."""
    store.write_recipe(path, Recipe(tasks=("reach",), robot="aloha", cameras=CAMERAS, size=(side, side)))
    (path / store.SHARDS_FOLDER).mkdir()
    file = path / store.SHARDS_FOLDER / shard.format_file_name("reach", 0)
    shard.write_shard(file, "reach", range(len(episodes)), episodes)
    return store.open_dataset(path)


def places(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where the spot of a seed lies and where the hand starts, at least half a table apart."""
    draw = np.random.default_rng([seed, 7])
    while True:
        spot, start = draw.uniform(-0.8, 0.8, (2, 2)).astype(np.float32)
        if np.hypot(*(spot - start)) > 0.5:
            return spot, start


def expert(state: NDArray, spot: NDArray) -> NDArray[np.float32]:
    """Return the action that goes straight to the spot, and closes there."""
    way = spot - state[[X, Y]]
    far = float(np.hypot(*way))
    action = np.zeros(JOINTS, np.float32)
    action[[X, Y]] = state[[X, Y]] + way * min(1.0, SPEED / max(far, 1e-9))
    action[GRIP] = 0.0 if far < 0.05 else 1.0
    return action


def moved(state: NDArray, action: NDArray) -> NDArray[np.float32]:
    """Return the state after an action: the joints go there, no faster than they can; the gripper at once."""
    result = action.astype(np.float32).copy()
    way = action[[X, Y]] - state[[X, Y]]
    result[[X, Y]] = state[[X, Y]] + way * min(1.0, 1.5 * SPEED / max(float(np.hypot(*way)), 1e-9))
    return result


def observation(states: NDArray, spots: NDArray, step: int, side: int = 64) -> Observation:
    """Return what a policy sees of n copies."""
    images = {c: np.stack([draw(c, s, p, side) for s, p in zip(states, spots, strict=True)]) for c in CAMERAS}
    return Observation(images, states.astype(np.float32), (SAY,) * len(states), np.full(len(states), step / 50))


def draw(camera: str, state: NDArray, spot: NDArray, side: int) -> NDArray[np.uint8]:
    """Return a picture; the right wrist, of an arm that rests, sees nothing but wood."""
    picture = np.empty((side, side, 3), np.float32)
    picture[:] = (150, 120, 90)
    picture += 20.0 * (np.indices((side, side)).sum(0) * 16 // side % 2)[..., None]
    if camera == "head":
        _disc(picture, state[[X, Y]], RADIUS["hand"], (110, 110, 120) if state[GRIP] > 0.5 else (40, 40, 50))
    if camera != "right_wrist":
        _disc(picture, spot - (state[[X, Y]] if camera == "left_wrist" else 0.0), RADIUS["spot"], (220, 30, 30))
    return picture.astype(np.uint8)


def value(camera: str, state: NDArray, spot: NDArray, side: int) -> NDArray[np.uint8]:
    """Return a value map: a bell on the spot, in the channel of picking."""
    result = np.zeros((side, side, 3), np.uint8)
    if camera != "right_wrist":
        away = _distance(spot - (state[[X, Y]] if camera == "left_wrist" else 0.0), side)
        result[..., 0] = np.round(255 * np.exp(-0.5 * (away / RADIUS["spot"]) ** 2))
    return result


def _disc(picture: NDArray[np.float32], place: NDArray, radius: float, colour: tuple[int, int, int]) -> None:
    side = len(picture)
    cover = np.clip((radius - _distance(place, side)) * side / 2 + 0.5, 0, 1)[..., None]
    picture[:] = picture * (1 - cover) + np.asarray(colour) * cover


def _distance(place: NDArray, side: int) -> NDArray[np.float64]:
    line = (np.arange(side) + 0.5) / side * 2 - 1
    return np.hypot(line[None, :] - place[0], line[:, None] - place[1])
