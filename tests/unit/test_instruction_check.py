"""Instructions that the encoder cannot read are said, and those that it cannot tell apart are refused."""

from __future__ import annotations

import pytest

from aim.data.instruction_check import check_instructions
from aim.model import text
from sim.types import UserError

RED, BLUE = "把红色的杯子放到左边", "把蓝色的杯子放到右边"


def test_what_becomes_the_same_tokens_is_refused() -> None:
    assert text.tokenize_sentence(RED) == text.tokenize_sentence(BLUE)
    with pytest.raises(
        UserError, match=f"{RED}.*{BLUE}.* become the same tokens; the text encoder cannot tell"
    ) as error:
        check_instructions(["put the cup down", RED, BLUE, RED])
    assert "\n" not in str(error.value)


def test_what_is_not_read_is_said_with_its_share(capsys: pytest.CaptureFixture[str]) -> None:
    tokens = text.tokenize_sentence(RED)
    unknown = tokens.count(text.get_unknown_token())
    check_instructions(["put the cup down", RED])
    (line,) = capsys.readouterr().err.splitlines()
    assert f"does not know {unknown} of {len(tokens)} tokens of 1 instructions" in line and RED in line
    assert 0 < unknown < len(tokens)


@pytest.mark.parametrize("other", ["Put the cup down", "put  the cup down ", "pút the cup down"])
def test_case_accents_and_spacing_are_no_difference(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    check_instructions(["put the cup down", other, "put the cup up"])
    assert not capsys.readouterr().err


def test_an_instruction_that_is_too_long_is_refused_without_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(weights: str) -> None:
        raise AssertionError("only the tokenizer is needed")

    monkeypatch.setattr(text, "_load_encoder", load)
    with pytest.raises(UserError, match="an instruction has 362 tokens, at most 128 are read"):
        check_instructions(["put the cup on the coaster " * 60])
