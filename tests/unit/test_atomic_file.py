"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aim.util import atomic_file


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text in ("one\n", "two é\n"):
        atomic_file.write_text(path, text)
        assert path.read_text(encoding="utf-8") == text and list(tmp_path.iterdir()) == [path]


def test_what_shares_the_file_keeps_the_former_text(tmp_path: Path) -> None:
    path, other = tmp_path / "a.json", tmp_path / "b.json"
    atomic_file.write_text(path, "one")
    os.link(path, other)
    atomic_file.write_text(path, "two")
    assert (path.read_text(), other.read_text()) == ("two", "one")


def test_an_error_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    atomic_file.write_text(path, "one")

    def fill_disk(self: Path, data: str, encoding: str) -> None:
        self.write_bytes(data.encode(encoding)[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill_disk)
    with pytest.raises(OSError, match="No space"):
        atomic_file.write_text(path, "two")
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]


def test_the_same_text_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_file.write_text(path, "one")
    before = path.stat().st_ino
    atomic_file.write_text(path, "one")
    assert path.stat().st_ino == before
