"""Peaks of value maps: where each blob of one channel has its middle, and how far the peaks of two maps lie apart.

A map may want several places at once: both handles of a pot, both fingers' sides of a rim. One middle of them all
would lie where nothing is wanted.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

PEAK = 100  # a map has a peak where it reaches this byte
TALL = 0.5  # of the map's highest: what is lower is no peak of it
TOP = 0.9  # of the highest nearby: pixels that reach it belong to the peak
NEARBY = 1 / 16  # of the map's height

Map = NDArray[np.uint8]


def peaks(values: Map) -> NDArray[np.float64]:
    """Return the middle (k 2: down, across, pixels) of each blob of a map (h w) that is not much lower than another.

    The one that holds the highest pixel comes first.
    """
    highest = int(values.max())
    if highest < PEAK:
        return np.zeros((0, 2))
    side = 2 * max(1, round(NEARBY * len(values))) + 1
    around = cv2.dilate(values, np.ones((side, side), np.uint8))
    top = (values >= TOP * around) & (values >= TALL * highest)
    _, labels, _, middles = cv2.connectedComponentsWithStats(top.astype(np.uint8))
    first = int(labels.flat[int(values.argmax())])
    order = [first, *(label for label in range(1, len(middles)) if label != first)]  # label 0 is what is no peak
    return np.asarray(middles[order, ::-1], np.float64)


def away(here: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far (k,) each place of `here` (k 2) lies from the nearest of `there`: infinitely where none is."""
    if not len(there):
        return np.full(len(here), np.inf)
    return np.linalg.norm(here[:, None] - there, axis=-1).min(1)
