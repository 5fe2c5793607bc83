"""Value maps: where each picture's pending contacts will happen, painted from stored states alone.

A map is a picture of three channels (pick, place, other contact), pixel-aligned with the camera's. No
image and no physics enters: body poses, cameras and events are enough.

When an event is shown: in every picture after the previous event of the same arm (or from the start), up to
and including the event's own step; a pick also not before the previous event of another arm on the same
thing, at least TOGETHER earlier. Two arms that work at once thus do not hide each other's intent, nor where
both will set things down, while a block that is handed over shows where it will be taken first, and only
then where the other hand will take it. After an arm's last event
it has no intent, and paints nothing.

What is painted: each contact point, carried by its body's pose in that picture, becomes a Gaussian of
sigma_px = f_px * SIGMA / depth whose peak is 1 (255). Points and events combine by maximum. A point
outside the picture still shows the tail that reaches inside, so that a map does not jump when a point
crosses the border; a point nearer than NEAR, or behind the camera, gives nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.camera import Size, project, size_of
from sim.geometry import apply
from sim.types import STEPS_PER_PICTURE, Episode, Event

SIGMA = 0.015  # m, about the half-width of a fingertip
TOGETHER = 25  # control steps (half a second): closer events on one thing are one deed of two arms
NEAR = 0.01  # m; closer, one point would flood the whole picture
# beyond this many sigmas the value is under 0.5 / 255 and rounds to zero: cutting there loses nothing
REACH = float(np.sqrt(2.0 * np.log(510.0)))
# m; a point counts as seen while what is drawn in front of it is no nearer than the blob is wide
OCCLUSION_SLACK = SIGMA

Maps = dict[str, NDArray[np.uint8]]
Flags = dict[str, NDArray[np.bool_]]
NO_DEPTH: Mapping[str, NDArray[np.float32]] = {}


def annotate(episode: Episode) -> tuple[Maps, Flags]:
    """Return the episode's maps, camera -> (T h w 3), and visibility, camera -> (T 3); never reads its pictures."""
    return value_maps(
        episode.events,
        episode.body_pose[::STEPS_PER_PICTURE],
        episode.bodies,
        episode.intrinsics,
        episode.extrinsics,
        {camera: size_of(k) for camera, k in episode.intrinsics.items()},
        episode.depth,
    )


def value_maps(
    events: Sequence[Event],
    body_pose: NDArray[np.float32],
    bodies: Sequence[str],
    intrinsics: Mapping[str, NDArray[np.float64]],
    extrinsics: Mapping[str, NDArray[np.float64]],
    sizes: Mapping[str, Size],
    depth: Mapping[str, NDArray[np.float32]] = NO_DEPTH,
) -> tuple[Maps, Flags]:
    """Return maps, camera -> uint8 (T h w 3), and visibility, camera -> bool (T 3).

    `body_pose` (T b 7) and `extrinsics` (T 4 4) hold one row a picture, T of them. A channel is visible
    where some point of a shown event is in the picture and, for cameras with `depth` (T h w, metres), not
    behind what is drawn there (0: nothing is); without depth, in the picture is all that can be said. So
    visibility, unlike the maps, depends on whether depth was kept.
    """
    pictures = len(body_pose)
    maps = {camera: np.zeros((pictures, *sizes[camera], 3), np.uint8) for camera in intrinsics}
    visible = {camera: np.zeros((pictures, 3), np.bool_) for camera in intrinsics}
    for event, shown in zip(events, shown_pictures(events, pictures), strict=True):
        points = apply(body_pose[shown, None, bodies.index(event.carrier)], event.points)
        for camera, k in intrinsics.items():
            uv, z = project(points, k, extrinsics[camera][shown])
            seen = _in_view(uv, z, sizes[camera])
            if camera in depth:
                seen &= _unoccluded(uv, z, seen, depth[camera][shown])
            visible[camera][shown, event.channel] |= seen.any(1)
            _splat(maps[camera][shown, ..., event.channel], uv, z, k[0, 0])
    return maps, visible


def shown_pictures(events: Sequence[Event], pictures: int) -> list[slice]:
    """Return for each event the range of pictures, of `pictures` in all, in which it is shown."""
    spans = []
    for event in events:
        earlier = [e.step for e in events if _precedes(e, event)]
        first = max(earlier) // STEPS_PER_PICTURE + 1 if earlier else 0
        spans.append(slice(first, min(event.step // STEPS_PER_PICTURE + 1, pictures)))
    return spans


def _precedes(e: Event, event: Event) -> bool:
    same_thing = event.kind == "pick" and e.carrier == event.carrier and e.step <= event.step - TOGETHER
    return same_thing or (e.arm == event.arm and e.step < event.step)


def _in_view(uv: NDArray[np.float64], z: NDArray[np.float64], size: Size) -> NDArray[np.bool_]:
    height, width = size
    inside = (uv >= -0.5) & (uv < np.array([width - 0.5, height - 0.5]))
    return inside.all(-1) & (z > NEAR)


def _unoccluded(
    uv: NDArray[np.float64], z: NDArray[np.float64], seen: NDArray[np.bool_], depth: NDArray[np.float32]
) -> NDArray[np.bool_]:
    column, row = np.moveaxis(np.rint(np.where(seen[..., None], uv, 0.0)).astype(int), -1, 0)
    drawn = depth[np.arange(len(depth))[:, None], row, column]
    return (drawn == 0.0) | (z <= drawn + OCCLUSION_SLACK)


def _splat(canvas: NDArray[np.uint8], uv: NDArray[np.float64], z: NDArray[np.float64], focal: float) -> None:
    """Raise `canvas` (T h w) to the maximum of itself and the Gaussians at uv (T p 2) and depth z (T p)."""
    height, width = canvas.shape[1:]
    valid = z > NEAR
    sigma = np.where(valid, focal * SIGMA / np.where(valid, z, 1.0), 1.0)
    centre = np.where(valid[..., None], uv, -1e6)  # far away: touches nothing, and its tail is zero
    low, high = centre - REACH * sigma[..., None], centre + REACH * sigma[..., None]
    touches = ((high >= 0) & (low <= (width - 1, height - 1))).all(-1, keepdims=True)
    # the window of a picture holds the Gaussians of all its points; (left, top) and (right, bottom)
    start = np.clip(np.ceil(np.where(touches, low, np.inf).min(1)), 0, (width, height)).astype(int)
    stop = np.clip(np.floor(np.where(touches, high, -np.inf).max(1)) + 1, 0, (width, height)).astype(int)
    # a Gaussian is the product of its rows' and columns' factors: exponentials on lines, not on areas
    across = _factor(width, centre[..., 0], sigma)
    down = _factor(height, centre[..., 1], sigma) * np.float32(255.0)
    windows = np.concatenate([start, stop], axis=1).tolist()  # slices of plain integers are cut faster
    for t in np.flatnonzero(np.any(touches, axis=(1, 2))).tolist():
        left, top, right, bottom = windows[t]
        blob = np.maximum.reduce(down[t, :, top:bottom, None] * across[t, :, None, left:right])
        blob += np.float32(0.5)
        patch = canvas[t, top:bottom, left:right]
        np.maximum(patch, blob.astype(np.uint8), out=patch)


def _factor(length: int, centre: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return exp(-(i - centre)^2 / 2 sigma^2) (T p length) for i = 0 .. length - 1."""
    scale = np.sqrt(0.5) / sigma
    offset = np.arange(length, dtype=np.float32) * scale[..., None].astype(np.float32)
    offset -= (centre * scale)[..., None].astype(np.float32)
    return np.exp(-np.square(offset))
