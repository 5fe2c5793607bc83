"""An episode as a text and a flat table of named arrays, and back; the digest is taken of that form.

`images`, `maps`, `visible`, `depth`, `intrinsics`, `extrinsics` become one entry a camera ("images/head");
the points of all events stand one below another in "events/points". Depth is kept in whole millimetres,
which is the one thing that rounds: what comes back, kept again, gives the same millimetres. No reading
(not finite, or 65.535 m and more) is 0.

Provenance is no part of the form: the same contents have the same digest, whoever made them. A shard keeps it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.types import CONTACT_DTYPE, AttemptFailure, Episode, Event, Provenance

PER_CAMERA = {
    "images": np.dtype("u1"),
    "maps": np.dtype("u1"),
    "visible": np.dtype("?"),
    "depth": np.dtype("<u2"),
    "intrinsics": np.dtype("<f8"),
    "extrinsics": np.dtype("<f8"),
}
ARRAY_DTYPES = {
    "state": np.dtype("<f4"),
    "action": np.dtype("<f4"),
    "executed": np.dtype("<f4"),
    "tool_pose": np.dtype("<f4"),
    "body_pose": np.dtype("<f4"),
    "joint": np.dtype("<f4"),
    "sim_state": np.dtype("<f8"),
    "contacts": CONTACT_DTYPE,
    "first_command": np.dtype("<f4"),
}
POINTS = "events/points"
OPTIONAL_ARRAYS = ("first_command",)  # kept where they are not empty: an episode without them has the digest it had
METADATA_FIELDS = ("task", "robot", "seed", "success", "instruction", "variation", "redraws", "failure")
V1_DEFAULTS = {"variation": "clean", "redraws": 0, "failure": None}  # of episodes of older formats
MOST_MM = 65535


class Flat(NamedTuple):
    """`about` is canonical JSON; `arrays` has every array by its name."""

    about: str
    arrays: dict[str, NDArray[Any]]


def flatten(episode: Episode) -> Flat:
    """Return the flat form of an episode."""
    about = {name: vars(episode)[name] for name in METADATA_FIELDS}
    about["failure"] = None if episode.failure is None else dataclasses.asdict(episode.failure)
    about["bodies"] = list(episode.bodies)
    about["joints"] = list(episode.joints)
    about["events"] = [[e.kind, e.step, e.arm, e.reference_body, len(e.points)] for e in episode.events]
    arrays = {
        name: vars(episode)[name] for name in ARRAY_DTYPES if name not in OPTIONAL_ARRAYS or len(vars(episode)[name])
    }
    arrays[POINTS] = np.concatenate([np.zeros((0, 3), np.float32), *(e.points for e in episode.events)])
    for name in PER_CAMERA:
        for camera, value in vars(episode)[name].items():
            arrays[f"{name}/{camera}"] = _millimetres(value) if name == "depth" else value
    for name, value in arrays.items():
        assert value.dtype == dtype_of(name), f"{name} is {value.dtype}, must be {dtype_of(name)}"
    return Flat(_canonical(about), arrays)


def unflatten(flat: Flat, provenance: Provenance = Provenance()) -> Episode:  # noqa: B008 - frozen
    """Return the episode; an array that is not there comes back empty (no rows, or no camera)."""
    about = V1_DEFAULTS | json.loads(flat.about)
    if "versions" in about:  # of an episode before format 3
        provenance = Provenance(**about["versions"])
    fields: dict[str, Any] = {name: about[name] for name in METADATA_FIELDS}
    fields["failure"] = None if not about["failure"] else AttemptFailure.parse(about["failure"])
    fields |= {name: {} for name in PER_CAMERA}
    fields |= {name: flat.arrays.get(name, np.zeros(0, dtype)) for name, dtype in ARRAY_DTYPES.items()}
    if (
        "executed" not in flat.arrays
    ):  # before format 3 commands were not kept; without perturbation they are the actions
        fields["executed"] = fields["action"]
    for key, value in flat.arrays.items():
        name, _, camera = key.partition("/")
        if name in PER_CAMERA:
            fields[name][camera] = metres(value) if name == "depth" else value
    return Episode(
        **fields,
        bodies=tuple(about["bodies"]),
        joints=tuple(about["joints"]),
        provenance=provenance,
        events=_events(about["events"], flat.arrays.get(POINTS)),
    )


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype that the array called `name` is kept in."""
    if name == POINTS:
        return np.dtype("<f4")
    return ARRAY_DTYPES[name] if name in ARRAY_DTYPES else PER_CAMERA[name.partition("/")[0]]


def digest(flat: Flat) -> str:
    """Return the SHA-256 of the contents: the text, then name, dtype, shape and bytes of each array by name."""
    sha = hashlib.sha256(flat.about.encode())
    for name in sorted(flat.arrays):
        value = np.ascontiguousarray(flat.arrays[name])
        sha.update(_canonical([name, np.lib.format.dtype_to_descr(value.dtype), value.shape]).encode())
        sha.update(value.view(np.uint8).data if value.size else b"")
    return sha.hexdigest()


def _events(heads: list[Any], points: NDArray[np.float32] | None) -> tuple[Event, ...]:
    if points is None:
        return ()
    ends = np.cumsum([head[4] for head in heads])
    parts = np.split(points, ends[:-1]) if heads else []
    return tuple(Event(*head[:4], points=part) for head, part in zip(heads, parts, strict=True))


def _millimetres(metres: NDArray[np.float32]) -> NDArray[np.uint16]:
    scaled = np.round(np.nan_to_num(metres.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0) * 1000.0)
    return np.where((scaled > 0) & (scaled < MOST_MM), scaled, 0).astype(np.uint16)


def metres(millimetres: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return depth as an episode has it from depth as it is kept; 0 stays 0."""
    return (millimetres / 1000.0).astype(np.float32)


def _canonical(value: Mapping[str, object] | list[object]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
