"""A policy over a socket acts as it does in its own process, and what does not fit is said in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pages import read_blocks
from served import SIZE, make_simulated_policy, write_checkpoint

from aim.evaluate.policy_spec import parse_policy
from aim.policy import load_policy
from aim.serve import client, server
from aim.serve.client import RemotePolicy, is_address
from aim.serve.description import parse_description
from aim.serve.learned import serve_learned
from aim.serve.messages import (
    LENGTH,
    MESSAGE_DTYPES,
    PROTOCOL,
    TOKEN_VARIABLE,
    MalformedMessage,
    SocketMessage,
    make_observation_message,
    parse_observation,
    receive_message,
    send_message,
)
from aim.serve.server import PolicyServer, ServedPolicy
from sim import robots
from sim.types import ActionChunk, Observation, UserError

pytestmark = pytest.mark.usefixtures("one_thread")
ROBOT = "panda"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a policy with random weights."""
    return write_checkpoint(make_simulated_policy(ROBOT), tmp_path_factory.mktemp("served"))


@contextlib.contextmanager
def serve(served: ServedPolicy) -> Iterator[str]:
    """Serve a policy in a thread; its address."""
    with PolicyServer(served, "127.0.0.1", 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield serving.address
        finally:
            serving.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def served(folder: Path) -> ServedPolicy:
    """The policy as a server holds it."""
    return serve_learned(load_policy(folder, video_steps=1, action_steps=2), folder)


@pytest.fixture
def address(served: ServedPolicy) -> Iterator[str]:
    """Where it is served."""
    with serve(served) as found:
        yield found


def observe(worlds: int, step: int, executed: int | None = None) -> Observation:
    """What worlds of a robot see at a control step."""
    draw = np.random.default_rng([worlds, step])
    width = len(robots.load_robot(ROBOT).action_names)
    images = {
        name: draw.integers(0, 255, (worlds, *SIZE, 3), np.uint8) for name in robots.load_robot(ROBOT).camera_names
    }
    sent = None if executed is None else draw.normal(size=(worlds, executed, width)).astype(np.float32)
    state = draw.normal(size=(worlds, width)).astype(np.float32)
    return Observation(images, state, ("press",) * worlds, np.full(worlds, step / 50), executed=sent)


@pytest.mark.parametrize("imagine", [False, True])
def test_actions_are_equal_to_the_bit_to_those_in_process(folder: Path, address: str, imagine: bool) -> None:
    near = load_policy(folder, video_steps=1, action_steps=2, seed=5, worlds=(7, 9), imagine=imagine)
    far = RemotePolicy(address, seed=5, worlds=(7, 9), imagine=imagine)
    other = RemotePolicy(address)
    for step, executed in ((0, None), (16, None), (32, 11), (48, 0)):
        other.act(observe(3, step))  # who shares the weights, not the history
        seen = observe(2, step, executed)
        ours, theirs = near.act(seen), far.act(seen)
        assert theirs.execution_horizon == ours.execution_horizon and theirs.actions.dtype == np.float32
        np.testing.assert_array_equal(theirs.actions, ours.actions)
        assert set(theirs.extras) == set(ours.extras) and bool(ours.extras) == imagine
        for name, value in ours.extras.items():
            np.testing.assert_array_equal(theirs.extras[name], value)
        if step == 16:
            for policy in (near, far):
                policy.reset(np.array([True, False]))


def test_a_client_is_told_what_the_policy_is_and_needs(folder: Path, address: str, served: ServedPolicy) -> None:
    found, policy = RemotePolicy(address).description, load_policy(folder)
    assert found == served.description
    assert (found.cameras, found.size, found.robot) == (policy.cameras, SIZE, ROBOT)
    assert (found.state_space, found.action_space) == (policy.state_space, policy.action_space)
    assert not found.own_units and found.action_space.rate_hz == 50
    with pytest.raises(UserError, match="the description of a policy has no field"):
        parse_description({**found.make_fields(), "digests": 1})


def test_a_served_policy_is_evaluated_as_that_of_the_folder(folder: Path) -> None:
    with serve(serve_learned(load_policy(folder), folder)) as address:
        near, far = parse_policy(str(folder), device="cpu"), parse_policy(address)
        named = {
            f.name: vars(near)[f.name] == vars(far)[f.name] for f in dataclasses.fields(near) if f.name != "make_policy"
        }
        assert all(named.values()), named


@pytest.mark.parametrize(("change", "said"), [
    ({"own_units": True}, "speaks the units of its recordings; serve it without --own-units"),
    ({"cameras": ("head", "rear")}, "looks at rear; the robot panda has head, wrist"),
    ({"action_space": None}, "is not for the simulated robot 'panda': in its action channel 0 is .*joint_delta., not"),
])  # fmt: skip
def test_what_does_not_fit_the_simulated_robot_is_refused_in_one_line(
    served: ServedPolicy, change: dict, said: str
) -> None:
    space = served.description.action_space
    if "action_space" in change:
        change = {"action_space": dataclasses.replace(space, kinds=("joint_delta", *space.kinds[1:]))}
    other = dataclasses.replace(served, description=dataclasses.replace(served.description, **change))
    with serve(other) as address, pytest.raises(UserError, match=said) as error:
        parse_policy(address)
    assert "\n" not in str(error.value)


def test_mistakes_are_told_in_one_line_and_the_connection_goes_on(address: str) -> None:
    policy, seen = RemotePolicy(address), observe(1, 0)
    right = policy.act(seen).actions
    lacking = {name: value for name, value in seen.images.items() if name != "head"}
    mistakes = {
        r"observation\.state must be an array of floating, any x 8": {"state": np.zeros((1, 5), np.float32)},
        "needs cameras head, wrist; there is no head": {"images": lacking},
        r"observation\.instruction must be 1 texts": {"instruction": ("a", "b")},
        "has numbers that are not finite": {"state": np.full((1, 8), np.nan, np.float32)},
    }
    for said, change in mistakes.items():
        with pytest.raises(UserError, match=said) as error:
            policy.act(dataclasses.replace(seen, **change))
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="begin has a seed"):
        RemotePolicy(address, seed=-1)
    policy.reset(np.array([True]))
    np.testing.assert_array_equal(policy.act(seen).actions, right)


