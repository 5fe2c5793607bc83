"""`aim serve` in a process of its own: `aim eval` over a socket finds what it finds with the folder."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from delta_arm import ACTION_NAMES, DELTA_TOML, RATE, STATE_NAMES, make_part, make_policy
from lerobot_set import HEAD, write
from served import make_simulated_policy, write_checkpoint

from aim import cli
from aim.data.source import open_source
from aim.policy import OwnUnitsPolicy, load_policy
from aim.serve.client import RemotePolicy
from aim.util import console
from sim.types import Observation

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@contextlib.contextmanager
def serve(run: Path, *flags: str) -> Iterator[str]:
    """Run `aim serve` until it is interrupted; its address."""
    words = [sys.executable, "-m", "aim", "serve", str(run), "--port", "0", "--device", "cpu", *flags]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            yield said.split()[-1]
        finally:
            process.terminate()  # a shell that put the tests into the background had SIGINT ignored
            try:
                _, heard = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == console.EXIT_INTERRUPTED
    assert "chunks were sent" in heard and "Traceback" not in heard


def test_an_evaluation_over_a_socket_is_that_of_the_folder(tmp_path: Path) -> None:
    folder = write_checkpoint(make_simulated_policy("panda"), tmp_path / "run")
    flags = ["--task", "click_bell", "--episodes", "1", "--films", "1", "--device", "cpu"]
    with serve(tmp_path / "run") as address:
        for policy, out in ((str(folder), "near"), (address, "far")):
            assert cli.main(["eval", "--policy", policy, *flags, "--out", str(tmp_path / out)]) == console.EXIT_DONE
    near, far = (json.loads((tmp_path / out / "results.json").read_text()) for out in ("near", "far"))
    assert near.pop("commands") != far.pop("commands")
    assert near == far
    films = [sorted((tmp_path / out / "films").glob("*.webp"))[0].read_bytes() for out in ("near", "far")]
    assert films[0] == films[1], "the predicted pictures too"


def test_a_robot_is_served_in_its_own_units(tmp_path: Path) -> None:
    parts = [make_part(seed) for seed in range(2)]
    write(tmp_path / "set", parts, fps=RATE, names=STATE_NAMES, action_names=ACTION_NAMES)
    (tmp_path / "delta.toml").write_text(DELTA_TOML)
    source = open_source(tmp_path / "set", tmp_path / "delta.toml")
    write_checkpoint(make_policy(source), tmp_path / "run")
    part = make_part(0)
    seen = Observation({"head": part.pictures[HEAD][:1]}, part.state[8:9], ("wave",), np.zeros(1))
    near = OwnUnitsPolicy(load_policy(tmp_path / "run"), execution_horizon=3)
    with serve(tmp_path / "run", "--own-units", "--execution-horizon", "3") as address:
        far = RemotePolicy(address)
        assert far.description.own_units and far.description.action_space == near.action_space
        np.testing.assert_array_equal(far.act(seen).actions, near.act(seen).actions)
        assert far.act(seen).execution_horizon == 3
