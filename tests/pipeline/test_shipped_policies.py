"""The policies that come with the project are whole, small, and do their task."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from aim import cli
from aim.policy import load_policy, shipped
from aim.util import console

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
MAX_BYTES = 60e6  # of all of them


def test_they_are_whole_and_small() -> None:
    assert "nano-cup" in shipped.list_shipped()
    for name in shipped.list_shipped():
        shipped.check_files(shipped.SHIPPED_FOLDER / name)
        source = shipped.read_source(shipped.SHIPPED_FOLDER / name)
        assert source.license == "Apache-2.0" and source.commands and all(row.episodes >= 200 for row in source.results)
        assert load_policy(name).run.robot == "panda"
    size = sum(path.stat().st_size for path in shipped.SHIPPED_FOLDER.rglob("*") if path.is_file())
    assert size < MAX_BYTES


def test_the_cup_is_set_down(tmp_path: Path) -> None:
    """Six scenes, of which it solves four to five; a film shows what it imagined."""
    out = tmp_path / "eval"
    words = ["eval", "--policy", "nano-cup", "--task", "place_empty_cup", "--episodes", "6", "--films", "1"]
    assert cli.main([*words, "--seed", "60000", "--out", str(out), "--device", "cpu"]) == console.EXIT_DONE
    record = json.loads((out / "results.json").read_text())
    assert record["success_rate"] >= 0.5
    (film,) = (out / "films").glob("*.webp")
    ok, animation = cv2.imreadanimation(str(film))
    assert ok
    frames = np.stack(animation.frames)[..., :3].astype(np.int32)
    third = frames[:, :, -frames.shape[2] // 3 :]  # the predicted map: heat over grey
    colour = third.max(-1) - third.min(-1)
    assert (colour[:, 40:] > 100).any(), "nothing is wanted anywhere"
