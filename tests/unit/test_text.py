"""The sentence encoder is loaded without a word on the console."""

from __future__ import annotations

import pytest
from transformers.utils import logging

from aim.model import text


def test_loading_the_encoder_draws_no_progress_bar(capfd: pytest.CaptureFixture[str]) -> None:
    logging.enable_progress_bar()
    text.unload_encoders()
    text.embed_sentence.cache_clear()
    assert len(text.embed_sentence("press the bell")) > 3
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled(), "a setting of the user's was changed"
