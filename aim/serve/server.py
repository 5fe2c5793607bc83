"""The policy server: one connection is one client with a history of its own; all of them share the weights.

Clients may come and go while the server runs. One observation is acted on at a time.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
import socketserver
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from aim.serve.description import PolicyDescription
from aim.serve.messages import (
    PROTOCOL,
    TOKEN_VARIABLE,
    MalformedMessage,
    SocketMessage,
    make_error,
    parse_observation,
    receive_message,
    send_message,
)
from aim.util import console
from sim.types import Policy, UserError

HELLO_TIMEOUT_S = 10.0  # for every part of the first message; nothing is known of who sends it


@dataclass(frozen=True)
class Session:
    """What a client asks for when it begins: the seed of the noise, numbers of its worlds, predicted pictures."""

    seed: int = 0
    worlds: tuple[int, ...] = ()
    imagine: bool = False


@dataclass
class ServedPolicy:
    """A policy to serve: its description, and how one with a history of its own is made for a client."""

    description: PolicyDescription
    make_policy: Callable[[Session], Policy]
    token: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    chunks: int = 0  # that were sent


class PolicyServer(socketserver.ThreadingTCPServer):
    """Server of a policy at `host`:`port`; port 0 takes a free one. `serve_forever` runs it, `shutdown` ends it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, served: ServedPolicy, host: str, port: int) -> None:
        """Bind; `UserError` where the port is taken, or others could connect and there is no token."""
        if not (served.token or _is_loopback(host)):
            raise UserError(f"others can connect to {host}: set a token in {TOKEN_VARIABLE}, here and for the client")
        self.served = served
        try:
            super().__init__((host, port), _Client)
        except (OSError, OverflowError) as error:
            raise UserError(f"cannot serve at {host}:{port}: {error}") from error

    @property
    def address(self) -> str:
        """HOST:PORT that clients connect to."""
        host, port = self.socket.getsockname()[:2]
        return f"{host}:{port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say which client was lost, and by which fault of the server if it was one; the others go on."""
        console.print_note(f"the connection of {client_address} was lost")
        if not isinstance(sys.exception(), ConnectionError):
            traceback.print_exc()


class _Client(socketserver.BaseRequestHandler):
    """One connection."""

    request: socket.socket

    @property
    def served(self) -> ServedPolicy:
        """What is served."""
        assert isinstance(self.server, PolicyServer)
        return self.server.served

    def handle(self) -> None:
        """Answer messages until the client is gone; what cannot be understood ends the connection."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            hello = self._receive_hello()
            if hello is None or not self._accept(hello):
                return
            policy = self.served.make_policy(Session())
            while (message := receive_message(self.request)) is not None:
                try:
                    policy, answer = self._answer(policy, message)
                except UserError as error:
                    answer = make_error(str(error))
                send_message(self.request, answer)
        except MalformedMessage as error:
            send_message(self.request, make_error(f"not a message: {error}"))
        except ConnectionError:
            return
        except Exception as fault:
            send_message(self.request, make_error(f"a fault of the server: {type(fault).__name__}: {fault}"))
            raise

    def _receive_hello(self) -> SocketMessage | None:
        """First message, without arrays; `MalformedMessage` where it does not come in time."""
        self.request.settimeout(HELLO_TIMEOUT_S)
        try:
            return receive_message(self.request, max_array_bytes=0)
        except TimeoutError as error:
            raise MalformedMessage(f"no hello came within {HELLO_TIMEOUT_S:g} s") from error
        finally:
            self.request.settimeout(None)

    def _accept(self, hello: SocketMessage) -> bool:
        """Whether the client may connect; it is told what is served, or why it may not."""
        served, fields = self.served, hello.fields
        if hello.kind != "hello" or fields.get("protocol") != PROTOCOL:
            said = f"a client says hello in {PROTOCOL!r} first, not {hello.kind!r} in {fields.get('protocol')!r}"
            send_message(self.request, make_error(said))
            return False
        if not hmac.compare_digest(str(fields.get("token", "")).encode(), served.token.encode()):
            mend = "set the server's in" if served.token else "the server has none: unset"
            send_message(self.request, make_error(f"wrong token; {mend} {TOKEN_VARIABLE}"))
            return False
        send_message(self.request, SocketMessage("policy", {"protocol": PROTOCOL, **served.description.make_fields()}))
        return True

    def _answer(self, policy: Policy, message: SocketMessage) -> tuple[Policy, SocketMessage]:
        """The policy that goes on, and the answer to a message."""
        served = self.served
        if message.kind == "begin":
            return served.make_policy(parse_session(message)), SocketMessage("done")
        if message.kind == "reset":
            policy.reset(_demand_mask(message))
            return policy, SocketMessage("done")
        if message.kind == "observation":
            observation = parse_observation(message)
            with served.lock:
                chunk = policy.act(observation)
                served.chunks += 1
            arrays = {"actions": chunk.actions, **{f"extras/{name}": value for name, value in chunk.extras.items()}}
            return policy, SocketMessage("chunk", {"execution_horizon": chunk.execution_horizon}, arrays)
        raise UserError(f"unknown message {message.kind!r}; valid are begin, reset, observation")


def parse_session(message: SocketMessage) -> Session:
    """Session of a message "begin"; `UserError` where a field is of another type."""
    usual = {"seed": 0, "worlds": [], "imagine": False}
    seed, worlds, imagine = (message.fields.get(name, value) for name, value in usual.items())
    is_list = isinstance(worlds, list)
    numbers = [one for one in (seed, *(worlds if is_list else ())) if type(one) is int and one >= 0]
    if not is_list or len(numbers) != 1 + len(worlds) or type(imagine) is not bool:
        raise UserError("begin has a seed, a list of numbers of worlds, from 0 on, and imagine, true or false")
    return Session(numbers[0], tuple(numbers[1:]), imagine)


def _demand_mask(message: SocketMessage) -> np.ndarray:
    mask = message.arrays.get("mask")
    if mask is None or mask.dtype != bool or mask.ndim != 1:
        raise UserError("reset has an array mask of bool, one for each world")
    return mask


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
