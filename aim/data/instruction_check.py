"""Instructions checked before anything is made of a dataset: their length, and whether the text encoder reads them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from aim.util import console
from sim.types import UserError

MAX_SHOWN_LENGTH = 40


def check_instructions(instructions: Sequence[str], weights: str = "") -> None:
    """Raise `UserError` where an instruction is too long, or two become the same tokens though they differ.

    A note says how many words are not read, where some are not. `weights` are those of the encoder: `aim.model.text`.
    """
    from aim.model import text

    seen: dict[tuple[int, ...], str] = {}
    unread: dict[str, tuple[int, int]] = {}
    for sentence in sorted(set(instructions)):
        tokens = text.tokenize_sentence(sentence, weights)
        unknown = tokens.count(text.get_unknown_token(weights))
        if unknown:
            unread[sentence] = unknown, len(tokens)
        other = seen.setdefault(tuple(tokens), sentence)
        if _simplify(other) != _simplify(sentence):
            reason = "the text encoder cannot tell them apart: say them in other words, in English"
            raise UserError(f"instructions {_shorten(other)} and {_shorten(sentence)} become the same tokens; {reason}")
    if unread:
        first = next(iter(unread))
        unknown, count = (sum(counts) for counts in zip(*unread.values(), strict=True))
        said = f"the text encoder does not know {unknown} of {count} tokens of {len(unread)} instructions"
        console.print_note(f"{said} ({100 * unknown / count:.0f} % are not read), as in {_shorten(first)}")


def _simplify(sentence: str) -> str:
    """Sentence without case, accents and spacing, which an encoder may leave out without loss."""
    plain = unicodedata.normalize("NFKD", sentence.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter) and not letter.isspace())


def _shorten(sentence: str) -> str:
    return repr(sentence if len(sentence) <= MAX_SHOWN_LENGTH else sentence[:MAX_SHOWN_LENGTH] + "…")
