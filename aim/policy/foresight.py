"""Foresight: what a policy makes of observations before it acts, of which candidates of chunks are sampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from aim.model.batch import Context, PredictedFuture
from aim.policy.history import History
from sim.types import UserError


@dataclass(frozen=True)
class Foresight:
    """What a policy makes of n observations before it acts: f futures, and all that chunks are sampled from."""

    context: Context
    future: PredictedFuture  # (n f) rows, those of an observation side by side, the policy's own first
    noise: Tensor  # (n k d) that the policy's own chunk is denoised from
    state: NDArray[np.float32]  # (n s) measured
    worlds: tuple[int, ...]  # (n,) numbers that tell the noise of worlds apart
    history: History  # with this observation; `handed_out` is still what was handed out before it
    futures: int = 1  # f


def check_futures(candidates: int, futures: int) -> None:
    """Raise `UserError` unless every future has equally many candidates."""
    if futures < 1 or candidates % futures:
        raise UserError(f"futures is {futures}; valid: a number that divides the {candidates} candidates")


def list_noised(candidates: int, futures: int) -> list[int]:
    """Numbers of the candidates that smooth noise is added to, if any: of each future the second, the fourth ..."""
    return [number for number in range(candidates) if number % (candidates // futures) % 2]


def split_by_future(chunks: Tensor, futures: int) -> Tensor:
    """Chunks (n r k d), those of a future side by side, as rows of a cache of so many futures (n*f r/f k d)."""
    return chunks.unflatten(1, (futures, -1)).flatten(0, 1)
