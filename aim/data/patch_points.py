"""3-D positions of image patches: the mean point that each patch shows, from depth pictures.

The point that pixel (u, v) shows at depth z is z K^-1 [u v 1] in the camera's frame. A patch's mean of it needs the
sums of z, z u, z v and of the pixels that have a reading over the patch alone, and sums over the patches of a grid
are products with two thin matrices. The mean of points moves with the camera's frame, so the world comes last.

A point is (x, y, z, 1): metres in the world's frame; (0, 0, 0, 0) where no pixel of the patch has a reading.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aim.config import View
from aim.data.store import Dataset, EpisodeRef
from aim.model.canvas import Grid, Shifts
from sim.types import Observation, UserError


def compute_patch_points(
    depth: NDArray[np.float32],
    intrinsics: NDArray[np.float64],
    extrinsics: NDArray[np.float64],
    grid: Grid,
) -> NDArray[np.float32]:
    """Points (... down*across 4) of a grid's patches, row by row, from depth pictures (... h w) in metres.

    `intrinsics` (... 3 3) are those of pictures of h by w; `extrinsics` (... 4 4) are camera_from_world. Where h or w
    is no multiple of the grid, a pixel belongs to the patch that its centre lies in. `UserError` where there are
    more patches than pixels.
    """
    z, zu, zv, count = _sum_over_patches(np.asarray(depth, np.float32), grid)
    rays = np.stack([zu, zv, z], -1).astype(np.float64) / np.maximum(count, 1.0)[..., None]  # mean of z [u v 1]
    local = rays @ np.linalg.inv(intrinsics).swapaxes(-1, -2)
    camera_from_world = np.asarray(extrinsics, np.float64)
    rotation, translation = camera_from_world[..., :3, :3], camera_from_world[..., None, :3, 3]
    world = (local - translation) @ rotation  # row vectors times R: the inverse of camera_from_world
    has_reading = (count > 0)[..., None]
    return np.concatenate([np.where(has_reading, world, 0.0), has_reading], -1).astype(np.float32)


def compute_episode_points(
    dataset: Dataset, ref: EpisodeRef, views: Sequence[View], grids: Sequence[Grid], shifts: Shifts
) -> NDArray[np.float32]:
    """Points (T n 4) of all pictures of an episode, view by view; `UserError` if depth was not recorded.

    A view's grid covers the whole picture, so its points do not depend on the size the view is resized to. Pictures
    are moved by pixels of the view; nothing is read where a moved picture has no content.
    """
    parts = []
    for view, grid, shift in zip(views, grids, shifts, strict=True):
        depth = dataset.read_depth(ref, view.name)
        arrays = dataset.read_arrays(ref, f"intrinsics/{view.name}", f"extrinsics/{view.name}")
        shifted, intrinsics = shift_depth(depth, arrays[f"intrinsics/{view.name}"], shift, view)
        parts.append(compute_patch_points(shifted, intrinsics, arrays[f"extrinsics/{view.name}"], grid))
    return np.concatenate(parts, 1)


def shift_depth(
    depth: NDArray[np.float32], intrinsics: NDArray[np.float64], shift: Sequence[int], view: View
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Depth pictures shifted by pixels (down, right) of a view's size, and the matching intrinsics."""
    size, length = depth.shape[-2:], (view.height, view.width)
    down, right = (round(s * n / m) for s, n, m in zip(shift, size, length, strict=True))
    if not down and not right:
        return depth, intrinsics
    shifted = np.zeros_like(depth)
    shifted[..., max(down, 0) : size[0] + min(down, 0), max(right, 0) : size[1] + min(right, 0)] = depth[
        ..., max(-down, 0) : size[0] - max(down, 0), max(-right, 0) : size[1] - max(right, 0)
    ]
    shifted_intrinsics = intrinsics.copy()
    shifted_intrinsics[..., 0, 2] += right
    shifted_intrinsics[..., 1, 2] += down
    return shifted, shifted_intrinsics


def compute_observed_points(
    observation: Observation, views: Sequence[View], grids: Sequence[Grid]
) -> NDArray[np.float32]:
    """Points (n tokens 4) of an observation of n worlds, view by view; `UserError` with the views without depth."""
    missing = [view.name for view in views if view.name not in observation.depth]
    if missing:
        raise UserError(f"there is no depth of {', '.join(missing)}; the simulator gives it with Env(..., depth=True)")
    parts = [
        compute_patch_points(
            observation.depth[view.name], observation.intrinsics[view.name], observation.extrinsics[view.name], grid
        )
        for view, grid in zip(views, grids, strict=True)
    ]
    return np.concatenate(parts, 1)


def _sum_over_patches(depth: NDArray[np.float32], grid: Grid) -> tuple[NDArray[np.float32], ...]:
    """Sums over each patch (... n) of z, z u, z v and of valid readings, from depth (... h w)."""
    h, w = depth.shape[-2:]
    if h < grid[0] or w < grid[1]:
        raise UserError(f"depth pictures of {h}x{w} are too small for {grid[0]}x{grid[1]} patches")
    rows, columns = _make_membership(h, grid[0]), _make_membership(w, grid[1]).T
    is_valid = (depth > 0.0) & (depth < np.inf)  # false of what is no number
    z = np.where(is_valid, depth, np.float32(0.0))
    over_u = z @ columns
    parts = (
        rows @ over_u,
        rows @ (z @ (columns * _pixel_indices(w)[:, None])),
        (rows * _pixel_indices(h)) @ over_u,
        rows @ (is_valid.astype(np.float32) @ columns),
    )
    return tuple(part.reshape(*depth.shape[:-2], grid[0] * grid[1]) for part in parts)


def _make_membership(length: int, patches: int) -> NDArray[np.float32]:
    """Matrix (patches length): 1 where the centre of a pixel lies in a patch, else 0."""
    patch = ((2 * np.arange(length) + 1) * patches) // (2 * length)
    return (patch == np.arange(patches)[:, None]).astype(np.float32)


def _pixel_indices(length: int) -> NDArray[np.float32]:
    return np.arange(length, dtype=np.float32)
