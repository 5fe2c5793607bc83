"""What a command said."""

from __future__ import annotations

import json

import pytest


def last(capsys: pytest.CaptureFixture[str]) -> dict:
    """Return the JSON that the last command's standard output ended with."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])
