"""Lock of an output folder against a second writer; the kernel releases it when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sim.types import UserError

LOCK_FILE = ".lock"  # in the folder; it is no part of what the folder holds


@contextlib.contextmanager
def lock_folder(out: Path) -> Iterator[None]:
    """Context that locks a folder, made if it is missing; `UserError` at once where another process has locked it.

    A folder that was made and in which nothing was written is removed again.
    """
    made = not out.exists()
    path = out / LOCK_FILE
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = _lock_file(path)
    except BlockingIOError as error:
        raise UserError(f"another process is writing to {out}; wait for it or choose another folder") from error
    except OSError as error:
        raise UserError(f"{out} is not a folder that may be written ({error.strerror}); choose another") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
            if made:
                out.rmdir()
        os.close(file)


def is_empty(folder: Path) -> bool:
    """Whether nothing but its lock is in a folder."""
    return all(entry.name == LOCK_FILE for entry in folder.iterdir())


def _lock_file(path: Path) -> int:
    """Open and lock a file; `BlockingIOError` where another process has locked it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_ino == path.stat().st_ino:
                return file
        except FileNotFoundError:
            pass  # whoever had locked it has just removed it
        except OSError:
            os.close(file)
            raise
        os.close(file)
