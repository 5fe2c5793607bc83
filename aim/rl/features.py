"""What the action expert sees at a decision, as rows of numbers that are stored, and the cache that they make again.

A cache of keys and values would take five times the room, so what it is computed from is kept: tokens of the present,
the past and the condition in half precision, the rest as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim.model import text
from aim.model.batch import Context, Fovea, KvCache
from aim.policy.foresight import Foresight
from aim.policy.learned import LearnedPolicy
from aim.policy.precision import autocast
from aim.rl.trial import Trial

Features = Mapping[str, NDArray]  # by name, one row a decision
HALF = ("past_rgb", "rgb", "condition")  # tokens, which training reads in half precision too


def extract_features(policy: LearnedPolicy, foresight: Foresight) -> dict[str, NDArray]:
    """Return the features of n worlds, a row each; what the futures have is (n f ...)."""
    context, future = foresight.context, foresight.future
    found: dict[str, Tensor | None] = {
        "past_rgb": context.past_rgb, "past_action": context.past_action, "past_valid": context.past_valid,
        "rgb": context.rgb, "state": context.state, "points": context.points,
    }  # fmt: skip
    of_future = {"condition": future.condition}
    if future.fovea is not None:
        of_future |= {"fovea_picture": future.fovea.picture, "fovea_center": future.fovea.center}
    found |= {
        name: value if value is None else value.unflatten(0, (-1, foresight.futures))
        for name, value in of_future.items()
    }
    given = {name: value for name, value in found.items() if value is not None}
    return {name: (value.half() if name in HALF else value).cpu().numpy() for name, value in given.items()}


@torch.no_grad()
def rebuild_cache(policy: LearnedPolicy, features: Features, instructions: Sequence[str]) -> KvCache:
    """Return the cache that chunks are denoised against, from features of b decisions and their instructions.

    It has a row for each future, those of a decision side by side.
    """
    put = {name: torch.from_numpy(np.ascontiguousarray(rows)).to(policy.device) for name, rows in features.items()}
    put |= {name: put[name].float() for name in HALF if name in put}
    words, words_valid = text.encode_sentences(tuple(instructions), policy.run.weights)
    context = Context(
        past_rgb=put["past_rgb"], past_action=put["past_action"], past_valid=put["past_valid"], rgb=put["rgb"],
        state=put["state"], text=words.to(policy.device), text_valid=words_valid.to(policy.device),
        points=put.get("points"),
    )  # fmt: skip
    with autocast(policy.precision, policy.device):
        cache = policy.model.encode_context(context)
        if "condition" not in put:
            return cache
        fovea = None
        if "fovea_picture" in put:
            fovea = Fovea(put["fovea_picture"].flatten(0, 1), put["fovea_center"].flatten(0, 1))
        cache = cache.repeat_rows(put["condition"].shape[1])
        return policy.model.append_condition(cache, put["condition"].flatten(0, 1), fovea)


def rebuild_cache_of_decisions(
    policy: LearnedPolicy, trials: Sequence[Trial], decisions: Sequence[tuple[int, int]]
) -> KvCache:
    """Return the cache of b decisions, each given as (index of the trial, decision)."""
    features = {
        name: np.stack([trials[trial].features[name][decision] for trial, decision in decisions])
        for name in trials[decisions[0][0]].features
    }
    return rebuild_cache(policy, features, [trials[trial].instruction for trial, _ in decisions])
