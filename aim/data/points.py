"""Where the patches of a picture lie in space: the mean point of what each one shows, from depth pictures.

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


def token_points(
    depth: NDArray[np.float32],
    intrinsics: NDArray[np.float64],
    extrinsics: NDArray[np.float64],
    grid: Grid,
) -> NDArray[np.float32]:
    """Return points (... down*across 4) of a grid's patches, row by row, of depth pictures (... h w) in metres.

    `intrinsics` (... 3 3) are those of pictures of h by w; `extrinsics` (... 4 4) are camera_from_world. Where h or w
    is no multiple of the grid, a pixel belongs to the patch that its centre lies in. `UserError` where there are
    more patches than pixels.
    """
    z, zu, zv, count = _sums(np.asarray(depth, np.float32), grid)
    rays = np.stack([zu, zv, z], -1).astype(np.float64) / np.maximum(count, 1.0)[..., None]  # mean of z [u v 1]
    local = rays @ np.linalg.inv(intrinsics).swapaxes(-1, -2)
    place = np.asarray(extrinsics, np.float64)
    world = (local - place[..., None, :3, 3]) @ place[..., :3, :3]  # rows times R: the inverse of camera_from_world
    some = (count > 0)[..., None]
    return np.concatenate([np.where(some, world, 0.0), some], -1).astype(np.float32)


def episode_points(
    dataset: Dataset, ref: EpisodeRef, views: Sequence[View], grids: Sequence[Grid], shifts: Shifts
) -> NDArray[np.float32]:
    """Return points (T n 4) of all pictures of an episode, view by view; `UserError` where depth was not kept.

    A view's grid covers the whole picture, so its points do not depend on the size the view is resized to. Pictures
    are moved by pixels of the view; nothing is read where a moved picture has no content.
    """
    parts = []
    for view, grid, shift in zip(views, grids, shifts, strict=True):
        depth = dataset.depth(ref, view.name)
        lens, pose = f"intrinsics/{view.name}", f"extrinsics/{view.name}"
        kept = dataset.arrays(ref, lens, pose)
        parts.append(token_points(*moved(depth, kept[lens], shift, view), kept[pose], grid))
    return np.concatenate(parts, 1)


def moved(
    depth: NDArray[np.float32], intrinsics: NDArray[np.float64], shift: Sequence[int], view: View
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return depth pictures moved by pixels (down, right) of a view's size, and the intrinsics that then hold."""
    size, length = depth.shape[-2:], (view.height, view.width)
    down, right = (round(s * n / m) for s, n, m in zip(shift, size, length, strict=True))
    if not down and not right:
        return depth, intrinsics
    after = np.zeros_like(depth)
    after[..., max(down, 0) : size[0] + min(down, 0), max(right, 0) : size[1] + min(right, 0)] = depth[
        ..., max(-down, 0) : size[0] - max(down, 0), max(-right, 0) : size[1] - max(right, 0)
    ]
    lens = intrinsics.copy()
    lens[..., 0, 2] += right
    lens[..., 1, 2] += down
    return after, lens


def observed_points(observation: Observation, views: Sequence[View], grids: Sequence[Grid]) -> NDArray[np.float32]:
    """Return points (n tokens 4) of what n copies see, view by view; `UserError` naming the views without depth."""
    lacking = [view.name for view in views if view.name not in observation.depth]
    if lacking:
        raise UserError(f"there is no depth of {', '.join(lacking)}; the simulator gives it with Env(..., depth=True)")
    parts = [
        token_points(
            observation.depth[view.name], observation.intrinsics[view.name], observation.extrinsics[view.name], grid
        )
        for view, grid in zip(views, grids, strict=True)
    ]
    return np.concatenate(parts, 1)


def _sums(depth: NDArray[np.float32], grid: Grid) -> tuple[NDArray[np.float32], ...]:
    """Return the sums over each patch (... n) of z, z u, z v and of the readings, from depth (... h w)."""
    h, w = depth.shape[-2:]
    if h < grid[0] or w < grid[1]:
        raise UserError(f"depth pictures of {h}x{w} are too small for {grid[0]}x{grid[1]} patches")
    rows, columns = _members(h, grid[0]), _members(w, grid[1]).T
    read = (depth > 0.0) & (depth < np.inf)  # false of what is no number
    z = np.where(read, depth, np.float32(0.0))
    over_u = z @ columns
    parts = (
        rows @ over_u,
        rows @ (z @ (columns * _line(w)[:, None])),
        (rows * _line(h)) @ over_u,
        rows @ (read.astype(np.float32) @ columns),
    )
    return tuple(part.reshape(*depth.shape[:-2], grid[0] * grid[1]) for part in parts)


def _members(length: int, patches: int) -> NDArray[np.float32]:
    """Return (patches length): 1 where the centre of a pixel lies in a patch, else 0."""
    patch = ((2 * np.arange(length) + 1) * patches) // (2 * length)
    return (patch == np.arange(patches)[:, None]).astype(np.float32)


def _line(length: int) -> NDArray[np.float32]:
    return np.arange(length, dtype=np.float32)
