"""What tests of commands around a simulated policy share: its checkpoint, and episodes cut short."""

from __future__ import annotations

from pathlib import Path

import pytest
from served import make_simulated_policy, write_checkpoint


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a policy with random weights."""
    return write_checkpoint(make_simulated_policy("panda"), tmp_path_factory.mktemp("stage1"))


@pytest.fixture
def short_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """End episodes after 40 control steps, and a critic's learning after 20."""
    from aim.rl import critic_fit
    from sim.envs import env

    monkeypatch.setattr(critic_fit, "STEPS", 20)
    made = env.Env.__init__

    def begin(self: env.Env, *words: object, **named: object) -> None:
        made(self, *words, **{**named, "max_steps": 40})  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(env.Env, "__init__", begin)
