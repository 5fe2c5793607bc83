"""Hand-made episodes of any size from a seed, and a stand-in for a simulator that records them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from sim.types import CONTACT, Episode, Event


def episode(
    seed: int = 0,
    task: str = '{"name": "bell"}',
    pictures: int = 4,
    cameras: Sequence[str] = ("head", "wrist"),
    size: tuple[int, int] = (12, 16),
    depth: bool = False,
    success: bool = True,
    bodies: int = 3,
    state: int = 40,
) -> Episode:
    """Return an episode whose every field is drawn from the seed; pictures are smooth, as a renderer's are."""
    draw = np.random.default_rng(seed)
    steps = (pictures - 1) * 4
    h, w = size

    def walk(*shape: int) -> np.ndarray:
        return np.cumsum(draw.normal(size=shape) * 0.01, axis=0)

    def ramps() -> np.ndarray:
        rows = np.linspace(0, draw.integers(1, 255), h)[None, :, None, None]
        columns = np.linspace(0, draw.integers(1, 255), w)[None, None, :, None]
        return ((rows + columns + 3 * np.arange(pictures)[:, None, None, None]) % 256 + np.zeros(3)).astype(np.uint8)

    def bumps() -> np.ndarray:
        y, x = np.mgrid[:h, :w]
        centre = draw.integers(0, min(h, w), size=(pictures, 1, 1, 3, 2))
        square = (y[..., None] - centre[..., 0]) ** 2 + (x[..., None] - centre[..., 1]) ** 2
        return np.round(255 * np.exp(-square / 8.0)).astype(np.uint8)

    contacts = np.zeros(draw.integers(0, 9), CONTACT)
    contacts["force"] = draw.uniform(size=len(contacts))
    points = draw.normal(size=(5, 3)).astype(np.float32)
    return Episode(
        task=task,
        robot="aloha",
        seed=seed,
        success=success,
        instruction="ring the bell, s'il te plaît",
        images={c: ramps() for c in cameras},
        maps={c: bumps() for c in cameras},
        visible={c: draw.uniform(size=(pictures, 3)) > 0.5 for c in cameras},
        depth={c: draw.uniform(0, 3, size=(pictures, h, w)).astype(np.float32) for c in cameras} if depth else {},
        intrinsics={c: draw.normal(size=(3, 3)) for c in cameras},
        extrinsics={c: draw.normal(size=(pictures, 4, 4)) for c in cameras},
        state=walk(steps + 1, 14).astype(np.float32),
        action=walk(steps, 14).astype(np.float32),
        tool_pose=walk(steps + 1, 2, 7).astype(np.float32),
        bodies=tuple(f"body{i}" for i in range(bodies)),
        body_pose=walk(steps + 1, bodies, 7).astype(np.float32),
        joints=("bell.button",),
        joint=walk(steps + 1, 1).astype(np.float32),
        sim_state=walk(steps + 1, state),
        contacts=contacts,
        events=(
            Event("pick", 4, "left", "body0", points[:2]),
            Event("press", 8, "right", "body1", points[2:]),
        ),
        versions={"mujoco": "4.0.0"},
    )
