"""Value maps: where each picture's pending contacts will happen, painted from stored states alone.

A map is a picture of three channels (pick, place, other contact), pixel-aligned with the camera's. No
image and no physics enters: body poses, cameras and events are enough.

When an event is shown: in every picture after the previous event of the same arm (or from the start), up to
and including the event's own step; a pick also not before the previous event of another arm on the same
thing, at least BIMANUAL_EVENT_WINDOW_STEPS earlier. Two arms that work at once thus do not hide each other's intent,
nor where both will set things down, while a block that is handed over shows where it will be taken first, and only
then where the other hand will take it. After an arm's last event it has no intent, and paints nothing.

What is painted: each contact point, carried by its body's pose in that picture, becomes a Gaussian of
sigma_px = f_px * BLOB_SIGMA_M / depth whose peak is 1 (255). Points and events combine by maximum. A point
outside the picture still shows the tail that reaches inside, so that a map does not jump when a point
crosses the border; a point nearer than MIN_POINT_DEPTH_M, or behind the camera, gives nothing.

A map is a function of the stored fields to the bit, on every processor: nothing but elementwise IEEE 754 additions,
multiplications, divisions and comparisons is used. `numpy.exp` and matrix products, whose last bit depends on the
vector unit, are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize, infer_image_size, project_points
from sim.geometry import transform_points
from sim.types import STEPS_PER_IMAGE, Episode, Event

BLOB_SIGMA_M = 0.015  # m, about the half-width of a fingertip
BIMANUAL_EVENT_WINDOW_STEPS = 25  # control steps (half a second): closer events on one thing are one deed of two arms
MIN_POINT_DEPTH_M = 0.01  # m; closer, one point would flood the whole picture
# beyond this many sigmas the value is under 0.5 / 255 and rounds to zero: cutting there loses nothing
BLOB_CUTOFF_SIGMAS = 3.5312  # sqrt(2 ln 510), rounded up
SQRT_HALF = 0.7071067811865476
EXP_HALVINGS = 5  # of the exponent before its series is summed: exp(-x) = exp(-x / 2^5)^(2^5)
MAX_EXPONENT = 16.0  # exp(-16) of 255 is far under half a level
# m; a point counts as seen while what is drawn in front of it is no nearer than the blob is wide
OCCLUSION_TOLERANCE_M = BLOB_SIGMA_M

ValueMaps = dict[str, NDArray[np.uint8]]
VisibilityFlags = dict[str, NDArray[np.bool_]]
NO_DEPTH: Mapping[str, NDArray[np.float32]] = {}


def annotate_episode(episode: Episode) -> tuple[ValueMaps, VisibilityFlags]:
    """Return the episode's maps, camera -> (T h w 3), and visibility, camera -> (T 3); never reads its pictures."""
    return render_value_maps(
        episode.events,
        episode.body_pose[::STEPS_PER_IMAGE],
        episode.bodies,
        episode.intrinsics,
        episode.extrinsics,
        {camera: infer_image_size(k) for camera, k in episode.intrinsics.items()},
        episode.depth,
    )


def render_value_maps(
    events: Sequence[Event],
    body_pose: NDArray[np.float32],
    bodies: Sequence[str],
    intrinsics: Mapping[str, NDArray[np.float64]],
    extrinsics: Mapping[str, NDArray[np.float64]],
    sizes: Mapping[str, ImageSize],
    depth: Mapping[str, NDArray[np.float32]] = NO_DEPTH,
) -> tuple[ValueMaps, VisibilityFlags]:
    """Return maps, camera -> uint8 (T h w 3), and visibility, camera -> bool (T 3).

    `body_pose` (T b 7) and `extrinsics` (T 4 4) hold one row a picture, T of them. A channel is visible
    where some point of a shown event is in the picture and, for cameras with `depth` (T h w, metres), not
    behind what is drawn there (0: nothing is); without depth, in the picture is all that can be said. So
    visibility, unlike the maps, depends on whether depth was kept.
    """
    num_images = len(body_pose)
    maps = {camera: np.zeros((num_images, *sizes[camera], 3), np.uint8) for camera in intrinsics}
    visible = {camera: np.zeros((num_images, 3), np.bool_) for camera in intrinsics}
    for event, shown_range in zip(events, compute_display_ranges(events, num_images), strict=True):
        points = transform_points(body_pose[shown_range, None, bodies.index(event.reference_body)], event.points)
        for camera, k in intrinsics.items():
            uv, z = project_points(points, k, extrinsics[camera][shown_range])
            in_view = _is_in_view(uv, z, sizes[camera])
            if camera in depth:
                in_view &= _is_unoccluded(uv, z, in_view, depth[camera][shown_range])
            visible[camera][shown_range, event.channel] |= in_view.any(1)
            _splat_gaussians(maps[camera][shown_range, ..., event.channel], uv, z, k[0, 0])
    return maps, visible


