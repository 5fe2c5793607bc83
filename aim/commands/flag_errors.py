"""Errors of tyro on wrong flags as one line."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
from collections.abc import Iterator, Sequence

from sim.types import UserError


@contextlib.contextmanager
def report_flag_errors(flag_names: Sequence[str] = ()) -> Iterator[None]:
    """Turn tyro's error on wrong flags into a `UserError` of one line, which lists `flag_names`."""
    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            yield
    except SystemExit as stop:
        if not (stop.code and message.getvalue()):
            raise
        names = f"; flags: {', '.join(flag_names)}" if flag_names else ""
        raise UserError(f"{_join_error_lines(message.getvalue())}{names}") from None


def _join_error_lines(text: str) -> str:
    """One line from tyro's boxed error message on wrong flags, without its help on them."""
    lines = [re.sub(r"-{4,}", "", line).strip("│╭╮╰╯─+| ") for line in text.splitlines()[1:]]
    message_lines = itertools.takewhile(
        lambda line: not line.startswith(("Argument helptext", "For full helptext")), lines
    )
    return "; ".join(" ".join(group) for filled, group in itertools.groupby(message_lines, key=bool) if filled)
