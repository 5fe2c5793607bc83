"""Checks of an observation before a policy acts on it: each fault is named by its field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.types import Observation, UserError


def check_observation(
    observation: Observation, cameras: Sequence[str], state_dim: int, action_dim: int, depth: bool = False
) -> None:
    """Raise `UserError` naming the field that is missing, not a number, or of another type or shape than is valid.

    `depth` asks for depth of every camera, and what it takes to read it.
    """
    state = observation.state
    _check_array("state", state, np.floating, (None, state_dim))
    worlds = len(state)
    _check_array("time", observation.time, np.floating, (worlds,))
    if (observation.time < 0).any():
        raise UserError("observation.time must be seconds since the reset, 0 or above")
    said = observation.instruction
    if isinstance(said, str) or len(said) != worlds or not all(isinstance(text, str) for text in said):
        raise UserError(f"observation.instruction must be {worlds} texts, one for each world, not {said!r}")
    lacking = [name for name in cameras if name not in observation.images]
    if lacking:
        raise UserError(f"the policy needs cameras {', '.join(cameras)}; there is no {', '.join(lacking)}")
    for name in cameras:
        _check_array(f"images[{name!r}]", observation.images[name], np.uint8, (worlds, None, None, 3))
    if depth:
        _check_depth(observation, cameras, worlds)
    if observation.executed is not None:
        _check_array("executed", observation.executed, np.floating, (worlds, None, action_dim), may_be_empty=True)
    if observation.active is not None:
        _check_array("active", observation.active, np.bool_, (worlds,))


def select_worlds(observation: Observation, rows: NDArray[np.int64]) -> Observation:
    """What is seen of the worlds `rows` (r,) alone, all of which go on."""

    def select_cameras(pictures: Mapping[str, NDArray]) -> dict[str, NDArray]:
        return {camera: value[rows] for camera, value in pictures.items()}

    def select(values: NDArray | None) -> NDArray | None:
        return None if values is None else values[rows]

    return Observation(
        select_cameras(observation.images), observation.state[rows],
        tuple(observation.instruction[row] for row in rows.tolist()), observation.time[rows],
        depth=select_cameras(observation.depth), intrinsics=observation.intrinsics,
        extrinsics=select_cameras(observation.extrinsics), privileged=select(observation.privileged),
        executed=select(observation.executed),
    )  # fmt: skip


def _check_depth(observation: Observation, cameras: Sequence[str], worlds: int) -> None:
    shapes = {"depth": (worlds, None, None), "intrinsics": (3, 3), "extrinsics": (worlds, 4, 4)}
    for part, shape in shapes.items():
        given = vars(observation)[part]
        lacking = [name for name in cameras if name not in given]
        if lacking:
            names = ", ".join(lacking)
            raise UserError(f"the policy needs depth, intrinsics and extrinsics; there is no {part} of {names}")
        for name in cameras:
            _check_array(f"{part}[{name!r}]", given[name], np.floating, shape, may_be_infinite=part == "depth")
    for name in cameras:
        if np.linalg.matrix_rank(observation.intrinsics[name]) < 3:
            raise UserError(f"observation.intrinsics[{name!r}] must be the matrix of a camera; it has no inverse")


def _check_array(
    field: str, value: object, kind: type[np.generic], shape: tuple[int | None, ...], *, may_be_empty: bool = False,
    may_be_infinite: bool = False,
) -> None:  # fmt: skip
    dimensions = " x ".join("any" if size is None else str(size) for size in shape)
    expected = f"observation.{field} must be an array of {kind.__name__}, {dimensions}"
    if not isinstance(value, np.ndarray):
        raise UserError(f"{expected}; it is {type(value).__name__}")
    fits = value.ndim == len(shape) and all(want in (None, size) for want, size in zip(shape, value.shape, strict=True))
    if not fits or not np.issubdtype(value.dtype, kind) or (0 in value.shape and not may_be_empty):
        raise UserError(f"{expected}; it is of {value.dtype}, {' x '.join(map(str, value.shape))}")
    if np.issubdtype(kind, np.floating) and not may_be_infinite and not np.isfinite(value).all():
        raise UserError(f"observation.{field} has numbers that are not finite")
