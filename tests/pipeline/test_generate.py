"""The simulator, the store and the workers together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aim.data import store, verify
from aim.data.generate import generate
from aim.data.store import Recipe

RECIPE = Recipe(
    tasks=("click_bell",), robot="aloha", cameras=("head", "right_wrist"), size=(32, 40), depth=True, block=3
)


@pytest.mark.slow
def test_seeds_alone_decide_what_is_recorded(tmp_path: Path) -> None:
    """One worker, two workers, and a run that was extended hold the same bytes."""
    generate(RECIPE, 5, tmp_path / "one", 1)
    generate(RECIPE, 2, tmp_path / "two", 2)
    generate(RECIPE, 5, tmp_path / "two", 2)
    one, two = store.open_dataset(tmp_path / "one"), store.open_dataset(tmp_path / "two")
    assert [(ref.seed, ref.sha256) for ref in one.episodes] == [(ref.seed, ref.sha256) for ref in two.episodes]
    assert len({ref.sha256 for ref in one.episodes}) == 5
    assert verify.verify(tmp_path / "one").problems == ()
    last = one.load(one.episodes[-1])
    assert last.depth["head"].shape == last.images["head"].shape[:3]
    assert 0.2 < np.median(last.depth["head"]) < 3.0
    assert last.maps["head"].max() > 200
