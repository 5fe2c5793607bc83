"""Messages of the policy server: a length, a header in JSON, and the bytes of arrays one behind another.

    4 bytes    length of the header, unsigned, big-endian
    header     {"kind": ..., "fields": {...}, "arrays": [{"name": ..., "dtype": ..., "shape": [...]}, ...]}, UTF-8
    arrays     little-endian, C order, in the header's order, without padding

docs/policy_server.md lists the kinds of messages.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.types import Observation, UserError

PROTOCOL = "aim.policy/1"
TOKEN_VARIABLE = "AIM_POLICY_TOKEN"  # environment variable of server and client
CAMERA_PARTS = ("images", "depth", "intrinsics", "extrinsics")  # arrays PART/CAMERA of an observation
MESSAGE_DTYPES = ("|u1", "|b1", "<i8", "<f4", "<f8")
MAX_HEADER_BYTES = 2**20
MAX_ARRAY_BYTES = 2**29  # of all arrays of a message
LENGTH = struct.Struct(">I")


class MalformedMessage(ValueError):
    """What came over the socket is no message; nothing that follows can be read."""


@dataclass(frozen=True)
class SocketMessage:
    """What one side says to the other."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def send_message(connection: socket.socket, message: SocketMessage) -> None:
    """Send a message; arrays of other byte orders and layouts are converted."""
    arrays = {name: np.asarray(value, value.dtype.newbyteorder("<"), "C") for name, value in message.arrays.items()}
    described = [{"name": name, "dtype": each.dtype.str, "shape": list(each.shape)} for name, each in arrays.items()]
    for entry in described:
        assert entry["dtype"] in MESSAGE_DTYPES, entry
    header = json.dumps({"kind": message.kind, "fields": message.fields, "arrays": described}, allow_nan=False).encode()
    connection.sendall(b"".join([LENGTH.pack(len(header)), header, *(each.tobytes() for each in arrays.values())]))


def receive_message(connection: socket.socket, max_array_bytes: int = MAX_ARRAY_BYTES) -> SocketMessage | None:
    """Next message, None where the other side has closed the connection; `MalformedMessage` where it is none."""
    start = _receive_bytes(connection, LENGTH.size, may_end=True)
    if not start:
        return None
    (length,) = LENGTH.unpack(start)
    if length > MAX_HEADER_BYTES:
        raise MalformedMessage(f"a header of {length} bytes; at most {MAX_HEADER_BYTES} are read")
    try:
        raw = json.loads(_receive_bytes(connection, length))
        kind, fields, entries = raw["kind"], raw["fields"], raw["arrays"]
        layouts = [(str(each["name"]), str(each["dtype"]), tuple(each["shape"])) for each in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedMessage(f"a header that is not understood: {type(error).__name__} {error}") from error
    if not isinstance(kind, str) or not isinstance(fields, dict):
        raise MalformedMessage("a header whose kind is no text, or whose fields are no object")
    for name, dtype, shape in layouts:
        if dtype not in MESSAGE_DTYPES or not all(type(side) is int and side >= 0 for side in shape):
            raise MalformedMessage(f"array {name!r} has dtype {dtype!r} and shape {shape}; dtypes are {MESSAGE_DTYPES}")
    sizes = [math.prod(shape) * np.dtype(dtype).itemsize for _, dtype, shape in layouts]
    if sum(sizes) > max_array_bytes:
        raise MalformedMessage(f"arrays of {sum(sizes)} bytes; at most {max_array_bytes} are read")
    arrays = {
        name: np.frombuffer(_receive_bytes(connection, size), dtype).reshape(shape)
        for (name, dtype, shape), size in zip(layouts, sizes, strict=True)
    }
    return SocketMessage(kind, fields, arrays)


def make_error(reason: str) -> SocketMessage:
    """Message that says why there is no other answer."""
    return SocketMessage("error", {"reason": reason})


def make_observation_message(observation: Observation) -> SocketMessage:
    """Message "observation"; `UserError` where a field is no array of a type that is sent."""
    arrays = {"state": observation.state, "time": observation.time}
    if observation.executed is not None:
        arrays["executed"] = observation.executed
    for part in CAMERA_PARTS:
        arrays |= {f"{part}/{camera}": value for camera, value in vars(observation)[part].items()}
    for name, value in arrays.items():
        if not isinstance(value, np.ndarray) or value.dtype.newbyteorder("<").str not in MESSAGE_DTYPES:
            raise UserError(f"observation.{name} must be an array of one of {', '.join(MESSAGE_DTYPES)}")
    return SocketMessage("observation", {"instruction": list(observation.instruction)}, arrays)


def parse_observation(message: SocketMessage) -> Observation:
    """Observation of a message; a policy checks shapes and types. `UserError` where something is missing or unknown."""
    arrays, said = dict(message.arrays), message.fields.get("instruction")
    missing = [name for name in ("state", "time") if name not in arrays]
    missing += [] if isinstance(said, list) else ["instruction"]
    if missing:
        lacking = ", ".join(missing)
        raise UserError(f"an observation has instruction, a list of texts, state and time; it lacks {lacking}")
    parts: dict[str, dict] = {part: {} for part in CAMERA_PARTS}
    single = {name: arrays.pop(name) for name in ("state", "time", "executed") if name in arrays}
    for name, value in arrays.items():
        part, _, camera = name.partition("/")
        if part not in parts or not camera:
            raise UserError(f"an observation has no array {name!r}; valid are state, time, executed, images/CAMERA")
        parts[part][camera] = value
    return Observation(instruction=tuple(said), **single, **parts)  # pyright: ignore


def _receive_bytes(connection: socket.socket, count: int, may_end: bool = False) -> bytearray:
    """Next `count` bytes; none where the connection ends before the first and it `may_end`."""
    received = bytearray(count)
    view, done = memoryview(received), 0
    while done < count:
        size = connection.recv_into(view[done:])
        if not size:
            if may_end and not done:
                return bytearray()
            raise MalformedMessage("the connection ended within a message")
        done += size
    return received
