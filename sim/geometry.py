"""Rotations and poses as plain arrays: quaternions wxyz, poses (x y z w x y z), any leading batch shape."""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

IDENTITY_POSE = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])


def multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the quaternion product a·b (... 4): rotate by b, then by a."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate(q: ArrayLike) -> Array:
    """Return the inverse of unit quaternions (... 4)."""
    return np.asarray(q, float) * np.array([1.0, -1.0, -1.0, -1.0])


def cross(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the cross product of vectors (... 3); several times faster than `numpy.cross` on small arrays."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    found = np.empty(np.broadcast_shapes(a.shape, b.shape))
    found[..., 0] = ay * bz - az * by
    found[..., 1] = az * bx - ax * bz
    found[..., 2] = ax * by - ay * bx
    return found


def multiply_matrix_vector(matrix: ArrayLike, v: ArrayLike) -> Array:
    """Return the products (... m) of matrices (... m 3) and vectors (... 3), equal to the bit on every processor.

    The order of the sums is fixed; that of `numpy.matmul` and `numpy.einsum` depends on the processor's vector unit.
    """
    matrix, v = np.asarray(matrix, float), np.asarray(v, float)
    x, y, z = v[..., None, 0], v[..., None, 1], v[..., None, 2]
    return matrix[..., 0] * x + matrix[..., 1] * y + matrix[..., 2] * z


def rotate(q: ArrayLike, v: ArrayLike) -> Array:
    """Return vectors `v` (... 3) turned by unit quaternions `q` (... 4)."""
    q, v = np.asarray(q, float), np.asarray(v, float)
    axis = q[..., 1:]
    t = 2.0 * cross(axis, v)
    return v + q[..., :1] * t + cross(axis, t)


def compose(a: ArrayLike, b: ArrayLike) -> Array:
    """Return the pose a∘b (... 7): `b` given in the frame of `a`."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    position = a[..., :3] + rotate(a[..., 3:], b[..., :3])
    return np.concatenate([position, multiply(a[..., 3:], b[..., 3:])], axis=-1)


def invert(p: ArrayLike) -> Array:
    """Return the inverse of poses (... 7)."""
    p = np.asarray(p, float)
    q = conjugate(p[..., 3:])
    return np.concatenate([-rotate(q, p[..., :3]), q], axis=-1)


def transform_points(p: ArrayLike, points: ArrayLike) -> Array:
    """Return points (... 3) of the frame `p` (... 7) in the frame that `p` is given in."""
    p = np.asarray(p, float)
    return p[..., :3] + rotate(p[..., 3:], points)


def make_pose(position: ArrayLike, quaternion: ArrayLike = (1.0, 0.0, 0.0, 0.0)) -> Array:
    """Return one pose (7,) from a position and a quaternion."""
    return np.concatenate([np.asarray(position, float), np.asarray(quaternion, float)])


def quat_from_axis_angle(axis: ArrayLike, angle: ArrayLike) -> Array:
    """Return the quaternions (... 4) that turn by `angle` (...) radians about the unit `axis` (3,)."""
    half = np.asarray(angle, float)[..., None] / 2
    return np.concatenate([np.cos(half), np.sin(half) * np.asarray(axis, float)], axis=-1)


def quat_to_matrix(q: ArrayLike) -> Array:
    """Return rotation matrices (... 3 3) of unit quaternions (... 4)."""
    w, x, y, z = np.moveaxis(np.asarray(q, float), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quat_from_matrix(m: ArrayLike) -> Array:
    """Return the unit quaternion (4,) of one rotation matrix (3, 3), by the largest component (Shepperd 1978)."""
    m = np.asarray(m, float)
    squares = np.array([m.trace(), m[0, 0], m[1, 1], m[2, 2]])
    largest = int(np.argmax(squares))
    if largest == 0:
        q = np.array([1 + m.trace(), m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        q = np.empty(4)
        q[0] = m[k, j] - m[j, k]
        q[1 + i] = 1 + m[i, i] - m[j, j] - m[k, k]
        q[1 + j] = m[j, i] + m[i, j]
        q[1 + k] = m[k, i] + m[i, k]
    q = q / np.linalg.norm(q)
    return q if q[0] >= 0 else -q


def quat_from_axes(approach: ArrayLike, opening: ArrayLike) -> Array:
    """Return the quaternion of a tool whose z is `approach` and whose y is `opening` made square to it."""
    z = np.asarray(approach, float)
    z = z / np.linalg.norm(z)
    y = np.asarray(opening, float) - np.dot(opening, z) * z
    y = y / np.linalg.norm(y)
    return quat_from_matrix(np.stack([np.cross(y, z), y, z], axis=-1))


def quat_to_rotation_vector(q: ArrayLike) -> Array:
    """Return rotation vectors (... 3) of unit quaternions (... 4), of length at most π."""
    q = np.asarray(q, float)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    scale = np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 2.0)
    return q[..., 1:] * scale


def slerp(a: ArrayLike, b: ArrayLike, t: float) -> Array:
    """Return the quaternion a fraction `t` of the way from `a` to `b` along the shorter arc."""
    rotation = quat_to_rotation_vector(multiply(conjugate(a), b))
    angle = float(np.linalg.norm(rotation))
    if angle < 1e-9:
        return np.asarray(a, float)
    return multiply(a, quat_from_axis_angle(rotation / angle, angle * t))


def align_z_axis(up: Array) -> Array:
    """Return the unit quaternion (4,) of the shortest rotation that turns z to the direction `up` (3,)."""
    up = up / np.linalg.norm(up)
    axis = np.array([-up[1], up[0], 0.0])
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        return quat_from_axis_angle((1, 0, 0), np.array(0.0 if up[2] > 0 else pi))
    return quat_from_axis_angle(axis / length, np.array(np.arctan2(length, up[2])))
