# ruff: noqa: F722
"""Objectives of Stage II: what tried chunks and their values teach. Losses are means over decisions.

b decisions, c candidates at each, k control steps, d channels. A value is a probability of success after a chunk.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aim.model import flow

Values = Float[Tensor, "b c"]
Chunks = Float[Tensor, "b k d"]
Velocity = Callable[[Chunks, Float[Tensor, " b"]], Chunks]  # at noisy actions and the level of each row

ADVANTAGE_SPREADS = 2.0  # standard deviations of a batch's advantages that count as the largest one
MIN_LARGEST_ADVANTAGE = 0.02  # in probability of success: smaller ones are the critic's noise
NFT_STEP = 1.0  # beta: how far the two mixtures lie from the old velocity (DiffusionNFT, arXiv 2509.16117)


def compute_preferences(values: Values, temperature: float) -> Values:
    """Return the share of each candidate, softmax(value / temperature): a sum of 1 a decision."""
    return torch.softmax(values / temperature, 1)


def compute_ranking_loss(scores: Values, values: Values, temperature: float) -> Float[Tensor, ""]:
    """Return the loss of a verifier's scores: cross-entropy of the preferences, and squares of centred differences.

    Both compare candidates of one decision: how good the decision's state is does not matter to a choice among them.
    """
    wanted = compute_preferences(values, temperature)
    ranking = -(wanted * torch.log_softmax(scores / temperature, 1)).sum(1).mean()
    centred = (scores - scores.mean(1, keepdim=True)) - (values - values.mean(1, keepdim=True))
    return ranking + (centred / temperature).square().mean()


def compute_distillation_loss(
    velocity: Velocity, chunks: Chunks, noise: Chunks, level: Float[Tensor, " b"], counted: Bool[Tensor, " d"]
) -> Float[Tensor, ""]:
    """Return the flow-matching loss of chunks that were drawn by their preferences."""
    error = flow.flow_matching_loss(velocity(flow.interpolate(chunks, noise, level), level), chunks, noise, level)
    return _average_counted(error, counted).mean()


def compute_nft_loss(
    velocity: Velocity, old_velocity: Velocity, chunks: Chunks, noise: Chunks, level: Float[Tensor, " b"],
    advantage: Float[Tensor, " b"], counted: Bool[Tensor, " d"],
) -> Float[Tensor, ""]:  # fmt: skip
    """Return the loss of DiffusionNFT: towards chunks of positive advantage, away from those of negative.

    With v' and v the old and the new velocity, v+ = (1 - beta) v' + beta v and v- = (1 + beta) v' - beta v; a chunk of
    reward r in [0, 1] pulls v+ to its velocity with weight r and v- with weight 1 - r.
    """
    z = flow.interpolate(chunks, noise, level)
    old, new = old_velocity(z, level), velocity(z, level)
    positive, negative = (1 - NFT_STEP) * old + NFT_STEP * new, (1 + NFT_STEP) * old - NFT_STEP * new
    largest = (ADVANTAGE_SPREADS * advantage.std(correction=0)).clamp(min=MIN_LARGEST_ADVANTAGE)
    reward = 0.5 + 0.5 * (advantage / largest).clamp(-1.0, 1.0)
    errors = [
        _average_counted(flow.flow_matching_loss(each, chunks, noise, level), counted) for each in (positive, negative)
    ]
    return (reward * errors[0] + (1.0 - reward) * errors[1]).mean()


def _average_counted(error: Chunks, counted: Bool[Tensor, " d"]) -> Float[Tensor, " b"]:
    """Return the mean of what is counted, row by row."""
    weight = counted.expand(error.shape[1:])
    return (error * weight).sum((1, 2)) / weight.sum().clamp(min=1)
