"""Hand-made episodes of any size from a seed, and a source that records them as a simulator would."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence

import numpy as np

from aim.data.collect.jobs import RecordingJob
from aim.data.store import Dataset
from aim.data.variations import choose_variation
from sim.episodes.value_maps import annotate_episode
from sim.types import CONTACT_DTYPE, AttemptFailure, Episode, Event, FailureCause, Provenance

CAMERAS = ("head", "wrist")
PROVENANCE = Provenance(aim="0.1.0", commit="abc", mujoco="4.0.0", renderer="opengl: a card")
LOST = AttemptFailure(FailureCause.SLIPPED, "bell slipped", "pick a bell top", ("raised bell",))


def episode(
    seed: int = 0,
    task: str = "bell",
    pictures: int = 4,
    cameras: Sequence[str] = CAMERAS,
    size: tuple[int, int] = (12, 16),
    depth: bool = False,
    success: bool = True,
    variation: str = "clean",
) -> Episode:
    """Return an episode drawn from the seed: bodies that wander before a still camera, maps that follow from them."""
    draw = np.random.default_rng(seed)
    steps, (h, w) = (pictures - 1) * 4, size
    ramp = np.add.outer(np.linspace(0, 90, h), np.linspace(0, 90, w))[None, ..., None]
    contacts = np.zeros(draw.integers(0, 9), CONTACT_DTYPE)
    contacts["force"] = draw.uniform(size=len(contacts))
    poses = np.zeros((steps + 1, 3, 7), np.float32)
    poses[..., :3] = np.cumsum(draw.normal(size=(steps + 1, 3, 3)) * 0.01, axis=0)
    poses[..., 3] = 1.0
    two_away = np.eye(4)
    two_away[2, 3] = 2.0
    points = (draw.normal(size=(5, 3)) * 0.02).astype(np.float32)
    bare = Episode(
        task=json.dumps({"name": task}),
        robot="aloha",
        seed=seed,
        success=success,
        instruction="ring the bell, s'il te plaît",
        images={c: (ramp + draw.uniform(0, 75, (pictures, 1, 1, 3))).astype(np.uint8) for c in cameras},
        maps={},
        visible={},
        depth={c: draw.uniform(0, 3, (pictures, h, w)).astype(np.float32) for c in cameras} if depth else {},
        intrinsics={c: np.array([[2.0 * w, 0, (w - 1) / 2], [0, 2.0 * w, (h - 1) / 2], [0, 0, 1]]) for c in cameras},
        extrinsics={c: np.repeat(two_away[None], pictures, axis=0) for c in cameras},
        state=draw.normal(size=(steps + 1, 14)).astype(np.float32),
        action=draw.normal(size=(steps, 14)).astype(np.float32),
        executed=draw.normal(size=(steps, 14)).astype(np.float32),
        tool_pose=draw.normal(size=(steps + 1, 2, 7)).astype(np.float32),
        bodies=("table", "bell", "hammer"),
        body_pose=poses,
        joints=("bell.button",),
        joint=draw.normal(size=(steps + 1, 1)).astype(np.float32),
        sim_state=draw.normal(size=(steps + 1, 60)),
        contacts=contacts,
        events=(
            Event("pick", min(4, steps), "left", "hammer", points[:2]),
            Event("press", steps, "right", "bell", points[2:]),
        ),
        provenance=PROVENANCE,
        variation=variation,
        redraws=seed % 3,
        failure=None if success else LOST,
    )
    maps, visible = annotate_episode(bare)
    return dataclasses.replace(bare, maps=maps, visible=visible)


def succeeds(seed: int) -> bool:
    """Whether the episode of a seed succeeds: three of four do, and a whole block of ten does not."""
    return seed % 4 != 3 and not 30 <= seed < 40


def recorded(order: RecordingJob) -> Iterator[Episode]:
    """Yield the episodes of an order."""
    for seed in order.seeds:
        yield episode(
            seed,
            order.task,
            cameras=order.cameras,
            size=order.size,
            depth=order.depth,
            success=succeeds(seed),
            variation=choose_variation(order.variation, seed),
        )


def uneven(order: RecordingJob) -> Iterator[Episode]:
    """Yield them too, the earlier blocks taking longer, so that blocks finish out of order."""
    time.sleep(0.3 if order.seeds.start % 20 == 0 else 0.0)
    yield from recorded(order)


def slow(order: RecordingJob) -> Iterator[Episode]:
    """Yield them, one every 50 ms."""
    for each in recorded(order):
        time.sleep(0.05)
        yield each


def failing(order: RecordingJob) -> Iterator[Episode]:
    """Yield the first block and raise in the second."""
    if order.seeds.start >= 10:
        raise ArithmeticError("the solver diverged")
    yield from recorded(order)


def dying(order: RecordingJob) -> Iterator[Episode]:
    """End the process in the second block, as the kernel does where memory runs out."""
    if order.seeds.start >= 10:
        os._exit(9)
    yield from recorded(order)


def hopeless(order: RecordingJob) -> Iterator[Episode]:
    """Yield failures alone."""
    for seed in order.seeds:
        yield episode(seed, order.task, cameras=order.cameras, size=order.size, success=False)


def brightness(data: Dataset) -> int:
    """Return the sum of the first picture; to be called in other processes."""
    return int(data.pictures(data.episodes[0], "head", [0]).sum())
