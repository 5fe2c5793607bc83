"""Peak detection in value maps: the centroid of each blob of a channel, and distances between the peaks of two maps.

A map may want several places at once: both handles of a pot, both fingers' sides of a rim. One middle of them all
would lie where nothing is wanted.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

MIN_PEAK_VALUE = 100  # a map has a peak where it reaches this byte
MIN_PEAK_FRACTION = 0.5  # of the map's highest: what is lower is no peak of it
PLATEAU_FRACTION = 0.9  # of the highest nearby: pixels that reach it belong to the peak
PEAK_NEIGHBOURHOOD_FRACTION = 1 / 16  # of the map's height

Map = NDArray[np.uint8]


def find_peaks(values: Map) -> NDArray[np.float64]:
    """Peaks (k 2: row, column, in pixels) of a map (h w): the centroid of each blob close to the global maximum.

    The one that holds the highest pixel comes first.
    """
    highest = int(values.max())
    if highest < MIN_PEAK_VALUE:
        return np.zeros((0, 2))
    side = 2 * max(1, round(PEAK_NEIGHBOURHOOD_FRACTION * len(values))) + 1
    local_max = cv2.dilate(values, np.ones((side, side), np.uint8))
    is_plateau = (values >= PLATEAU_FRACTION * local_max) & (values >= MIN_PEAK_FRACTION * highest)
    _, labels, _, centroids = cv2.connectedComponentsWithStats(is_plateau.astype(np.uint8))
    first = int(labels.flat[int(values.argmax())])
    order = [first, *(label for label in range(1, len(centroids)) if label != first)]  # label 0 is what is no peak
    return np.asarray(centroids[order, ::-1], np.float64)


def distance_to_nearest(points: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance (k,) of each point (k 2) to the nearest target; infinite without targets."""
    if not len(targets):
        return np.full(len(points), np.inf)
    return np.linalg.norm(points[:, None] - targets, axis=-1).min(1)


def describe_peaks(error_px: float | None, lost_share: float | None) -> str:
    """What becomes of the peaks of maps, in words, without a figure over nothing."""
    if lost_share is None:
        return "peaks: none to judge by"
    if error_px is None:
        return "peaks are all lost"
    return f"peaks off by {error_px:.2f} pixels, {100 * lost_share:.0f} % lost"
