"""Synthetic value maps, Gaussian blobs on black, to train a codec on data without maps.

A codec must carry maps whatever it was taught with, so that data with maps may follow. As in
`sim.episodes.value_maps` a map is a picture of three channels, each black or with one bell whose peak is 255; here
places and widths are drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_MAP_SIGMA, MAX_MAP_SIGMA = (
    0.015,
    0.1,
)  # standard deviation over the shorter side: a table seen from above, and from a wrist
BLOB_PROBABILITY = 0.5  # probability that a channel has a bell


def draw_maps(count: int, height: int, width: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Randomly drawn maps (count h w 3)."""
    sigma = np.exp(generator.uniform(np.log(MIN_MAP_SIGMA), np.log(MAX_MAP_SIGMA), (count, 1, 3))) * min(height, width)
    centres = generator.uniform(size=(2, count, 1, 3))
    has_blob = generator.uniform(size=(count, 1, 3)) < BLOB_PROBABILITY
    maps = np.empty((count, height, width, 3), np.uint8)
    for i in range(count):
        down, across = (
            np.exp(-0.5 * ((np.arange(side)[:, None] + 0.5 - side * centre[i]) / sigma[i]) ** 2)
            for side, centre in zip((height, width), centres, strict=True)
        )
        maps[i] = np.round(255.0 * down[:, None] * (across * has_blob[i])[None])
    return maps
