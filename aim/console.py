"""What a verb may rely on: progress on standard error, JSON as the last line, four exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

DONE, FAULT, MISTAKE, INTERRUPTED = 0, 1, 2, 130
LINE_EVERY_S = 5.0


def note(text: str) -> None:
    """Print one line for the person who watches, on standard error."""
    print(text, file=sys.stderr, flush=True)


class ProgressBar(Protocol):
    """Work that is under way."""

    def step(self, count: int = 1, detail: str = "") -> None:
        """Say that `count` more units are done; `detail` stands behind the count."""
        ...


@contextlib.contextmanager
def progress(label: str, total: int) -> Iterator[ProgressBar]:
    """Yield a bar of `total` units where a person watches standard error, plain lines otherwise."""
    shown = _Bar(label, total) if sys.stderr.isatty() else _PlainProgress(label, total)
    try:
        yield shown
    finally:
        shown.close()


class _PlainProgress:
    """A line every few seconds, and the last state at the end."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.count, self.detail = label, total, 0, ""
        self.start = self.last = time.monotonic()

    def step(self, count: int = 1, detail: str = "") -> None:
        self.count += count
        self.detail = detail
        if time.monotonic() - self.last > LINE_EVERY_S:
            self._print()

    def close(self) -> None:
        self._print()

    def _print(self) -> None:
        self.last = time.monotonic()
        note(f"{self.label}: {self.count}/{self.total} after {self.last - self.start:.0f} s {self.detail}".rstrip())


class _Bar:
    """A rich bar."""

    def __init__(self, label: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
        )
        self.bar = Progress(*columns, console=Console(stderr=True))
        self.task = self.bar.add_task(label, total=total, detail="")
        self.bar.start()

    def step(self, count: int = 1, detail: str = "") -> None:
        self.bar.update(self.task, advance=count, detail=detail)

    def close(self) -> None:
        self.bar.stop()


def run(verb: Callable[[], Mapping[str, object]], as_json: bool) -> int:
    """Run a verb and return its exit code; with `as_json` print its result, or its error, as the last line."""
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        code, result = _outcome(verb)
    if as_json:
        try:
            print(json.dumps(result, allow_nan=False), flush=True)
        except BrokenPipeError:
            _drop_output()
    return code


def _outcome(verb: Callable[[], Mapping[str, object]]) -> tuple[int, Mapping[str, object]]:
    from sim.types import UserError

    try:
        result = verb()
        sys.stdout.flush()  # a reader that has gone is met here, not at exit
    except UserError as error:
        note(f"error: {error}")
        return MISTAKE, {"error": str(error)}
    except KeyboardInterrupt as stop:
        note(f"interrupted: {str(stop) or 'nothing was under way'}")
        return INTERRUPTED, {"error": "interrupted", "kept": str(stop)}
    except SystemExit as stop:  # tyro has printed its help or said what is wrong with the flags
        code = stop.code if isinstance(stop.code, int) else DONE
        return code, {} if code == DONE else {"error": "usage"}
    except Exception as fault:
        if isinstance(fault, BrokenPipeError) and _is_output_closed():
            return DONE, {}
        traceback.print_exc()
        return FAULT, {"error": f"{type(fault).__name__}: {fault}".partition("\n")[0]}
    if result.get("broken"):  # the verb did what it could without what is broken
        return FAULT, result
    return (MISTAKE if result.get("ok") is False else DONE), result  # something the user is to mend


def _is_output_closed() -> bool:
    """Whether the reader of standard output has gone, as `head` does; what is still to be written is then dropped."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    is_closed = any(event & select.POLLERR for _, event in poll.poll(0))
    if is_closed:
        _drop_output()
    return is_closed


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
