"""What a policy remembers of n worlds: pictures that were seen, and actions that were carried out.

A history is a value: each function makes a new one. Times are counted in control steps of 20 ms. Cameras are not as
regular as a simulator: the picture of one latent frame ago is the one that was seen nearest to that time, if within
`HISTORY_TOLERANCE_STEPS`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim.util.horizons import HISTORY_TOLERANCE_STEPS

Steps = NDArray[np.int64]


@dataclass(frozen=True)
class History:
    """What n worlds went through. `step` is -1 for a world that has not been seen yet."""

    step: Steps  # (n,) control step of the last observation
    began: Steps  # (n,) control step of the first one
    seen: tuple[
        tuple[Steps, Tensor], ...
    ]  # control steps (n,) and rgb tokens (n t c) of past observations, oldest first
    executed: NDArray[np.float32]  # (n q d) the last actions that were carried out, oldest first
    count: Steps  # (n,) how many actions have been carried out
    handed_out: NDArray[np.float32]  # (n k d) what was handed out last, and then what is done until there is more


def make_history(worlds: int, past_actions: int, action_dim: int) -> History:
    """History of worlds that have not been seen yet."""
    unseen, none = np.full(worlds, -1), np.zeros((worlds, 0, action_dim), np.float32)
    executed = np.zeros((worlds, past_actions, action_dim), np.float32)
    return History(unseen, unseen, (), executed, np.zeros(worlds, np.int64), none)


def forget_worlds(history: History, mask: NDArray[np.bool_]) -> History:
    """History as if the worlds where `mask` (n,) is true had not been seen yet."""
    return replace(
        history, step=np.where(mask, -1, history.step), began=np.where(mask, -1, history.began),
        seen=tuple((np.where(mask, -1, when), tokens) for when, tokens in history.seen),
        count=np.where(mask, 0, history.count),
    )  # fmt: skip


def select_history(history: History, rows: NDArray[np.int64]) -> History:
    """History of the worlds `rows` (r,) alone."""
    return History(
        history.step[rows], history.began[rows], tuple((when[rows], tokens[rows]) for when, tokens in history.seen),
        history.executed[rows], history.count[rows], history.handed_out[rows],
    )  # fmt: skip


def spread_history(history: History, rows: NDArray[np.int64], worlds: int) -> History:
    """History of n `worlds`, of which those in `rows` (r,) are those of a history; the others are as if not seen."""

    def spread_tokens(tokens: Tensor) -> Tensor:
        found = tokens.new_zeros(worlds, *tokens.shape[1:])
        found[rows] = tokens
        return found

    spread = functools.partial(spread_rows, rows=rows, count=worlds)
    return History(
        spread(history.step, fill=-1), spread(history.began, fill=-1),
        tuple((spread(when, fill=-1), spread_tokens(tokens)) for when, tokens in history.seen),
        spread(history.executed), spread(history.count), spread(history.handed_out),
    )  # fmt: skip


def spread_rows(values: NDArray, rows: NDArray[np.int64], count: int, fill: int = 0) -> NDArray:
    """Array of `count` rows, of which `rows` (r,) are `values` (r ...), the others `fill`."""
    found = np.full((count, *values.shape[1:]), fill, values.dtype)
    found[rows] = values
    return found


def hold_last_action(handed_out: NDArray[np.float32], is_delta: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Actions (n k d) with one more: the last target is held, and nothing is displaced (channels `is_delta`)."""
    return np.concatenate([handed_out, np.where(is_delta, np.float32(0), handed_out[:, -1:])], axis=1)


def record_step(history: History, now: Steps, executed: NDArray[np.float32] | None = None) -> History:
    """History once control step `now` (n,) is reached.

    `executed` (n j d) are the actions that were carried out since the last observation; if left out, as many of those
    handed out as control steps have passed, the last of them again and again where they are more. A world whose time
    ran backwards begins anew.
    """
    history = forget_worlds(history, now < history.step)
    actions, count, length = history.executed.copy(), history.count.copy(), history.executed.shape[1]
    for world, (before, step) in enumerate(zip(history.step, now, strict=True)):
        if before >= 0:
            given = history.handed_out[world]
            new = _follow_actions(given, step - before, length) if executed is None else executed[world]
            actions[world] = np.concatenate([actions[world], new])[len(new) :]
            count[world] += len(new)
    began = np.where(history.step < 0, now, history.began)
    return replace(history, step=now, began=began, executed=actions, count=count)


def _follow_actions(given: NDArray[np.float32], steps: int, length: int) -> NDArray[np.float32]:
    """First `steps` of actions (k d); the last is repeated, up to `length` times."""
    missing = min(max(steps - len(given), 0), length)
    return np.concatenate([given[:steps], np.repeat(given[-1:], missing, axis=0)])


def record_frame(history: History, now: Steps, tokens: Tensor, reach: int) -> History:
    """History with the tokens (n t c) seen at `now` (n,), without frames older than `reach` steps in every world."""
    frames = (*history.seen, (now, tokens))
    seen = tuple((when, then) for when, then in frames if ((when >= 0) & (when >= now - reach)).any())
    return replace(history, seen=seen)


def recall_actions(history: History) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Past actions (n q d) and for which worlds (n,) they are known.

    Up to `HISTORY_TOLERANCE_STEPS` may be missing at the beginning; the first that is known stands in their place.
    """
    length = history.executed.shape[1]
    known = np.minimum(history.count, length)
    first = np.maximum(np.arange(length)[None], (length - known)[:, None]).clip(max=max(length - 1, 0))
    return np.take_along_axis(history.executed, first[..., None], 1), known >= length - HISTORY_TOLERANCE_STEPS


def recall_frames(history: History, tokens: Tensor, frames: int, stride: int) -> tuple[Tensor, NDArray[np.bool_]]:
    """Rgb tokens (n p t c) of past frames, `stride` control steps apart, and for which worlds (n,) all are known.

    Where one is not known the present `tokens` (n t c) stand in its place.
    """
    past = tokens[:, None].repeat(1, frames, 1, 1)
    valid = np.ones(len(history.step), bool)
    for place in range(frames):
        wanted = history.step - stride * (frames - place)
        nearest = np.full(len(wanted), HISTORY_TOLERANCE_STEPS + 1)
        for when, then in history.seen:
            distance = np.where(when >= 0, np.abs(when - wanted), nearest)
            closer = torch.from_numpy(distance < nearest)
            past[closer, place] = then[closer]
            nearest = np.minimum(nearest, distance)
        valid &= nearest <= HISTORY_TOLERANCE_STEPS
    return past, valid
