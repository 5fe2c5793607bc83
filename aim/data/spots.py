"""Value maps that nobody drew: bells on black, for a codec whose data has no maps.

A codec must carry maps whatever it was taught with, so that data with maps may follow. As in
`sim.episodes.value_maps` a map is a picture of three channels, each black or with one bell whose peak is 255; here
places and widths are drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NARROW, WIDE = 0.015, 0.1  # standard deviation over the shorter side: a table seen from above, and from a wrist
LIT = 0.5  # probability that a channel has a bell


def spots(count: int, height: int, width: int, draw: np.random.Generator) -> NDArray[np.uint8]:
    """Return `count` drawn maps (count h w 3)."""
    sigma = np.exp(draw.uniform(np.log(NARROW), np.log(WIDE), (count, 1, 3))) * min(height, width)
    place = draw.uniform(size=(2, count, 1, 3))
    lit = draw.uniform(size=(count, 1, 3)) < LIT
    made = np.empty((count, height, width, 3), np.uint8)
    for i in range(count):
        down, across = (
            np.exp(-0.5 * ((np.arange(side)[:, None] + 0.5 - side * where[i]) / sigma[i]) ** 2)
            for side, where in zip((height, width), place, strict=True)
        )
        made[i] = np.round(255.0 * down[:, None] * (across * lit[i])[None])
    return made
