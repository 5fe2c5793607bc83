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
    """Return the middle (k 2: down, across, pixels) of each blob of a map (h w) that is not much lower than another."""
    highest = int(values.max())
    if highest < PEAK:
        return np.zeros((0, 2))
    side = 2 * max(1, round(NEARBY * len(values))) + 1
    around = cv2.dilate(values, np.ones((side, side), np.uint8))
    top = (values >= TOP * around) & (values >= TALL * highest)
    middles = cv2.connectedComponentsWithStats(top.astype(np.uint8))[3][1:]  # the first is what is no peak
    return np.asarray(middles[:, ::-1], np.float64)


def apart(a: Map, b: Map) -> float:
    """Return how far (pixels) the peaks of two maps lie apart: the furthest that any lies from the other's nearest.

    That is their Hausdorff distance: 0 where they are the same; infinite where one map has peaks and the other none.
    """
    here, there = peaks(a), peaks(b)
    if not len(here) or not len(there):
        return 0.0 if len(here) == len(there) else np.inf
    away = np.linalg.norm(here[:, None] - there, axis=-1)
    return float(max(away.min(0).max(), away.min(1).max()))
