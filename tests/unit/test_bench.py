"""Benchmarks refuse what they cannot measure, in one line and before any work."""

from __future__ import annotations

import shlex

import pytest

from aim import cli
from aim.util import console


@pytest.mark.parametrize(("words", "said"), [
    ("infer tiny --threads -1", "threads must lie in 1 to 1024, or be 0 for torch's own choice, not -1"),
    ("infer tiny --threads 9999999999", "threads must lie in 1 to 1024"),
    ("train tiny --threads -1", "threads must lie in 1 to 1024, or be 0 for torch's own choice, not -1"),
    ("sim --seconds 0", "seconds must be above 0, not 0"),
    ("sim --seconds nan", "seconds must be above 0, not nan"),
    ("render --seconds -1", "seconds must be above 0, not -1"),
    ("render --seconds inf", "seconds must be above 0, not inf"),
])  # fmt: skip
def test_a_flag_beyond_its_range_is_one_line(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", *shlex.split(words)]) == console.EXIT_MISTAKE
    err = capsys.readouterr().err
    assert err.startswith(f"error: {said}") and err.count("\n") == 1
