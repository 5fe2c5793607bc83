"""A policy that a server holds: it needs neither weights nor torch where the robot is."""

from __future__ import annotations

import os
import re
import socket
import weakref
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aim.serve.description import PolicyDescription, parse_description
from aim.serve.messages import (
    PROTOCOL,
    TOKEN_VARIABLE,
    MalformedMessage,
    SocketMessage,
    make_observation_message,
    receive_message,
    send_message,
)
from sim.types import ActionChunk, Observation, UserError

ADDRESS = re.compile(r"([\w.-]+):(\d{1,5})")  # HOST:PORT
CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S = 10.0, 600.0


class RemotePolicy:
    """A `sim.types.Policy` that a server at HOST:PORT holds; `description` says what it is and needs."""

    def __init__(self, address: str, *, seed: int = 0, worlds: Sequence[int] = (), imagine: bool = False) -> None:
        """Connect and begin; `UserError` where there is no such server, or it does not accept this client."""
        host, port = split_address(address)
        self.address = address
        try:
            self._connection = socket.create_connection((host, port), CONNECT_TIMEOUT_S)
        except OSError as error:
            raise UserError(
                f"no policy server at {address} ({error}); `aim serve RUN --port PORT` starts one"
            ) from error
        self.close = weakref.finalize(self, self._connection.close)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.settimeout(ANSWER_TIMEOUT_S)
        hello = SocketMessage("hello", {"protocol": PROTOCOL, "token": os.environ.get(TOKEN_VARIABLE, "")})
        fields = dict(self._ask(hello, "policy").fields)
        fields.pop("protocol", None)
        self.description: PolicyDescription = parse_description(fields)
        self._ask(SocketMessage("begin", {"seed": seed, "worlds": list(worlds), "imagine": imagine}), "done")

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Forget the history of the worlds where `mask` (n,) is true."""
        self._ask(SocketMessage("reset", arrays={"mask": np.asarray(mask, bool)}), "done")

    def act(self, observation: Observation) -> ActionChunk:
        """Chunk of actions for all worlds; `UserError` with the server's words where it does not act on it."""
        lacking = [name for name in self.description.cameras if name not in observation.images]
        if lacking:
            needed = ", ".join(self.description.cameras)
            raise UserError(f"the policy at {self.address} needs cameras {needed}; there is no {', '.join(lacking)}")
        shown = {name: observation.images[name] for name in self.description.cameras}
        answer = self._ask(make_observation_message(replace(observation, images=shown)), "chunk")
        extras = {name.removeprefix("extras/"): value for name, value in answer.arrays.items() if name != "actions"}
        return ActionChunk(answer.arrays["actions"], extras, answer.fields["execution_horizon"])

    def _ask(self, message: SocketMessage, expected: str) -> SocketMessage:
        """Answer to a message; `UserError` where it is an error, or there is none.

        Where no answer came the connection is closed: one that came later would be taken for that to the next message.
        """
        if not self.close.alive:
            raise UserError(f"the connection to the policy server at {self.address} is closed; connect anew")
        try:
            send_message(self._connection, message)
            answer = receive_message(self._connection)
        except (OSError, MalformedMessage) as error:
            self.close()
            raise UserError(f"the policy server at {self.address} is lost: {error}") from error
        except BaseException:  # Ctrl-C, while it waits
            self.close()
            raise
        if answer is None:
            self.close()
            raise UserError(f"the policy server at {self.address} closed the connection")
        if answer.kind == "error":
            raise UserError(f"the policy server at {self.address}: {answer.fields.get('reason')}")
        if answer.kind != expected:
            self.close()
            raise UserError(f"the policy server at {self.address} answers {answer.kind!r}, not {expected!r}")
        return answer


def is_address(policy: str) -> bool:
    """Whether the name of a policy is HOST:PORT; a class, MODULE:CLASS, does not begin with a digit."""
    return ADDRESS.fullmatch(policy) is not None


def split_address(address: str) -> tuple[str, int]:
    """Host and port of HOST:PORT; `UserError` where it is none."""
    found = ADDRESS.fullmatch(address)
    if not found or not 0 < int(found[2]) < 65536:
        raise UserError(f"{address!r} is no HOST:PORT with a port from 1 to 65535")
    return found[1], int(found[2])