def compute_display_ranges(events: Sequence[Event], num_images: int) -> list[slice]:
    """Return for each event the range of pictures, of `num_images` in all, in which it is shown."""
    ranges = []
    for event in events:
        earlier_steps = [other.step for other in events if _precedes_event(other, event)]
        first = max(earlier_steps) // STEPS_PER_IMAGE + 1 if earlier_steps else 0
        ranges.append(slice(first, min(event.step // STEPS_PER_IMAGE + 1, num_images)))
    return ranges


def _precedes_event(earlier: Event, event: Event) -> bool:
    same_body = (
        event.kind == "pick"
        and earlier.reference_body == event.reference_body
        and earlier.step <= event.step - BIMANUAL_EVENT_WINDOW_STEPS
    )
    return same_body or (earlier.arm == event.arm and earlier.step < event.step)


def _is_in_view(uv: NDArray[np.float64], z: NDArray[np.float64], size: ImageSize) -> NDArray[np.bool_]:
    height, width = size
    inside = (uv >= -0.5) & (uv < np.array([width - 0.5, height - 0.5]))
    return inside.all(-1) & (z > MIN_POINT_DEPTH_M)


def _is_unoccluded(
    uv: NDArray[np.float64], z: NDArray[np.float64], in_view: NDArray[np.bool_], depth: NDArray[np.float32]
) -> NDArray[np.bool_]:
    column, row = np.moveaxis(np.rint(np.where(in_view[..., None], uv, 0.0)).astype(int), -1, 0)
    rendered_depth = depth[np.arange(len(depth))[:, None], row, column]
    return (rendered_depth == 0.0) | (z <= rendered_depth + OCCLUSION_TOLERANCE_M)


def _splat_gaussians(canvas: NDArray[np.uint8], uv: NDArray[np.float64], z: NDArray[np.float64], focal: float) -> None:
    """Raise `canvas` (T h w) to the maximum of itself and the Gaussians at uv (T p 2) and depth z (T p)."""
    height, width = canvas.shape[1:]
    valid = z > MIN_POINT_DEPTH_M
    sigma = np.where(valid, focal * BLOB_SIGMA_M / np.where(valid, z, 1.0), 1.0)
    centre = np.where(valid[..., None], uv, -1e6)  # far away: touches nothing, and its tail is zero
    lower, upper = centre - BLOB_CUTOFF_SIGMAS * sigma[..., None], centre + BLOB_CUTOFF_SIGMAS * sigma[..., None]
    overlaps = ((upper >= 0) & (lower <= (width - 1, height - 1))).all(-1, keepdims=True)
    # the window of a picture holds the Gaussians of all its points; (left, top) and (right, bottom)
    start = np.clip(np.ceil(np.where(overlaps, lower, np.inf).min(1)), 0, (width, height)).astype(int)
    stop = np.clip(np.floor(np.where(overlaps, upper, -np.inf).max(1)) + 1, 0, (width, height)).astype(int)
    # a Gaussian is the product of its rows' and columns' factors: exponentials on lines, not on areas
    column_profile = _compute_gaussian_profile(width, centre[..., 0], sigma)
    row_profile = _compute_gaussian_profile(height, centre[..., 1], sigma) * np.float32(255.0)
    windows = np.concatenate([start, stop], axis=1).tolist()  # slices of plain integers are cut faster
    for t in np.flatnonzero(np.any(overlaps, axis=(1, 2))).tolist():
        left, top, right, bottom = windows[t]
        blob = np.maximum.reduce(row_profile[t, :, top:bottom, None] * column_profile[t, :, None, left:right])
        blob += np.float32(0.5)
        patch = canvas[t, top:bottom, left:right]
        np.maximum(patch, blob.astype(np.uint8), out=patch)


def _compute_gaussian_profile(
    length: int, centre: NDArray[np.float64], sigma: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return exp(-(i - centre)^2 / 2 sigma^2) (T p length) for i = 0 .. length - 1."""
    scale = SQRT_HALF / sigma
    offset = np.arange(length, dtype=np.float32) * scale[..., None].astype(np.float32)
    offset -= (centre * scale)[..., None].astype(np.float32)
    return _exp_negative(np.square(offset, out=offset))


def _exp_negative(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return exp(-x) of x >= 0 within 1e-5: the cubic Taylor polynomial of exp(-x / 32), squared five times."""
    u = np.minimum(x, np.float32(MAX_EXPONENT))
    u *= np.float32(-(0.5**EXP_HALVINGS))
    power = u * np.float32(1.0 / 6.0)
    power += np.float32(0.5)
    power *= u
    power += np.float32(1.0)
    power *= u
    power += np.float32(1.0)
    for _ in range(EXP_HALVINGS):
        power *= power
    return power
