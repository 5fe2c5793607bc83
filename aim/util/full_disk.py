"""A full disk as one line that names the disk and what is kept."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from sim.types import UserError

FULL_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)
# how libraries say it that raise errors of their own, workers among them
FULL_DISK_MESSAGES = ("No space left on device", "Disk quota exceeded")


@contextlib.contextmanager
def explain_full_disk(folder: Path, describe_remains: Callable[[], str]) -> Iterator[None]:
    """Turn the error of a full disk into a `UserError` with the disk of `folder`, what is kept and how to go on."""
    try:
        yield
    except Exception as error:
        if not is_full_disk(error):
            raise
        room = f"there is no room left on {describe_disk(folder)}"
        raise UserError(f"{room}; {describe_remains()}") from error


def is_full_disk(error: BaseException) -> bool:
    """Whether an error, or the one that it came from, means that a disk is full."""
    if isinstance(error, OSError) and error.errno in FULL_DISK_ERRORS:
        return True
    if not isinstance(error, UserError) and any(message in str(error) for message in FULL_DISK_MESSAGES):
        return True
    return error.__cause__ is not None and is_full_disk(error.__cause__)


def describe_disk(folder: Path) -> str:
    """Device, mount point and free space of the disk that a folder lies on."""
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    usage = shutil.disk_usage(existing)
    room = f"{usage.free / 1e6:.0f} of {usage.total / 1e6:.0f} MB free"
    place = existing.resolve()
    with contextlib.suppress(OSError):
        mounts = [line.split()[:2] for line in Path("/proc/mounts").read_text().splitlines()]
        above = [(mount, device) for device, mount in mounts if place.is_relative_to(mount)]
        if above:
            mount, device = max(above, key=lambda pair: len(pair[0]))
            return f"the disk of {folder} ({device} at {mount}, {room})"
    return f"the disk of {folder} ({room})"
