"""Drawing through a process of its own, for a process that was forked after its parent had opened a renderer.

The drawing process is started afresh, so that it shares no thread, lock or device of a driver with anyone. Models,
states and images cross a socket.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize
from sim.types import UserError
from sim.world.render import RendererInfo, get_renderer

SERVER_CODE = "import sys; from sim.world.render_process import serve_images; serve_images(int(sys.argv[1]))"


class ProcessRenderer:
    """Draws with the renderer that a fresh process opens."""

    info: RendererInfo

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._start()
        atexit.register(self.close)

    def render(
        self, model: mujoco.MjModel, data: mujoco.MjData, cameras: Sequence[int], size: ImageSize, depth: bool = False
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Images (c h w 3) and depths (c h w), metres along the optical axis, 0 where nothing was drawn."""
        with self._lock:
            if self._connection.closed:
                self._start()
            return self._exchange((model, data, tuple(cameras), size, depth))

    def close(self) -> None:
        """End the drawing process; the next image starts another. In a forked process: nothing, it is the parent's."""
        if os.getpid() == self._owner:
            self._connection.close()
            self._process.kill()  # it keeps nothing, and a driver that hangs would not see the closed socket
            self._process.wait()

    def _start(self) -> None:
        self._connection, remote = multiprocessing.Pipe()
        with remote:
            self._process = subprocess.Popen(
                [sys.executable, "-c", SERVER_CODE, str(remote.fileno())],
                pass_fds=(remote.fileno(),),
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        try:
            self.info = self._exchange(None)
        except UserError:
            self.close()
            raise

    def _exchange(self, request: object) -> Any:  # noqa: ANN401 - what a request is answered with depends on it
        """Send a request and return its answer; an exchange that breaks off ends the drawing process."""
        answer = None
        try:
            self._connection.send(request)
            answer = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            raise RuntimeError("the process that draws has ended; what it printed last says why") from error
        finally:
            if answer is None:  # interrupted: the rest of this answer must not be read as the next one
                self.close()
        if isinstance(answer, UserError):
            raise answer
        return answer


def serve_images(descriptor: int) -> None:
    """Answer the requests of one `ProcessRenderer` until it closes its end of the socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner decides what an interrupt ends
    with contextlib.suppress(EOFError, ConnectionError), Connection(descriptor) as connection:
        while True:
            connection.send(_answer_request(connection.recv()))


def _answer_request(request: tuple[Any, ...] | None) -> object:
    try:
        renderer = get_renderer()
        return renderer.info if request is None else renderer.render(*request)
    except UserError as error:
        return error