def test_only_who_has_the_token_connects(served: ServedPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(dataclasses.replace(served, token="s3cret")) as address:
        with pytest.raises(UserError, match=f"wrong token; set the server's in {TOKEN_VARIABLE}"):
            RemotePolicy(address)
        monkeypatch.setenv(TOKEN_VARIABLE, "s3cret")
        assert RemotePolicy(address).description.robot == ROBOT
    with serve(served) as address, pytest.raises(UserError, match=f"the server has none: unset {TOKEN_VARIABLE}"):
        RemotePolicy(address)
    with pytest.raises(UserError, match=r"others can connect to 0\.0\.0\.0: set a token"):
        PolicyServer(served, "0.0.0.0", 0)


def test_where_there_is_no_server_is_said(served: ServedPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(served) as address:
        policy = RemotePolicy(address)
        with pytest.raises(UserError, match="cannot serve at"):
            PolicyServer(served, "127.0.0.1", int(address.rpartition(":")[2]))
    policy.close()
    with pytest.raises(UserError, match=r"no policy server at .*; `aim serve RUN --port PORT` starts one"):
        RemotePolicy(address)
    with pytest.raises(UserError, match=r"the connection to the policy server at .* is closed; connect anew"):
        policy.act(observe(1, 0))
    with pytest.raises(UserError, match="is no HOST:PORT"):
        RemotePolicy("localhost:99999")


class Slow:
    """Plans the time that it is asked at, once `goes_on` is set."""

    def __init__(self) -> None:
        """Wait."""
        self.goes_on = threading.Event()

    def reset(self, mask: np.ndarray) -> None:
        """Nothing is remembered."""

    def act(self, observation: Observation) -> ActionChunk:
        """Wait, then tell the time."""
        assert self.goes_on.wait(10)
        return ActionChunk(np.broadcast_to(observation.time[:, None, None], (1, 4, 1)).astype(np.float32))


@pytest.mark.parametrize("stop", [socket.timeout, KeyboardInterrupt, MalformedMessage])
def test_an_answer_that_comes_late_is_never_taken_for_the_next(
    served: ServedPolicy, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    """A client that stopped waiting for an answer, for whatever reason, says from then on that it is closed."""
    slow = Slow()
    with serve(dataclasses.replace(served, make_policy=lambda session: slow)) as address:
        policy = RemotePolicy(address)

        def stop_waiting(connection: socket.socket) -> SocketMessage | None:
            raise stop("no longer")

        with monkeypatch.context() as patch:
            patch.setattr(client, "receive_message", stop_waiting)
            with pytest.raises((UserError, KeyboardInterrupt), match="no longer"):
                policy.act(observe(1, 100))
        slow.goes_on.set()
        for _ in range(2):
            with pytest.raises(UserError, match="is closed; connect anew"):
                policy.act(observe(1, 150))
        with pytest.raises(UserError, match="is closed; connect anew"):
            policy.reset(np.array([True]))
        assert RemotePolicy(address).act(observe(1, 150)).actions[0, 0, 0] == 3.0


def test_an_address_is_told_from_a_class() -> None:
    assert all(is_address(name) for name in ("localhost:8765", "127.0.0.1:1", "gpu-1.lab:80"))
    assert not any(is_address(name) for name in ("my_policy:Hold", "my_policy.py:Hold", "runs/cup", "host:", ":80"))


def test_what_is_no_message_ends_the_connection_with_its_reason(address: str) -> None:
    host, _, port = address.rpartition(":")
    header = json.dumps({"kind": "hello", "fields": {}, "arrays": [{"name": "a", "dtype": "O", "shape": [1]}]}).encode()
    hello = SocketMessage("hello", {"protocol": "aim.policy/0"})
    for sent, said in (
        (b"GET / HTTP/1.1\r\n\r\n", "a header of .* bytes; at most"),
        (LENGTH.pack(2) + b"{}", "a header that is not understood: KeyError"),
        (LENGTH.pack(len(header)) + header, "array 'a' has dtype 'O'"),
        (hello, f"a client says hello in '{PROTOCOL}' first, not 'hello' in 'aim.policy/0'"),
    ):
        with socket.create_connection((host, int(port)), 10) as connection:
            send_message(connection, sent) if isinstance(sent, SocketMessage) else connection.sendall(sent)
            answer = receive_message(connection)
            assert answer is not None and answer.kind == "error"
            assert re.search(said, answer.fields["reason"])
            with contextlib.suppress(ConnectionResetError):  # where it did not read all that was sent
                assert receive_message(connection) is None


def test_who_is_not_accepted_yet_sends_no_arrays_and_is_not_waited_for(
    served: ServedPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever part of the first message does not come: an accepted client may be silent for as long as it likes."""
    monkeypatch.setattr(server, "HELLO_TIMEOUT_S", 0.1)
    header = {"kind": "hello", "fields": {}, "arrays": [{"name": "a", "dtype": "|u1", "shape": [2**20]}]}
    large = json.dumps(header).encode()
    with serve(dataclasses.replace(served, token="s3cret")) as address:
        host, _, port = address.rpartition(":")
        for sent, said in (
            (LENGTH.pack(len(large)) + large, "arrays of 1048576 bytes; at most 0 are read"),
            (LENGTH.pack(100) + b"{", "no hello came within 0.1 s"),
            (b"\0", "no hello came within 0.1 s"),
            (b"", "no hello came within 0.1 s"),
        ):
            with socket.create_connection((host, int(port)), 10) as connection:
                connection.sendall(sent)
                answer = receive_message(connection)
                assert answer is not None and said in answer.fields["reason"]
                assert receive_message(connection) is None
        monkeypatch.setenv(TOKEN_VARIABLE, "s3cret")
        policy = RemotePolicy(address)
        time.sleep(0.3)
        policy.reset(np.array([True]))


some = st.sampled_from(MESSAGE_DTYPES).flatmap(
    lambda dtype: arrays.arrays(np.dtype(dtype), arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)


@given(found=st.dictionaries(st.text(max_size=9), some, max_size=4), text=st.text())
def test_messages_arrive_as_they_were_sent(found: dict[str, np.ndarray], text: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for order in ("=", ">"):
            turned = {name: value.astype(value.dtype.newbyteorder(order)) for name, value in found.items()}
            send_message(ours, SocketMessage("chunk", {"said": text}, turned))
            got = receive_message(theirs)
            assert got is not None and (got.kind, got.fields) == ("chunk", {"said": text})
            assert list(got.arrays) == list(found)
            for name, value in found.items():
                assert got.arrays[name].dtype == value.dtype
                np.testing.assert_array_equal(got.arrays[name], value)
        ours.close()
        assert receive_message(theirs) is None


def test_a_message_that_breaks_off_is_none() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(LENGTH.pack(100) + b'{"kind"')
        ours.close()
        with pytest.raises(MalformedMessage, match="ended within a message"):
            receive_message(theirs)


def test_the_loop_on_the_page_talks_to_a_server(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = read_blocks("policy_server.md", "python")
    exec(compile(block.replace("127.0.0.1:8765", address), "policy_server.md", "exec"), {"__name__": "page"})
    names = robots.load_robot(ROBOT).action_names
    assert capsys.readouterr().out.strip() == f"(1, 16, {len(names)}) {names} 50.0"


@pytest.mark.parametrize("executed", [None, 0, 7])
def test_an_observation_arrives_with_every_field(executed: int | None) -> None:
    """All but the simulator's own state, which no policy that is served may see."""
    draw, seen = np.random.default_rng(0), observe(2, 32, executed)
    seen = dataclasses.replace(
        seen,
        depth={name: draw.random((2, *SIZE), np.float32) for name in seen.images},
        intrinsics={name: draw.random((3, 3)) for name in seen.images},
        extrinsics={name: draw.random((2, 4, 4)) for name in seen.images},
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=send_message, args=(ours, make_observation_message(seen)))
        sender.start()
        message = receive_message(theirs)
        sender.join()
    assert message is not None
    found = parse_observation(message)
    assert found.instruction == seen.instruction
    for name in ("state", "time", "executed", "images", "depth", "intrinsics", "extrinsics"):
        sent, got = vars(seen)[name], vars(found)[name]
        assert (sent is None) == (got is None), name
        for camera in sent if isinstance(sent, dict) else ():
            np.testing.assert_array_equal(got[camera], sent[camera])
        if isinstance(sent, dict):
            assert got.keys() == sent.keys(), name
        elif sent is not None:
            np.testing.assert_array_equal(got, sent)
            assert got.dtype == sent.dtype, name
